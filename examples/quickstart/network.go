package main

import (
	"context"
	"iter"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/state"
)

// What the network does to frames under chaos.
const (
	repeated = 0.15 // share of frames that are delivered twice
	late     = 0.10 // share of frames that are held up for long
	lateness = 50   // lines that such a frame is held up at most
	held     = 0.25 // share of the other frames that others overtake, in each round
)

// network is the relay and what lies between it and the members: it hands what somebody posts to everybody else, and sees envelopes
// only. It moves in rounds: what is posted in one arrives in the next. With a source of chance it repeats, delays and reorders.
type network struct {
	chance *rand.Rand // nil: everything arrives once, at once and in order

	mu            sync.Mutex
	line          int        // that is being sent
	boxes         []*mailbox // in the order in which their members came
	frames, bytes int        // posted so far
}

func newNetwork(chaos uint64) *network {
	n := new(network)
	if chaos != 0 {
		n.chance = rand.New(rand.NewPCG(chaos, chaos))
	}
	return n
}

// mailbox is what the network holds for one member, and the member's line to it: a trefoil.Transport.
type mailbox struct {
	*network
	name   string
	topics map[string]bool
	posted []*parcel // in this round
	coming []*parcel // on their way to the member
	here   []*parcel // that arrived, until they are acknowledged
	fresh  bool      // something arrived since the member received last
}

type parcel struct {
	topic, from string
	data        []byte
	due         int // the line at which it arrives
	acked       bool
}

// open makes the mailbox of a new member.
func (n *network) open(name string) *mailbox {
	n.mu.Lock()
	defer n.mu.Unlock()
	box := &mailbox{network: n, name: name, topics: make(map[string]bool)}
	n.boxes = append(n.boxes, box)
	return box
}

// collect takes what was posted and puts it on its way.
func (n *network) collect() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, from := range n.boxes {
		for _, p := range from.posted {
			n.frames++
			n.bytes += len(p.data)
			for _, to := range n.boxes {
				if to != from && to.topics[p.topic] {
					n.address(to, *p)
				}
			}
		}
		from.posted = nil
	}
}

// address puts a frame on its way to one member.
func (n *network) address(to *mailbox, p parcel) {
	for range 1 + n.happens(repeated) {
		p := p // each has its own fate
		if p.due = n.line; n.happens(late) == 1 {
			p.due += 1 + n.chance.IntN(lateness)
		}
		to.coming = append(to.coming, &p)
	}
}

// happens returns 1 with the given probability under chaos, and 0 otherwise.
func (n *network) happens(share float64) int {
	if n.chance != nil && n.chance.Float64() < share {
		return 1
	}
	return 0
}

// carry begins a round: what arrives lies in the mailboxes then. With all this is everything, however late.
func (n *network) carry(all bool) {
	n.collect()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, box := range n.boxes {
		var arrived, later []*parcel
		for _, p := range box.coming {
			if all || p.due <= n.line && n.happens(held) == 0 {
				arrived = append(arrived, p)
			} else {
				later = append(later, p)
			}
		}
		if n.chance != nil {
			n.chance.Shuffle(len(arrived), func(i, j int) { arrived[i], arrived[j] = arrived[j], arrived[i] })
		}
		box.here, box.coming = append(box.here, arrived...), later
		box.fresh = box.fresh || len(arrived) > 0
	}
}

// idle reports whether nothing is on its way.
func (n *network) idle() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return !slices.ContainsFunc(n.boxes, func(b *mailbox) bool { return len(b.posted)+len(b.coming) > 0 })
}

// hasNews reports whether something arrived that the member has not received.
func (b *mailbox) hasNews() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.fresh
}

// Post implements trefoil.Transport.
func (b *mailbox) Post(_ context.Context, topic string, frame []byte) state.Delivery {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.posted = append(b.posted, &parcel{topic: topic, from: b.name, data: slices.Clone(frame)})
	return state.Delivered()
}

// Subscribe implements trefoil.Transport.
func (b *mailbox) Subscribe(_ context.Context, topic string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.topics[topic] = true
	return nil
}

// Unsubscribe implements trefoil.Transport.
func (b *mailbox) Unsubscribe(_ context.Context, topic string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.topics, topic)
	b.here = slices.DeleteFunc(b.here, func(p *parcel) bool { return p.topic == topic })
	return nil
}

// Receive implements trefoil.Transport: it delivers what lies in the mailbox, and waits for the end of the line.
func (b *mailbox) Receive(ctx context.Context, topics iter.Seq[string], handle func(trefoil.Frame)) error {
	for topic := range topics {
		b.Subscribe(ctx, topic)
	}
	b.mu.Lock()
	b.here = slices.DeleteFunc(b.here, func(p *parcel) bool { return p.acked })
	stored := slices.Clone(b.here)
	b.fresh = false
	b.mu.Unlock()
	for _, p := range stored {
		handle(trefoil.Frame{Topic: p.topic, From: p.from, Data: slices.Clone(p.data), Ack: func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			p.acked = true
		}})
	}
	handle(trefoil.Frame{})
	<-ctx.Done()
	return ctx.Err()
}

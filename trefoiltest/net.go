package trefoiltest

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/state"
)

// Net is the network of a World: a relay that keeps what devices are to get, and the lines to it. It loses and repeats only if it is
// told to. A frame that it loses is lost for one device; it is no promise of package trefoil that such a message is read.
type Net struct {
	world    *World
	mu       sync.Mutex   // a device works with several goroutines
	rng      *rand.Rand   // decides
	amount   *rand.Rand   // draws how much, and in which order
	muted    map[int]bool // faults that do not happen
	drawn    int          // decisions about faults so far
	happened map[int]bool // those that were for one, muted or not
	posts    int
	frames   [][]byte
	lines    map[string]*line
	topics   map[string][]*line // in the order in which they subscribed

	lose, repeat, delay float64
	delayBy             time.Duration
	reorder             bool
	parts               map[string]int // of a partition, by the name of the device
}

func newNet(w *World, seed uint64, muted map[int]bool) *Net {
	return &Net{world: w, rng: rand.New(rand.NewPCG(seed, 1)), amount: rand.New(rand.NewPCG(seed, 2)), muted: muted, happened: make(map[int]bool), lines: make(map[string]*line), topics: make(map[string][]*line)}
}

// Lose has the network lose a part of the frames, 0 to 1, for each device by itself.
func (n *Net) Lose(part float64) { n.lose = part }

// Repeat has it deliver a part of the frames twice.
func (n *Net) Repeat(part float64) { n.repeat = part }

// Delay has it hold back a part of the frames for up to some time.
func (n *Net) Delay(part float64, upTo time.Duration) { n.delay, n.delayBy = part, upTo }

// Reorder has it deliver what waits for a device in any order.
func (n *Net) Reorder(on bool) { n.reorder = on }

// Partition cuts the network into groups: what one posts reaches the others after Heal. A device that is in no group is cut off from
// all.
func (n *Net) Partition(groups ...[]*Device) {
	n.parts = make(map[string]int)
	for i, g := range groups {
		for _, d := range g {
			n.parts[d.Name] = i + 1
		}
	}
}

// Heal ends a partition and every other fault. What was lost stays lost, and what was held back is delivered.
func (n *Net) Heal() {
	n.parts, n.lose, n.repeat, n.delay, n.reorder = nil, 0, 0, 0, false
	for _, l := range n.lines {
		for i := range l.items {
			l.items[i].due = time.Time{}
		}
	}
}

// Tap returns every frame that was posted, in order: what a relay sees.
func (n *Net) Tap() [][]byte { return slices.Clone(n.frames) }

// happens draws whether a fault happens.
func (n *Net) happens(part float64) bool {
	if part <= 0 {
		return false
	}
	n.drawn++
	if n.rng.Float64() >= part {
		return false
	}
	n.happened[n.drawn] = true
	return !n.muted[n.drawn]
}

// apart reports whether a partition is between two devices.
func (n *Net) apart(a, b string) bool {
	return n.parts != nil && (n.parts[a] != n.parts[b] || n.parts[a] == 0)
}

// waiting reports whether something could be delivered now.
func (n *Net) waiting() bool {
	for _, l := range n.lines {
		if !l.offline && !l.idle && len(l.deliverable()) > 0 {
			return true
		}
	}
	return false
}

// line is the line of a device. It implements trefoil.Transport.
type line struct {
	net     *Net
	name    string
	offline bool
	idle    bool // the device works when the test wakes it only
	last    int
	items   []item // not acknowledged
	given   map[int]bool
}

// item is a frame that waits for a device.
type item struct {
	seq         int
	topic, from string
	data        []byte
	due         time.Time // not before
}

func (n *Net) line(name string) *line {
	if n.lines[name] == nil {
		n.lines[name] = &line{net: n, name: name, given: make(map[int]bool)}
	}
	return n.lines[name]
}

// deliverable returns what can be delivered now.
func (l *line) deliverable() (out []item) {
	for _, it := range l.items {
		if !it.due.After(l.net.world.now) && !l.net.apart(it.from, l.name) && !l.given[it.seq] {
			out = append(out, it)
		}
	}
	return out
}

// Post implements trefoil.Transport.
func (l *line) Post(_ context.Context, topic string, frame []byte) state.Delivery {
	n := l.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if l.offline {
		return state.RetryAfter(0)
	}
	n.posts++
	n.frames = append(n.frames, slices.Clone(frame))
	for _, to := range n.topics[topic] {
		if to == l || n.happens(n.lose) {
			continue
		}
		it := item{topic: topic, from: l.name, data: slices.Clone(frame)}
		if n.happens(n.delay) {
			it.due = n.world.now.Add(time.Duration(n.amount.Int64N(int64(n.delayBy) + 1)))
		}
		to.put(it)
		if n.happens(n.repeat) {
			to.put(it)
		}
	}
	return state.Delivered()
}

func (l *line) put(it item) {
	l.last++
	it.seq = l.last
	l.items = append(l.items, it)
}

// Subscribe implements trefoil.Transport.
func (l *line) Subscribe(_ context.Context, topic string) error {
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	if l.offline {
		return errOffline
	}
	if !slices.Contains(l.net.topics[topic], l) {
		l.net.topics[topic] = append(l.net.topics[topic], l)
	}
	return nil
}

// Unsubscribe implements trefoil.Transport.
func (l *line) Unsubscribe(_ context.Context, topic string) error {
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	if l.offline {
		return errOffline
	}
	l.net.topics[topic] = slices.DeleteFunc(l.net.topics[topic], func(o *line) bool { return o == l })
	l.items = slices.DeleteFunc(l.items, func(it item) bool { return it.topic == topic })
	return nil
}

// Receive implements trefoil.Transport: it delivers what can be delivered now, and then nothing.
func (l *line) Receive(ctx context.Context, topics iter.Seq[string], handle func(trefoil.Frame)) error {
	for topic := range topics {
		if err := l.Subscribe(ctx, topic); err != nil {
			return err
		}
	}
	items, err := l.take()
	if err != nil {
		return err
	}
	for _, it := range items {
		handle(trefoil.Frame{Topic: it.topic, From: it.from, Data: slices.Clone(it.data), Ack: func() { l.acknowledge(it.seq) }})
	}
	handle(trefoil.Frame{})
	<-ctx.Done()
	return ctx.Err()
}

// take returns what is delivered now.
func (l *line) take() ([]item, error) {
	n := l.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if l.offline {
		return nil, errOffline
	}
	items := l.deliverable()
	if n.reorder {
		n.amount.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
	}
	for _, it := range items {
		l.given[it.seq] = true
	}
	return items, nil
}

func (l *line) acknowledge(seq int) {
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	l.items = slices.DeleteFunc(l.items, func(it item) bool { return it.seq == seq })
}

// again has everything delivered again that was not acknowledged.
func (l *line) again() { l.given = make(map[int]bool) }

var errOffline = errors.New("trefoiltest: the device is offline")

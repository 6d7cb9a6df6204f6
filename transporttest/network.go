package transporttest

import (
	"context"
	"iter"
	"slices"
	"sync"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/state"
)

// Network is a relay in memory, for programs and tests of one process. It keeps the contract, and forgets everything with the
// process. Its methods are safe for concurrent use.
type Network struct {
	mu      sync.Mutex
	devices map[string]*device
	topics  map[string]map[*device]bool
	faults  faults
}

// NewNetwork returns a network without devices.
func NewNetwork() *Network {
	return &Network{devices: make(map[string]*device), topics: make(map[string]map[*device]bool)}
}

// Device returns the line of a device. Lines of one name are lines of one device: what one of them has acknowledged comes on none.
func (n *Network) Device(name string) trefoil.Transport {
	n.mu.Lock()
	defer n.mu.Unlock()
	d := n.devices[name]
	if d == nil {
		d = &device{network: n, name: name, came: make(chan struct{})}
		n.devices[name] = d
	}
	return d
}

// device is one mailbox.
type device struct {
	network *Network
	name    string
	last    uint64
	items   []item        // not acknowledged, in the order in which they came
	came    chan struct{} // closed when something comes
}

// item is a frame in a mailbox.
type item struct {
	seq         uint64
	topic, from string
	data        []byte
}

// Post implements trefoil.Transport.
func (d *device) Post(ctx context.Context, topic string, frame []byte) state.Delivery {
	n := d.network
	n.mu.Lock()
	defer n.mu.Unlock()
	if ctx.Err() != nil {
		return state.RetryAfter(0)
	}
	for to := range n.topics[topic] {
		if to != d || n.faults.echoes {
			to.put(item{topic: topic, from: d.name, data: slices.Clone(frame)})
		}
		if n.faults.oneOnly {
			break
		}
	}
	return state.Delivered()
}

// put puts an item into the mailbox.
func (d *device) put(it item) {
	f := d.network.faults
	if f.cuts && len(it.data) > 1<<10 {
		it.data = it.data[:1<<10]
	}
	if f.dropsRepeats && slices.ContainsFunc(d.items, func(o item) bool { return string(o.data) == string(it.data) }) {
		return
	}
	d.last++
	it.seq = d.last
	d.items = append(d.items, it)
	close(d.came)
	d.came = make(chan struct{})
}

// Subscribe implements trefoil.Transport.
func (d *device) Subscribe(ctx context.Context, topic string) error {
	n := d.network
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.faults.lateSubscriptions {
		return ctx.Err()
	}
	d.subscribe(topic)
	return ctx.Err()
}

func (d *device) subscribe(topic string) {
	if d.network.topics[topic] == nil {
		d.network.topics[topic] = make(map[*device]bool)
	}
	d.network.topics[topic][d] = true
}

// Unsubscribe implements trefoil.Transport.
func (d *device) Unsubscribe(ctx context.Context, topic string) error {
	n := d.network
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.faults.staysSubscribed {
		return nil
	}
	delete(n.topics[topic], d)
	d.items = slices.DeleteFunc(d.items, func(it item) bool { return it.topic == topic })
	return ctx.Err()
}

// Receive implements trefoil.Transport.
func (d *device) Receive(ctx context.Context, topics iter.Seq[string], handle func(trefoil.Frame)) error {
	n := d.network
	var names []string
	for topic := range topics {
		names = append(names, topic)
	}
	n.mu.Lock()
	for _, topic := range names {
		d.subscribe(topic)
	}
	f, backlog, after := n.faults, d.last, uint64(0)
	n.mu.Unlock()
	if f.forgetsSubscriptions {
		defer n.endSubscriptions(d)
	}
	if f.endsEarly {
		handle(trefoil.Frame{})
	}
	for ended := f.endsEarly; ctx.Err() == nil; {
		it, came, ok := d.next(after)
		if !ended && !f.endsNever && (!ok || it.seq > backlog) {
			handle(trefoil.Frame{})
			ended = true
			continue
		}
		if !ok {
			if f.stays {
				<-came
				continue
			}
			select {
			case <-came:
			case <-ctx.Done():
			}
			continue
		}
		after = it.seq
		if f.deaf && ended {
			continue
		}
		if f.forgetsDelivered {
			d.acknowledge(it.seq)
		}
		if f.waitsForReaders {
			n.mu.Lock() // for as long as the program takes
			handle(trefoil.Frame{Topic: it.topic, From: it.from, Data: slices.Clone(it.data), Ack: func() {}})
			n.mu.Unlock()
			continue
		}
		handle(trefoil.Frame{Topic: it.topic, From: it.from, Data: slices.Clone(it.data), Ack: func() { d.acknowledge(it.seq) }})
	}
	return ctx.Err()
}

// next returns the first item after a number, and what tells of the next one that comes.
func (d *device) next(after uint64) (it item, came <-chan struct{}, ok bool) {
	d.network.mu.Lock()
	defer d.network.mu.Unlock()
	i := slices.IndexFunc(d.items, func(it item) bool { return it.seq > after })
	if i < 0 {
		return item{}, d.came, false
	}
	return d.items[i], d.came, true
}

// acknowledge forgets an item.
func (d *device) acknowledge(seq uint64) {
	n := d.network
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.faults.ignoresAcks {
		return
	}
	d.items = slices.DeleteFunc(d.items, func(it item) bool { return it.seq == seq || n.faults.acksAllBefore && it.seq < seq })
}

// endSubscriptions ends all of a device's.
func (n *Network) endSubscriptions(d *device) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, devices := range n.topics {
		delete(devices, d)
	}
}

// faults are what a broken relay does. Each breaks one rule: the tests of this package show that the check of the rule sees it.
type faults struct {
	echoes               bool // the sender gets its own frame
	oneOnly              bool // only one subscriber gets a frame
	cuts                 bool // long frames are cut
	dropsRepeats         bool // of equal frames one is kept
	lateSubscriptions    bool // a subscription counts from the next line on
	staysSubscribed      bool // a subscription does not end
	forgetsSubscriptions bool // subscriptions end with the line
	endsEarly            bool // the end of the backlog is said before it
	endsNever            bool // the end of the backlog is not said
	deaf                 bool // nothing comes after the backlog
	forgetsDelivered     bool // what was delivered counts as acknowledged
	ignoresAcks          bool // what was acknowledged comes again
	acksAllBefore        bool // an acknowledgement counts for all before
	stays                bool // Receive goes on when its context has ended
	waitsForReaders      bool // a device that does not read holds up the others
}

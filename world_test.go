package trefoil_test

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/transporttest"
)

// world is a network and its devices, in a bubble of testing/synctest: time passes when nothing else happens.
type world struct {
	*testing.T
	net *transporttest.Network
}

func inWorld(t *testing.T, test func(*testing.T, world)) {
	synctest.Test(t, func(t *testing.T) { test(t, world{t, transporttest.NewNetwork()}) })
}

// device is a client that notes what it is told.
type device struct {
	world
	name   string
	store  store.Store
	client *trefoil.Client
	stop   func() error

	mu      sync.Mutex
	events  []event.Event
	forgets bool // messages are not kept
}

// device opens a device that does not run yet. Change adapts its options; its handler is called after the event was noted.
func (w world) device(name string, change ...func(*trefoil.Options)) *device {
	w.Helper()
	return w.open(name, store.NewMemory(), w.net.Device(name), change...)
}

func (w world) open(name string, s store.Store, t trefoil.Transport, change ...func(*trefoil.Options)) *device {
	w.Helper()
	d := &device{world: w, name: name, store: s}
	key, err := state.NewKey(make([]byte, state.KeySize))
	require.NoError(w, err)
	o := trefoil.Options{Profile: []byte(name), Log: slog.New(slog.DiscardHandler)}
	for _, c := range change {
		c(&o)
	}
	handle := o.Handle
	o.Handle = func(ctx context.Context, e event.Event) error {
		d.mu.Lock()
		if _, message := e.(event.Message); !message || !d.forgets {
			d.events = append(d.events, e)
		}
		d.mu.Unlock()
		if handle == nil {
			return nil
		}
		return handle(ctx, e)
	}
	d.client, err = trefoil.Open(w.Context(), s, key, t, o)
	require.NoError(w, err)
	return d
}

// run runs the client until stop, or the end of the test.
func (d *device) run() *device {
	d.begin()
	d.Cleanup(func() { d.stop() })
	return d
}

// begin runs the client until stop.
func (d *device) begin() {
	ctx, cancel := context.WithCancel(d.Context())
	done := make(chan error, 1)
	go func() { done <- d.client.Run(ctx) }()
	d.stop = sync.OnceValue(func() error { cancel(); return <-done })
}

// told returns what the device was told of one type, in order.
func told[E event.Event](d *device) (out []E) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.events {
		if e, ok := e.(E); ok {
			out = append(out, e)
		}
	}
	return out
}

// read returns the bodies of the messages that the device was told of.
func (d *device) read() (bodies []string) {
	for _, m := range told[event.Message](d) {
		bodies = append(bodies, string(m.Body))
	}
	return bodies
}

// newSpace makes a space of some devices, the first of which founded it. All of them run.
func (w world) newSpace(devices ...*device) state.ID {
	w.Helper()
	s, err := devices[0].client.NewSpace(w.Context())
	require.NoError(w, err)
	for _, d := range devices[1:] {
		devices[0].letIn(s.ID(), d)
	}
	return s.ID()
}

// tapped opens a device whose line can be unplugged and listened to.
func (w world) tapped(name string, change ...func(*trefoil.Options)) (*device, *tap) {
	w.Helper()
	p := w.tap(name)
	return w.open(name, store.NewMemory(), p, change...), p
}

// letIn invites another device.
func (d *device) letIn(space state.ID, other *device) {
	d.Helper()
	link := d.link(space, invite.Private(0))
	d.pass(time.Second) // the others are told of it before other subscribes: what is from before it joined would wait for a month
	_, err := other.client.Join(d.Context(), link)
	require.NoError(d, err)
	d.pass(time.Minute)
	status, err := other.client.Space(space).Status(d.Context())
	require.NoError(d, err)
	require.Equal(d, ratchet.Member, status.Phase, other.name)
	require.True(d, slices.ContainsFunc(told[event.Joined](other), func(e event.Joined) bool { return e.Chat == space }), other.name)
}

// link makes an invite and returns its link.
func (d *device) link(space state.ID, t invite.Terms) string {
	d.Helper()
	made, err := d.client.Space(space).Invite(d.Context(), t)
	require.NoError(d, err)
	url, err := made.Link.URL("https://chat.example/join")
	require.NoError(d, err)
	return url
}

func (d *device) send(space state.ID, body string) event.ID {
	d.Helper()
	id, err := d.client.Space(space).Send(d.Context(), []byte(body))
	require.NoError(d, err)
	return id
}

// pass lets time pass until everything waits for a later one.
func (w world) pass(t time.Duration) {
	time.Sleep(t)
	synctest.Wait()
}

// tap is a line that can be unplugged and listened to.
type tap struct {
	trefoil.Transport
	mu     sync.Mutex
	out    bool
	down   context.CancelFunc
	log    []string // of what was asked of it
	post   func(topic string, frame []byte) (state.Delivery, bool)
	frame  func(*trefoil.Frame)
	posted [][]byte

	forgets bool // nothing is noted
}

var errUnplugged = errors.New("unplugged")

func (w world) tap(name string) *tap { return &tap{Transport: w.net.Device(name)} }

// plug plugs the line in or out.
func (p *tap) plug(in bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.out = !in; p.out && p.down != nil {
		p.down()
	}
}

// note logs a call and reports whether the line is plugged in.
func (p *tap) note(call string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.forgets {
		p.log = append(p.log, call)
	}
	return !p.out
}

// onPost and onFrame set what is done with frames before the relay, or the client, has them.
func (p *tap) onPost(f func(string, []byte) (state.Delivery, bool)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.post = f
}

func (p *tap) onFrame(f func(*trefoil.Frame)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frame = f
}

func (p *tap) calls() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.log)
}

// count returns how many frames were delivered to the relay.
func (p *tap) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.posted)
}

func (p *tap) Post(ctx context.Context, topic string, frame []byte) state.Delivery {
	if !p.note("post") {
		return state.RetryAfter(0)
	}
	p.mu.Lock()
	post := p.post
	p.mu.Unlock()
	if post != nil {
		if d, decided := post(topic, frame); decided {
			return d
		}
	}
	d := p.Transport.Post(ctx, topic, frame)
	if _, again := d.Again(); !again && !p.forgets {
		p.mu.Lock()
		p.posted = append(p.posted, frame)
		p.mu.Unlock()
	}
	return d
}

func (p *tap) Subscribe(ctx context.Context, topic string) error {
	if !p.note("subscribe") {
		return errUnplugged
	}
	return p.Transport.Subscribe(ctx, topic)
}

func (p *tap) Receive(ctx context.Context, topics iter.Seq[string], handle func(trefoil.Frame)) error {
	if !p.note("receive") {
		return errUnplugged
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p.mu.Lock()
	p.down = cancel
	p.mu.Unlock()
	return p.Transport.Receive(ctx, topics, func(f trefoil.Frame) {
		p.mu.Lock()
		change := p.frame
		p.mu.Unlock()
		switch {
		case f.Topic == "":
			p.note("end")
		case change != nil:
			change(&f)
		}
		handle(f)
	})
}

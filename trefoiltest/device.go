package trefoiltest

import (
	"context"
	"errors"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/state/storetest"
)

// Base is the address of the links that devices make.
const Base = "https://chat.example/join"

// Device is a client and what it was told. Client is another one after a crash. What a method cannot do fails the test.
type Device struct {
	Name   string
	Client *trefoil.Client
	Events []event.Event // all that it was told of, in order

	world    *World
	line     *line
	store    store.Store
	change   []func(*trefoil.Options)
	messages []message
	member   map[state.ID]int // since when, in numbers of messages
	calls    int              // of the store
	fault    storetest.Fault
	faultAt  int // the number of the call that fails, 0 for none
	copied   bool
}

// message is one that a device was told of.
type message struct {
	event.Message
	order int // of those that were written in the world, if it is the device's own
}

// open opens the client on the store.
func (d *Device) open() {
	d.world.T.Helper()
	k, err := state.NewKey(make([]byte, state.KeySize))
	require.NoError(d.world.T, err)
	o := trefoil.Options{Profile: []byte(d.Name), Directory: d.world.dir, Now: d.world.Now}
	for _, c := range d.change {
		c(&o)
	}
	handle := o.Handle
	o.Handle = func(ctx context.Context, e event.Event) error {
		d.note(e)
		if handle == nil {
			return nil
		}
		return handle(ctx, e)
	}
	d.Client, err = trefoil.Open(d.world.T.Context(), storetest.Fail(d.store, d.decide), k, d.line, o)
	require.NoError(d.world.T, err)
}

// note notes an event. Each is noted once, however often it is handed over.
func (d *Device) note(e event.Event) {
	if slices.ContainsFunc(d.Events, func(o event.Event) bool { return o.About() == e.About() }) {
		return
	}
	d.Events = append(d.Events, e)
	switch e := e.(type) {
	case event.Message:
		d.messages = append(d.messages, message{e, d.world.written})
		if e.Own {
			d.world.written++
		}
	case event.Joined:
		d.member[e.Chat] = d.world.written
	case event.Removed:
		delete(d.member, e.Chat)
	}
}

func (d *Device) find(id event.ID) (out []message) {
	for _, m := range d.messages {
		if m.ID == id {
			out = append(out, m)
		}
	}
	return out
}

// Told returns what a device was told of one type of event, in order.
func Told[E event.Event](d *Device) (out []E) {
	for _, e := range d.Events {
		if e, ok := e.(E); ok {
			out = append(out, e)
		}
	}
	return out
}

// Read returns the bodies of the messages that the device was told of in a chat, its own included.
func (d *Device) Read(chat state.ID) (bodies []string) {
	for _, m := range d.messages {
		if m.Chat == chat {
			bodies = append(bodies, string(m.Body))
		}
	}
	return bodies
}

// Send writes to a space. It leaves when the world settles.
func (d *Device) Send(space state.ID, body string) event.ID {
	d.world.T.Helper()
	id, err := d.Client.Space(space).Send(d.world.T.Context(), []byte(body))
	d.must(err)
	return id
}

// Person makes the device the first one of a person, and returns its address.
func (d *Device) Person() key.Address {
	d.world.T.Helper()
	a, err := d.Client.NewPerson(d.world.T.Context())
	d.must(err)
	return a
}

// Say writes to a person. It leaves when the world settles.
func (d *Device) Say(to key.Address, body string) event.ID {
	d.world.T.Helper()
	id, err := d.Client.Direct(to).Send(d.world.T.Context(), []byte(body))
	d.must(err)
	return id
}

// Invite returns a link for one person.
func (d *Device) Invite(space state.ID) string {
	d.world.T.Helper()
	made, err := d.Client.Space(space).Invite(d.world.T.Context(), invite.Private(0))
	d.must(err)
	link, err := made.Link.URL(Base)
	d.must(err)
	return link
}

// Join asks to be let in by a link. event.Joined or event.Refused follows when the world settles.
func (d *Device) Join(link string) state.ID {
	d.world.T.Helper()
	s, err := d.Client.Join(d.world.T.Context(), link)
	d.must(err)
	return s.ID()
}

// must fails the test for an error, unless it is one that CrashAt has asked for: the device has gone on from its store then, and the
// call was made or not.
func (d *Device) must(err error) {
	d.world.T.Helper()
	if d.crashed(err) {
		return
	}
	require.NoError(d.world.T, err, d.Name)
}

// Offline takes the device from the network, or brings it back.
func (d *Device) Offline(on bool) { d.line.offline = on }

// work is what a device does when it is woken: a Sync.
func (d *Device) work() {
	d.world.T.Helper()
	if d.line.offline || d.copied {
		return
	}
	ctx, cancel := d.world.context()
	defer cancel()
	err := d.Client.Sync(ctx)
	if err != nil && !d.crashed(err) && !errors.Is(err, storetest.ErrFault) {
		require.NoError(d.world.T, err, d.Name)
	}
}

// Crash takes the device's memory: it goes on from what its store holds, and the network delivers again what was not acknowledged.
func (d *Device) Crash() {
	d.world.T.Helper()
	d.faultAt = 0
	d.line.again()
	d.open()
}

// CrashAt has the nth call of the store from now on fail, and the device crash of it: storetest.Before, so that nothing was done, or
// storetest.After, so that it was and nobody knows. With a test that runs once for each n, until Crashed says no, every moment
// was tried.
func (d *Device) CrashAt(n int, f storetest.Fault) { d.faultAt, d.fault = d.calls+n, f }

// Crashed reports whether the crash that CrashAt asked for has happened.
func (d *Device) Crashed() bool { return d.faultAt == 0 }

// decide says which call of the store fails.
func (d *Device) decide(c storetest.Call) storetest.Fault {
	d.calls++
	if d.faultAt > 0 && d.calls >= d.faultAt { // and all after it: the process is dead
		if d.calls == d.faultAt {
			return d.fault
		}
		return storetest.Before
	}
	return storetest.None
}

// crashed reports whether the crash that was asked for is the reason of an error, and then carries it out.
func (d *Device) crashed(err error) bool {
	d.world.T.Helper()
	if err == nil || d.faultAt == 0 || d.calls < d.faultAt {
		return false
	}
	d.Crash()
	return true
}

// Copy returns a device that goes on from a copy of the store, with a name and a line of its own: what happens when somebody restores a
// device from an image of its disk, or clones it. It works when the test calls Wake; Settle and Check leave it out. The store must be in memory.
func (d *Device) Copy(name string) *Device {
	d.world.T.Helper()
	m, ok := d.store.(*store.Memory)
	require.True(d.world.T, ok, "trefoiltest: a store in memory can be copied")
	c := d.world.DeviceOn(name, m.Clone(), d.change...)
	c.copied, c.line.idle = true, true
	return c
}

// Wake lets the device work once, as a push message does.
func (d *Device) Wake() error {
	ctx, cancel := d.world.context()
	defer cancel()
	return d.Client.Sync(ctx)
}

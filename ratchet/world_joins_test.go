package ratchet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/epochs"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/orphans"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// network is a space's topic, and the devices that read it. All is decided by its seed.
type network struct {
	t     testing.TB
	rng   *rand.Rand
	now   time.Time
	all   []*node
	frame int                          // longest frame
	seal  int                          // boxes of a rekey that a call seals
	most  int                          // boxes of a whole of a rekey
	lose  func(x *node, f []byte) bool // whether a frame never reaches a device; nil: none is lost
	twice bool                         // frames may be delivered again

	posts  int                     // frames so far
	posted func(x *node, f []byte) // told of each, if it is not nil
}

// node is a device: its space, the frames that its vault retains, and those that the relay keeps for it.
type node struct {
	net      *network
	name     string
	space    Space
	retained map[orphans.FrameName]incoming
	ready    [][32]byte // to be tried again
	mailbox  []incoming
	events   []Event
	read     []Message
	offline  bool
	reasons  []error // of frames that were not read
}

func newNetwork(t *testing.T, seed uint64) *network {
	cryptotest.SetGlobalRandom(t, seed)
	return &network{t: t, rng: rand.New(rand.NewPCG(seed, 1)), now: time.UnixMilli(1_795_000_000_000)}
}

func (n *network) node(name string, s Space) *node {
	x := &node{net: n, name: name, space: s, retained: map[orphans.FrameName]incoming{}}
	n.all = append(n.all, x)
	return x
}

// found makes a space.
func (n *network) found(p rules.Policy) *node {
	p.KEM = cmp.Or(p.KEM, rules.X25519)
	s, err := NewSpace(n.now, p, []byte("founder"))
	require.NoError(n.t, err)
	return n.node("founder", s)
}

// edit runs a call on the device's space, and posts what leaves with it.
func (x *node) edit(f func(*edit) error) error {
	d, err := newEdit(x.space, x.net.now, Options{})
	require.NoError(x.net.t, err)
	if x.net.frame > 0 { // less than any transport takes, so that little is in many parts
		d.max = x.net.frame
	}
	if x.net.seal > 0 {
		d.seal = x.net.seal
	}
	d.most = x.net.most
	d.load = func(n orphans.FrameName) (incoming, bool) { f, ok := x.retained[n]; return f, ok }
	err = f(&d)
	if err != nil && state.VerdictOf(err) == state.Stop {
		return err
	}
	x.ready = append(x.ready, hashes(d.retried())...)
	next := d.space()
	require.NoError(x.net.t, next.State().Succeeds(x.space.State()), x.name)
	x.space = next
	for _, e := range d.events {
		x.events = append(x.events, e.(Event))
	}
	for _, n := range d.done {
		delete(x.retained, n)
	}
	for _, n := range d.lost { // not acknowledged: the relay gives it again
		if f, ok := x.retained[n]; ok {
			delete(x.retained, n)
			x.mailbox = append(x.mailbox, f)
		}
	}
	x.post(d.frames...)
	return err
}

// post gives frames to all others.
func (x *node) post(frames ...[]byte) {
	x.net.posts += len(frames)
	for _, f := range frames {
		if x.net.posted != nil {
			x.net.posted(x, f)
		}
		for _, o := range x.net.all {
			if o == x || x.net.lose != nil && x.net.lose(o, f) {
				continue
			}
			for range 1 + x.net.copies() {
				o.mailbox = append(o.mailbox, newIncoming(state.Frame{Source: x.name, Data: f}))
			}
		}
	}
}

// copies returns how often a frame is delivered once more.
func (n *network) copies() int {
	if n.twice && n.rng.IntN(4) == 0 {
		return 1
	}
	return 0
}

// do takes a step.
func (x *node) do(s step.Step) { require.NoError(x.net.t, x.try(s)) }

func (x *node) try(s step.Step) error { return x.edit(func(d *edit) error { return d.take(s) }) }

// send sends a text.
func (x *node) send(text string) {
	require.NoError(x.net.t, x.edit(func(d *edit) error { return d.say(inner(text)) }))
}

// receive opens a frame, and then those that are ready.
func (x *node) receive(f incoming) {
	x.open(f)
	for range 10_000 {
		if len(x.ready) == 0 {
			return
		}
		n := x.ready[0]
		x.ready = x.ready[1:]
		if f, ok := x.retained[n]; ok {
			x.open(f)
		}
	}
	x.net.t.Fatal("frames are ready for ever")
}

func (x *node) open(f incoming) {
	err := x.edit(func(d *edit) error {
		m, err := openFrame(d, f)
		if err == nil {
			delete(x.retained, f.name)
			if len(m.Plaintext) > 0 {
				x.read = append(x.read, m)
			}
		}
		return err
	})
	switch state.VerdictOf(err) {
	case state.Retain:
		x.retained[f.name] = f
	case state.Discard:
		delete(x.retained, f.name)
		x.reasons = append(x.reasons, err)
	case state.Stop:
		require.NoError(x.net.t, err, x.name)
	}
}

// inOrder delivers the mailbox as it came, and does not say that its end was reached.
func (x *node) inOrder() {
	for len(x.mailbox) > 0 {
		f := x.mailbox[0]
		x.mailbox = x.mailbox[1:]
		x.receive(f)
	}
}

// standing returns an edit of the device, which is not saved, with the epoch and the root in which it stands.
func (x *node) standing() (edit, epochs.Epoch, members.Root) {
	d, err := newEdit(x.space, x.net.now, Options{})
	require.NoError(x.net.t, err)
	e, r, ok := d.preferred()
	require.True(x.net.t, ok)
	return d, e, r
}

// sync delivers the mailbox, in any order, and says that its end was reached.
func (x *node) sync() {
	for len(x.mailbox) > 0 {
		at := x.net.rng.IntN(len(x.mailbox))
		f := x.mailbox[at]
		x.mailbox = slices.Delete(x.mailbox, at, at+1)
		x.receive(f)
	}
	require.NoError(x.net.t, x.edit(func(d *edit) error {
		d.caughtUp()
		return nil
	}))
	x.tryReady()
}

func (x *node) tryReady() {
	ready := x.ready
	x.ready = nil
	for _, n := range ready {
		if f, ok := x.retained[n]; ok {
			x.receive(f)
		}
	}
}

// maintain does what is due.
func (x *node) maintain() {
	due := Due(x.space, x.net.now)
	due.Fetch = false
	require.NoError(x.net.t, x.edit(func(d *edit) error {
		for _, t := range due.each() {
			next := *d
			if err := next.perform(t); err == nil {
				*d = next
			}
		}
		return nil
	}))
	x.tryReady()
}

// settle delivers everything and does what is due, until nothing moves for some minutes.
func (n *network) settle() {
	for range 12 {
		for quiet := false; !quiet; {
			quiet = true
			for _, x := range n.all {
				if !x.offline && len(x.mailbox) > 0 {
					x.sync()
					quiet = false
				}
			}
		}
		n.now = n.now.Add(30 * time.Second)
		for _, x := range n.all {
			if !x.offline {
				x.sync()
				x.maintain()
			}
		}
	}
}

// rest delivers everything and does what is due on all devices, until nothing is posted any more.
func (n *network) rest() {
	for posts, quiet := -1, 0; quiet < 2; {
		for _, x := range n.all {
			x.sync()
			x.maintain()
		}
		n.now = n.now.Add(30 * time.Second)
		if quiet++; posts != n.posts {
			posts, quiet = n.posts, 0
		}
	}
}

// converge lets time go by, with everybody awake, until all agree, and a day later still do: what an owner dealt and others lack is posted
// again after a day. It gives up after some days.
func (n *network) converge(agreed func() bool) {
	for _, x := range n.all {
		x.offline = false
	}
	for range 8 {
		n.rest()
		n.now = n.now.Add(15 * time.Minute) // whoever waits for its turn to answer has it
		n.rest()
		if !agreed() {
			n.now = n.now.Add(9 * time.Hour)
			continue
		}
		n.now = n.now.Add(25 * time.Hour)
		if n.rest(); agreed() {
			return
		}
	}
}

// join opens a link on a new device.
func (n *network) join(l invite.Link, name string) *node {
	s, frame, err := Join(l, n.now, []byte(name))
	require.NoError(n.t, err)
	x := n.node(name, s)
	x.post(frame)
	return x
}

// has reports whether an event of a kind was emitted.
func (x *node) has(k EventKind) bool {
	return slices.ContainsFunc(x.events, func(e Event) bool { return e.Kind == k })
}

// refused reports whether a device was refused for a reason.
func (x *node) refused(reason error) bool {
	return slices.ContainsFunc(x.events, func(e Event) bool { return e.Kind == Refused && errors.Is(e.Reason, reason) })
}

// texts returns what was read, sorted.
func (x *node) texts() (out []string) {
	for _, m := range x.read {
		out = append(out, fmt.Sprintf("%d: %s", m.Sender, m.Plaintext))
	}
	slices.Sort(out)
	return out
}

func (x *node) phase() Phase { return stateOf(x.space).phase }

// restart takes the device's space through a vault.
func (x *node) restart() {
	t := x.net.t
	key, err := state.NewKey(make([]byte, 32))
	require.NoError(t, err)
	backend := store.NewMemory()
	open := func() *state.Vault[Space] {
		v, err := state.Open[Space](context.Background(), backend, key, state.Options{})
		require.NoError(t, err)
		return v
	}
	require.NoError(t, open().Create(context.Background(), x.space, nil))
	s, err := open().Load(context.Background(), x.space.ID())
	require.NoError(t, err)
	require.True(t, s.Equal(x.space), x.name)
	x.space = s
}

// members returns who a device shows as members, by index and H(body).
func (x *node) members() (out []string) {
	d, err := newEdit(x.space, x.net.now, Options{})
	require.NoError(x.net.t, err)
	_, r, ok := d.preferred()
	require.True(x.net.t, ok, x.name)
	for _, e := range r.Roster() {
		out = append(out, fmt.Sprintf("%d %x", e.Index, e.Body[:4]))
	}
	return out
}

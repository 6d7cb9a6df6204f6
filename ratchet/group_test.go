package ratchet_test

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// day0 is when tests begin.
var day0 = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// fast is a policy whose boxes are small, for tests with many members.
var fast = ratchet.Policy{KEM: ratchet.X25519}

// peer is a member under test. It keeps what it cannot read yet and tries it again, as a vault does.
type peer struct {
	name     string
	space    ratchet.Space
	read     []string
	retained [][]byte
	events   []state.Event
	settled  []error
}

// group is some members of one space, without a network: tests say who gets what when.
type group struct {
	t     testing.TB
	now   time.Time
	rng   *rand.ChaCha8 // of the group's seed
	peers []*peer
	sent  int
}

// seed seeds what the tests draw themselves; keys come from the system.
var seed = flag.Uint64("seed", 1, "seed of what the tests draw")

// newGroup returns a group of n members, the first of which founded the space and let the others in, all in step. A failure
// says the seed of its rng. The nth group of a test is built once for all tests: spaces are values.
func newGroup(t testing.TB, n int, p ratchet.Policy) *group {
	t.Helper()
	nth, _ := nthGroup.LoadOrStore(t.Name(), new(atomic.Int32))
	key := founded{n, p, int(nth.(*atomic.Int32).Add(1))}
	build, _ := groups.LoadOrStore(key, sync.OnceValue(func() *group { return found(t, n, p) }))
	first := build.(func() *group)()
	require.NotNil(t, first)
	g := &group{t: t, now: first.now, rng: rand.NewChaCha8([32]byte(binary.BigEndian.AppendUint64(make([]byte, 24), *seed+uint64(key.nth)<<32))), sent: first.sent}
	for _, p := range first.peers {
		g.peers = append(g.peers, &peer{name: p.name, space: p.space})
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("group of seed %d", *seed)
		}
	})
	return g
}

// founded names a group: size, policy, and how many the test had before it.
type founded struct {
	n      int
	policy ratchet.Policy
	nth    int
}

var nthGroup, groups sync.Map

// found founds a space and lets n-1 others in, all in step.
func found(t testing.TB, n int, p ratchet.Policy) *group {
	g := &group{t: t, now: day0}
	s, err := ratchet.NewSpace(g.now, p)
	require.NoError(t, err)
	g.peers = []*peer{{name: "p1", space: s}}
	for len(g.peers) < n {
		g.join()
	}
	for _, p := range g.peers {
		require.Empty(t, p.read)
		require.Empty(t, p.retained)
	}
	return g
}

// grant draws an invite from the founder.
func (g *group) grant() ratchet.Grant {
	g.t.Helper()
	next, grant, err := ratchet.NewGrant(g.peers[0].space, g.now, dkg.Private)
	require.NoError(g.t, err)
	g.peers[0].space = next
	return grant
}

// join lets a further member in through the founder; everybody reads its first message.
func (g *group) join() *peer {
	g.t.Helper()
	return g.joinWith(g.grant(), g.peers[0])
}

func (g *group) joinWith(grant ratchet.Grant, admits *peer) *peer {
	g.t.Helper()
	p := &peer{name: fmt.Sprintf("p%d", len(g.peers)+1)}
	s, q, err := ratchet.Join(grant, g.now, []byte(p.name))
	require.NoError(g.t, err)
	p.space = s
	ticket := g.admit(admits, q)
	p.space, err = ratchet.Enter(p.space, g.now, ticket)
	require.NoError(g.t, err)
	g.peers = append(g.peers, p)
	g.deliver(g.send(p, ""))
	return p
}

func (g *group) admit(p *peer, q []byte) []byte {
	g.t.Helper()
	next, ticket, err := ratchet.Admit(p.space, g.now, q)
	require.NoError(g.t, err)
	p.space = next
	return ticket
}

// send seals a text of a member, and checks that it survives the wire.
func (g *group) send(p *peer, text string) []byte {
	g.t.Helper()
	next, e, err := ratchet.Encrypt(p.space, g.now, []byte(text))
	require.NoError(g.t, err)
	p.space = next
	g.sent++
	return e
}

// deliver gives envelopes to members, all by default, in the order given.
func (g *group) deliver(e []byte, to ...*peer) {
	g.t.Helper()
	if len(to) == 0 {
		to = g.peers
	}
	for _, p := range to {
		p.receive(g.t, g.now, e)
	}
}

// receive is the receive loop in memory.
func (p *peer) receive(t testing.TB, now time.Time, e []byte) error {
	t.Helper()
	err := p.try(t, now, e)
	if state.VerdictOf(err) == state.Retain {
		next, err := ratchet.Hold(p.space, now, "mailbox", e)
		require.NoError(t, err)
		p.space = next
		p.retained = append(p.retained, e)
	}
	for again := true; again; {
		again = false
		for i, e := range p.retained {
			err := p.try(t, now, e)
			if state.VerdictOf(err) != state.Retain {
				if err != nil {
					next, err := ratchet.Release(p.space, e)
					require.NoError(t, err)
					p.space = next
				}
				p.retained = slices.Delete(p.retained, i, i+1)
				again = true
				break
			}
		}
	}
	return err
}

func (p *peer) try(t testing.TB, now time.Time, e []byte) error {
	t.Helper()
	next, m, err := ratchet.Decrypt(p.space, now, e)
	p.events = append(p.events, m.Events...)
	if err != nil {
		require.True(t, same(p.space, next), "a failed call changed the space")
		require.Empty(t, m.Plaintext)
		if state.VerdictOf(err) == state.Discard {
			p.settled = append(p.settled, err)
		}
		return err
	}
	p.space = next
	if len(m.Plaintext) > 0 {
		p.read = append(p.read, string(m.Plaintext))
	}
	return nil
}

// same compares spaces; the zero Space equals itself.
func same(a, b ratchet.Space) bool {
	return a.ID() == b.ID() && (a.ID() == state.ID{} || a.Equal(b))
}

// converged checks that all members send in the same epoch, of the same authenticator, and that nothing is unread.
func (g *group) converged() {
	g.t.Helper()
	want := ratchet.Info(g.peers[0].space).Authenticator
	require.NotZero(g.t, want)
	for _, p := range g.peers {
		got := ratchet.Info(p.space).Authenticator
		require.NotZero(g.t, got)
		require.Equal(g.t, want, got, p.name)
		require.Empty(g.t, p.retained, p.name)
		require.Len(g.t, ratchet.Members(p.space), len(ratchet.Members(g.peers[0].space)), p.name)
	}
}

// read checks what a member read, in any order.
func (g *group) read(p *peer, want ...string) {
	g.t.Helper()
	require.ElementsMatch(g.t, want, p.read, p.name)
}

// vaultKey and stored put a space through a vault and read it back from the store by another.
func stored(t testing.TB, s ratchet.Space) ratchet.Space {
	t.Helper()
	ctx := context.Background()
	backend := store.NewMemory()
	key, err := state.NewKey(make([]byte, 32))
	require.NoError(t, err)
	v, err := state.Open[ratchet.Space](ctx, backend, key, state.Options{})
	require.NoError(t, err)
	require.NoError(t, v.Create(ctx, s, nil))
	again, err := state.Open[ratchet.Space](ctx, backend, key, state.Options{})
	require.NoError(t, err)
	got, err := again.Load(ctx, s.ID())
	require.NoError(t, err)
	require.True(t, s.Equal(got), "decode∘encode is not the identity (G1)")
	return got
}

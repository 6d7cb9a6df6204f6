package ratchettest

import (
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
	"github.com/trefoil-im/trefoil/state"
)

// Day0 is when groups begin.
var Day0 = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// Small is a policy whose boxes are small, for tests with many members.
var Small = rules.Policy{KEM: rules.X25519}

// seed seeds what tests draw themselves; keys come from the system.
var seed = flag.Uint64("seed", 1, "seed of what the tests draw")

// Group is some members of one space, without a network: a test says who gets what when.
type Group struct {
	T     testing.TB
	Now   time.Time
	Rng   *rand.ChaCha8 // of the group's seed
	Peers []*Peer
}

// NewGroup returns a group of n members, the first of which founded the space and let the others in, all in step. A failure
// says the seed of its Rng. The nth group of a test is built once for all tests: spaces are values.
func NewGroup(t testing.TB, n int, p rules.Policy) *Group {
	t.Helper()
	nth, _ := groupsOf.LoadOrStore(t.Name(), new(atomic.Int32))
	key := groupKey{n, p, int(nth.(*atomic.Int32).Add(1))}
	build, _ := groups.LoadOrStore(key, sync.OnceValue(func() *Group { return found(t, n, p) }))
	first := build.(func() *Group)()
	require.NotNil(t, first)
	g := &Group{T: t, Now: first.Now, Rng: Rng(t, uint64(key.nth))}
	for _, p := range first.Peers {
		g.Peers = append(g.Peers, &Peer{Name: p.Name, Space: p.Space})
	}
	return g
}

// Rng returns a source of what a test draws, the nth of a seed that a failure says and -seed sets.
func Rng(t testing.TB, nth uint64) *rand.ChaCha8 {
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("repeat with -seed %d", *seed)
		}
	})
	var key [32]byte
	binary.BigEndian.PutUint64(key[24:], *seed+nth<<32)
	return rand.NewChaCha8(key)
}

// groupKey names a group that is built once: size, policy, and how many the test had before it.
type groupKey struct {
	n      int
	policy rules.Policy
	nth    int
}

// groups are those built, by groupKey, and groupsOf how many a test has asked for, by its name.
var groups, groupsOf sync.Map

// found founds a space and lets n-1 others in, all in step.
func found(t testing.TB, n int, p rules.Policy) *Group {
	g := &Group{T: t, Now: Day0}
	s, err := ratchet.NewSpace(g.Now, p, []byte("p1"))
	require.NoError(t, err)
	g.Peers = []*Peer{{Name: "p1", Space: s}}
	for len(g.Peers) < n {
		g.JoinWith(g.Invite(invite.Private(0)), g.Peers[0])
	}
	g.Rounds(1) // what a joiner was told, the commits of others prove
	g.RequireConverged()
	for _, p := range g.Peers {
		require.Empty(t, p.Read)
	}
	return g
}

// Invite lets the founder make an invite, which everybody is told of.
func (g *Group) Invite(t invite.Terms) invite.Link {
	g.T.Helper()
	var made invite.Made
	g.Deliver(g.Step(g.Peers[0], step.NewInvite(t, &made)), g.Others(g.Peers[0])...)
	return made.Link
}

// Step lets a member take a step, and returns the frames that say it.
func (g *Group) Step(p *Peer, s step.Step) [][]byte {
	g.T.Helper()
	next, frames, err := ratchet.Take(p.Space, g.Now, s)
	require.NoError(g.T, err)
	p.Space = next
	return frames
}

// JoinWith lets a further member in by a link; everybody reads its first message.
func (g *Group) JoinWith(l invite.Link, admits *Peer) *Peer {
	g.T.Helper()
	p, request := g.Join(l)
	for !g.enter(p, g.Admit(admits, request)) {
		again := p.Take() // of a run another has come by the place drawn: the joiner has drawn the next
		require.Len(g.T, again, 1)
		request = again[0]
	}
	g.Peers = append(g.Peers, p)
	g.Deliver(p.Take(), g.Others(p)...)
	return p
}

// Join opens a link on a device that is none of the group yet, and returns its request.
func (g *Group) Join(l invite.Link) (p *Peer, request []byte) {
	g.T.Helper()
	p = &Peer{Name: fmt.Sprintf("p%d", len(g.Peers)+1)}
	var err error
	p.Space, request, err = ratchet.Join(l, g.Now, []byte(p.Name))
	require.NoError(g.T, err)
	return p, request
}

// Admit lets a member answer a request at once, and returns the frames of the ticket.
func (g *Group) Admit(p *Peer, request []byte) [][]byte {
	g.T.Helper()
	next, ticket, err := ratchet.Admit(p.Space, g.Now, request)
	require.NoError(g.T, err)
	p.Space = next
	return ticket
}

// Enter lets a member enter a ticket. What it sends then is in Sent.
func (g *Group) Enter(p *Peer, ticket [][]byte) {
	g.T.Helper()
	require.True(g.T, g.enter(p, ticket))
}

// enter gives a joiner a ticket, and says whether it is a member then.
func (g *Group) enter(p *Peer, ticket [][]byte) bool {
	g.T.Helper()
	for _, f := range ticket {
		require.NoError(g.T, p.Receive(g, f))
	}
	return ratchet.Info(p.Space).Phase == ratchet.Member
}

// Send encrypts a text of a member.
func (g *Group) Send(p *Peer, text string) [][]byte {
	g.T.Helper()
	next, frames, err := ratchet.Encrypt(p.Space, g.Now, []byte(text))
	require.NoError(g.T, err)
	p.Space = next
	return frames
}

// Deliver gives frames to members, to all by default.
func (g *Group) Deliver(frames [][]byte, to ...*Peer) {
	g.T.Helper()
	if len(to) == 0 {
		to = g.Peers
	}
	for _, f := range frames {
		for _, p := range to {
			_ = p.Receive(g, f) // what became of it is in p
		}
	}
}

// Rounds lets everybody send an empty text in turn, which all others receive.
func (g *Group) Rounds(n int) {
	g.T.Helper()
	for range n {
		for _, p := range g.Peers {
			g.Deliver(g.Send(p, ""), g.Others(p)...)
		}
	}
}

// Others returns all members but some.
func (g *Group) Others(not ...*Peer) (out []*Peer) {
next:
	for _, p := range g.Peers {
		for _, n := range not {
			if p == n {
				continue next
			}
		}
		out = append(out, p)
	}
	return out
}

// RequireConverged requires that all members send in the same epoch, know the same members, and retain nothing.
func (g *Group) RequireConverged() {
	g.T.Helper()
	want := ratchet.Info(g.Peers[0].Space).Authenticator
	require.NotZero(g.T, want)
	for _, p := range g.Peers {
		require.Equal(g.T, want, ratchet.Info(p.Space).Authenticator, p.Name)
		require.Empty(g.T, p.Retained, p.Name)
	}
}

// RequireRead requires that a member read some texts, in any order.
func (g *Group) RequireRead(p *Peer, want ...string) {
	g.T.Helper()
	require.ElementsMatch(g.T, want, p.Read, p.Name)
}

// Stored puts a space through a vault, and reads it back from the store by another.
func Stored(t testing.TB, s ratchet.Space) ratchet.Space {
	t.Helper()
	d := NewDevice(t, "stored", time.Now, s)
	d.Reopen()
	require.True(t, s.Equal(d.Space()), "decode∘encode is not the identity (G1)")
	return d.Space()
}

// Same reports whether two spaces are equal; the zero Space, which nothing can encode, equals itself.
func Same(a, b ratchet.Space) bool {
	return a.ID() == b.ID() && (a.ID() == state.ID{} || a.Equal(b))
}

package ratchet_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/state"
)

// resync gets a member back into step through another one.
func (g *group) resync(p, helper *peer) {
	g.t.Helper()
	next, q, err := ratchet.AskResync(p.space, g.now)
	require.NoError(g.t, err)
	p.space = next
	p.space, err = ratchet.Enter(p.space, g.now, g.admit(helper, q))
	require.NoError(g.t, err)
}

// rounds lets everybody send an empty text in turn.
func (g *group) rounds(n int) {
	g.t.Helper()
	for range n {
		for _, p := range g.peers {
			g.deliver(g.send(p, ""), g.others(p)...)
		}
	}
}

// Scenario 3: a member's state is lost after 20 messages were posted, and restored from before them. Everything it sends
// is delivered, nothing of it is taken for a duplicate, and from the first envelope after its ticket on it reads all.
func TestRestore(t *testing.T) {
	for _, commits := range []bool{false, true} {
		t.Run(fmt.Sprintf("commits=%v", commits), func(t *testing.T) {
			g := newGroup(t, 4, fast)
			lost := g.peers[1]
			g.deliver(g.send(lost, "before"), g.others(lost)...)
			backup := stored(t, lost.space)
			want := []string{"before"}
			for i := range 20 {
				if commits && i%7 == 3 {
					g.now = g.now.Add(60 * time.Hour)
				}
				text := fmt.Sprint("lost ", i)
				want = append(want, text)
				g.deliver(g.send(lost, text), g.others(lost)...)
				g.deliver(g.send(g.peers[2], "meanwhile"), g.peers[0], g.peers[3])
			}
			g.now = g.now.Add(2 * time.Hour)
			var err error
			lost.space, err = ratchet.Restore(backup, g.now)
			require.NoError(t, err)
			require.True(t, ratchet.Due(lost.space, g.now).Fetch)
			require.True(t, ratchet.Due(lost.space, g.now).Send)
			for i := range 20 {
				text := fmt.Sprint("again ", i)
				want = append(want, text)
				g.deliver(g.send(lost, text), g.others(lost)...)
			}
			for _, p := range g.others(lost) {
				require.Empty(t, p.settled, p.name)
				for _, text := range want {
					require.Contains(t, p.read, text, p.name)
				}
			}
			if commits {
				// Others sent on in epochs that its lost commits made.
				e := g.send(g.peers[0], "in a lost epoch")
				g.deliver(e, g.others(g.peers[0])...)
				if len(lost.retained) > 0 {
					require.True(t, ratchet.Due(lost.space, g.now).Ask)
				}
			}
			g.resync(lost, g.peers[3])
			g.deliver(g.send(lost, "back"), g.others(lost)...)
			for _, p := range g.peers {
				p.read, p.settled = nil, nil
			}
			g.now = g.now.Add(time.Hour)
			for i := range 10 {
				for _, p := range g.others(lost) {
					g.deliver(g.send(p, fmt.Sprint(p.name, i)), g.others(p)...)
				}
			}
			require.Len(t, lost.read, 30)
			g.rounds(3)
			lost.retained = nil // of before the ticket
			g.converged()
		})
	}
}

// A restored dealer hands out no share (G5).
func TestRestoredEvals(t *testing.T) {
	g := newGroup(t, 2, fast)
	restored, err := ratchet.Restore(g.peers[0].space, g.now)
	require.NoError(t, err)
	_, _, err = ratchet.NewGrant(restored, g.now, dkg.Private)
	require.ErrorIs(t, err, ratchet.ErrPhase)
}

// Scenario 2: two commits of one member from one parent, in all orders of delivery: both are followed and told, and
// nothing is unread afterwards.
func TestTwoCommitsFromOneParent(t *testing.T) {
	g := newGroup(t, 4, fast)
	forked := g.peers[1]
	g.now = g.now.Add(60 * time.Hour)
	twin := &peer{name: "twin", space: forked.space}
	a, b := g.send(forked, "a"), g.send(twin, "b")
	orders := [][][]byte{{a, b}, {b, a}, {b, a}}
	for i, p := range g.others(forked) {
		for _, e := range orders[i] {
			g.deliver(e, p)
		}
		g.read(p, "a", "b")
		require.Contains(t, p.events, state.Event(ratchet.Conflict{Index: 2}))
	}
	id := ratchet.Info(g.peers[0].space).Epoch
	for _, p := range g.others(forked) {
		got := ratchet.Info(p.space).Epoch
		require.Equal(t, id, got, p.name)
	}
	for _, p := range g.peers {
		p.read = nil
	}
	for i := range 50 {
		from := g.others(forked)[i%3]
		g.deliver(g.send(from, fmt.Sprint(i)), g.others(from, forked)...)
	}
	for i, p := range g.others(forked) {
		require.Len(t, p.read, 50-(50-i+2)/3, p.name)
		require.Empty(t, p.retained)
	}
}

// A commit of one's own index that one does not hold cannot be followed (§4): the member tells, keeps the message, and
// asks for a ticket. Its messages are not lost for the others.
func TestOwnIndexConflict(t *testing.T) {
	g := newGroup(t, 3, fast)
	victim := g.peers[1]
	before := victim.space
	g.now = g.now.Add(60 * time.Hour)
	g.deliver(g.send(victim, "commits and forgets"), g.others(victim)...)
	victim.space = before
	e := g.send(g.peers[0], "in that epoch")
	g.deliver(e, victim)
	require.Len(t, victim.retained, 1)
	require.Contains(t, victim.events, state.Event(ratchet.Conflict{Index: 2, Own: true}))
	require.True(t, ratchet.Due(victim.space, g.now).Ask)
	g.resync(victim, g.peers[2])
	require.False(t, ratchet.Due(victim.space, g.now).Ask)
	g.deliver(g.send(victim, "back"), g.others(victim)...)
	g.deliver(g.send(g.peers[0], "welcome"), g.others(g.peers[0])...)
	require.Contains(t, victim.read, "welcome")
	require.Contains(t, g.peers[2].read, "back")
	victim.retained = nil
	g.converged()
	_, _, err := ratchet.AskResync(victim.space, g.now)
	require.ErrorIs(t, err, ratchet.ErrTooSoon)
}

// A message of one's own that one does not know of, with a number not used yet: one's own state was lost. It is read, the
// counter goes past it, and the next send commits.
func TestOwnMessageFromLostState(t *testing.T) {
	g := newGroup(t, 3, fast)
	p := g.peers[1]
	before := p.space
	e := g.send(p, "lost")
	p.space = before
	g.deliver(e, p)
	g.read(p, "lost")
	require.Contains(t, p.events, state.Event(ratchet.Conflict{Index: 2, Own: true}))
	require.True(t, ratchet.Due(p.space, g.now).Send)
	g.deliver(e, g.others(p)...)
	g.deliver(g.send(p, "next"), g.others(p)...)
	g.read(g.peers[0], "lost", "next")
	g.deliver(e, p)
	require.ErrorIs(t, p.settled[0], outcome.ErrOwn)
}

// Scenario 6: a ticket from either of two concurrent siblings, to a joiner that is silent for 200 messages: it reads all
// that is sent after its first envelope arrived.
func TestTicketFromSiblings(t *testing.T) {
	for from := range 2 {
		t.Run(fmt.Sprint(from), func(t *testing.T) {
			g := newGroup(t, 4, fast)
			g.now = g.now.Add(60 * time.Hour)
			a, b := g.peers[0], g.peers[1]
			ea, eb := g.send(a, "a"), g.send(b, "b") // siblings
			grant := g.grant()
			joiner := &peer{name: "joiner"}
			s, q, err := ratchet.Join(grant, g.now, nil)
			require.NoError(t, err)
			joiner.space = s
			ticket := g.admit([]*peer{a, b}[from], q)
			g.deliver(ea, g.others(a)...)
			g.deliver(eb, g.others(b)...)
			joiner.space, err = ratchet.Enter(joiner.space, g.now, ticket)
			require.NoError(t, err)
			for i := range 200 {
				p := g.peers[i%4]
				g.deliver(g.send(p, "unheard"), g.others(p)...)
			}
			first := g.send(joiner, "here I am")
			g.deliver(first)
			for _, p := range g.peers {
				require.Contains(t, p.read, "here I am")
				require.Empty(t, p.retained)
			}
			g.peers = append(g.peers, joiner)
			joiner.read = nil
			for i := range 20 {
				p := g.peers[i%4]
				g.deliver(g.send(p, fmt.Sprint(i)), g.others(p)...)
			}
			// If the others prefer a sibling of its commit, that one comes with every eighth message of each of them (§7).
			g.rounds(8)
			require.Len(t, joiner.read, 20)
			g.converged()
		})
	}
}

// A member that missed many epochs catches up by the path that others put into their next messages (§7).
func TestCatchingUp(t *testing.T) {
	g := newGroup(t, 4, fast)
	late := g.peers[3]
	for i := range 12 { // twelve epochs, each of one message, none of which arrives
		g.now = g.now.Add(60 * time.Hour)
		g.deliver(g.send(g.peers[i%3], "missed"), g.others(g.peers[i%3], late)...)
	}
	g.deliver(g.send(g.peers[0], "unreadable yet"), g.others(g.peers[0])...)
	require.Len(t, late.retained, 1)
	g.now = g.now.Add(time.Hour)
	require.True(t, ratchet.Due(late.space, g.now).Send)
	g.deliver(g.send(late, ""), g.others(late)...)
	g.deliver(g.send(g.peers[1], "with the path"), g.others(g.peers[1])...)
	g.read(late, "unreadable yet", "with the path")
	g.rounds(2)
	g.converged()
}

// Counters that others hold go on above those of the state that was lost: a restored member gets its ticket at the first
// request, and owners box to its new inbox key (§8, §10).
func TestRestoredCounters(t *testing.T) {
	g := newGroup(t, 3, fast)
	v, helper := g.peers[2], g.peers[1]
	backup := v.space
	for range 4 {
		g.now = g.now.Add(8 * 24 * time.Hour)
		for _, p := range []*peer{g.peers[0], helper} {
			p.space = ratchet.Committing(p.space)
			g.deliver(g.send(p, ""), g.peers[0], helper)
		}
		g.resync(v, helper)
		g.deliver(g.send(v, ""), g.others(v)...)
	}
	before := ratchet.InboxCounters(g.peers[0].space)[2]
	g.now = g.now.Add(2 * time.Hour)
	var err error
	v.space, err = ratchet.Restore(backup, g.now)
	require.NoError(t, err)
	v.space = stored(t, v.space)
	g.resync(v, helper)
	g.deliver(g.send(v, ""), g.others(v)...)
	for _, p := range g.others(v) {
		got := ratchet.InboxCounters(p.space)[2]
		require.Greater(t, got, before, "owners box to a key that is lost")
		require.Equal(t, ratchet.InboxCounters(v.space)[2], got)
	}
}

// The same if the state that was lost is a day old and no ticket is needed.
func TestRestoredInboxKey(t *testing.T) {
	g := newGroup(t, 3, fast)
	v := g.peers[2]
	g.rounds(1)
	g.now = g.now.Add(2 * time.Hour)
	backup := v.space
	for _, p := range g.peers[:2] {
		p.space = ratchet.Committing(p.space)
		g.deliver(g.send(p, ""), g.peers[0], g.peers[1])
	}
	g.resync(v, g.peers[1])
	g.deliver(g.send(v, "with a fresh key"), g.others(v)...)
	before := ratchet.InboxCounters(g.peers[0].space)[2]
	var err error
	v.space, err = ratchet.Restore(backup, g.now)
	require.NoError(t, err)
	g.deliver(g.send(v, ""), g.others(v)...)
	require.Greater(t, ratchet.InboxCounters(g.peers[0].space)[2], before)
	require.Equal(t, ratchet.InboxCounters(v.space)[2], ratchet.InboxCounters(g.peers[0].space)[2])
}

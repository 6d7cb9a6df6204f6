package ratchet_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/ratchettest"
	"github.com/trefoil-im/trefoil/state"
)

// resync gets a member back into step through another one.
func resync(g *ratchettest.Group, p, helper *ratchettest.Peer) {
	g.T.Helper()
	next, q, err := ratchet.AskResync(p.Space, g.Now)
	require.NoError(g.T, err)
	p.Space = next
	p.Space, err = ratchet.Enter(p.Space, g.Now, g.Admit(helper, q))
	require.NoError(g.T, err)
}

// Scenario 3: a member's state is lost after 20 messages were posted, and restored from before them. Everything it sends
// is delivered, nothing of it is taken for a duplicate, and from the first envelope after its ticket on it reads all.
func TestRestore(t *testing.T) {
	for _, commits := range []bool{false, true} {
		t.Run(fmt.Sprintf("commits=%v", commits), func(t *testing.T) {
			g := ratchettest.NewGroup(t, 4, ratchettest.Small)
			lost := g.Peers[1]
			g.Deliver(g.Send(lost, "before"), g.Others(lost)...)
			backup := ratchettest.Stored(t, lost.Space)
			want := []string{"before"}
			for i := range 20 {
				if commits && i%7 == 3 {
					g.Now = g.Now.Add(60 * time.Hour)
				}
				text := fmt.Sprint("lost ", i)
				want = append(want, text)
				g.Deliver(g.Send(lost, text), g.Others(lost)...)
				g.Deliver(g.Send(g.Peers[2], "meanwhile"), g.Peers[0], g.Peers[3])
			}
			g.Now = g.Now.Add(2 * time.Hour)
			var err error
			lost.Space, err = ratchet.Restore(backup, g.Now)
			require.NoError(t, err)
			require.True(t, ratchet.Due(lost.Space, g.Now).Fetch)
			require.True(t, ratchet.Due(lost.Space, g.Now).Send)
			for i := range 20 {
				text := fmt.Sprint("again ", i)
				want = append(want, text)
				g.Deliver(g.Send(lost, text), g.Others(lost)...)
			}
			for _, p := range g.Others(lost) {
				require.Empty(t, p.Discarded, p.Name)
				for _, text := range want {
					require.Contains(t, p.Read, text, p.Name)
				}
			}
			if commits {
				// Others sent on in epochs that its lost commits made.
				e := g.Send(g.Peers[0], "in a lost epoch")
				g.Deliver(e, g.Others(g.Peers[0])...)
				if len(lost.Retained) > 0 {
					require.True(t, ratchet.Due(lost.Space, g.Now).Ask)
				}
			}
			resync(g, lost, g.Peers[3])
			g.Deliver(g.Send(lost, "back"), g.Others(lost)...)
			for _, p := range g.Peers {
				p.Read, p.Discarded = nil, nil
			}
			g.Now = g.Now.Add(time.Hour)
			for i := range 10 {
				for _, p := range g.Others(lost) {
					g.Deliver(g.Send(p, fmt.Sprint(p.Name, i)), g.Others(p)...)
				}
			}
			require.Len(t, lost.Read, 30)
			g.Rounds(3)
			lost.Retained = nil // of before the ticket
			g.RequireConverged()
		})
	}
}

// A restored dealer hands out no share (G5).
func TestRestoredEvals(t *testing.T) {
	g := ratchettest.NewGroup(t, 2, ratchettest.Small)
	restored, err := ratchet.Restore(g.Peers[0].Space, g.Now)
	require.NoError(t, err)
	_, _, err = ratchet.NewGrant(restored, g.Now, dkg.Private)
	require.ErrorIs(t, err, ratchet.ErrPhase)
}

// Scenario 2: two commits of one member from one parent, in all orders of delivery: both are followed and told, and
// nothing is unread afterwards.
func TestTwoCommitsFromOneParent(t *testing.T) {
	g := ratchettest.NewGroup(t, 4, ratchettest.Small)
	forked := g.Peers[1]
	g.Now = g.Now.Add(60 * time.Hour)
	twin := &ratchettest.Peer{Name: "twin", Space: forked.Space}
	a, b := g.Send(forked, "a"), g.Send(twin, "b")
	orders := [][][]byte{{a, b}, {b, a}, {b, a}}
	for i, p := range g.Others(forked) {
		for _, e := range orders[i] {
			g.Deliver(e, p)
		}
		g.RequireRead(p, "a", "b")
		require.Contains(t, p.Events, state.Event(ratchet.Conflict{Index: 2}))
	}
	id := ratchet.Info(g.Peers[0].Space).Epoch
	for _, p := range g.Others(forked) {
		got := ratchet.Info(p.Space).Epoch
		require.Equal(t, id, got, p.Name)
	}
	for _, p := range g.Peers {
		p.Read = nil
	}
	for i := range 50 {
		from := g.Others(forked)[i%3]
		g.Deliver(g.Send(from, fmt.Sprint(i)), g.Others(from, forked)...)
	}
	for i, p := range g.Others(forked) {
		require.Len(t, p.Read, 50-(50-i+2)/3, p.Name)
		require.Empty(t, p.Retained)
	}
}

// A commit of one's own index that one does not hold cannot be followed (§4): the member tells, keeps the message, and
// asks for a ticket. Its messages are not lost for the others.
func TestOwnIndexConflict(t *testing.T) {
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	victim := g.Peers[1]
	before := victim.Space
	g.Now = g.Now.Add(60 * time.Hour)
	g.Deliver(g.Send(victim, "commits and forgets"), g.Others(victim)...)
	victim.Space = before
	e := g.Send(g.Peers[0], "in that epoch")
	g.Deliver(e, victim)
	require.Len(t, victim.Retained, 1)
	require.Contains(t, victim.Events, state.Event(ratchet.Conflict{Index: 2, Own: true}))
	require.True(t, ratchet.Due(victim.Space, g.Now).Ask)
	resync(g, victim, g.Peers[2])
	require.False(t, ratchet.Due(victim.Space, g.Now).Ask)
	g.Deliver(g.Send(victim, "back"), g.Others(victim)...)
	g.Deliver(g.Send(g.Peers[0], "welcome"), g.Others(g.Peers[0])...)
	require.Contains(t, victim.Read, "welcome")
	require.Contains(t, g.Peers[2].Read, "back")
	victim.Retained = nil
	g.RequireConverged()
	_, _, err := ratchet.AskResync(victim.Space, g.Now)
	require.ErrorIs(t, err, ratchet.ErrTooSoon)
}

// A message of one's own that one does not know of, with a number not used yet: one's own state was lost. It is read, the
// counter goes past it, and the next send commits.
func TestOwnMessageFromLostState(t *testing.T) {
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	p := g.Peers[1]
	before := p.Space
	e := g.Send(p, "lost")
	p.Space = before
	g.Deliver(e, p)
	g.RequireRead(p, "lost")
	require.Contains(t, p.Events, state.Event(ratchet.Conflict{Index: 2, Own: true}))
	require.True(t, ratchet.Due(p.Space, g.Now).Send)
	g.Deliver(e, g.Others(p)...)
	g.Deliver(g.Send(p, "next"), g.Others(p)...)
	g.RequireRead(g.Peers[0], "lost", "next")
	g.Deliver(e, p)
	require.ErrorIs(t, p.Discarded[0], outcome.ErrOwn)
}

// Scenario 6: a ticket from either of two concurrent siblings, to a joiner that is silent for 200 messages: it reads all
// that is sent after its first envelope arrived.
func TestTicketFromSiblings(t *testing.T) {
	for from := range 2 {
		t.Run(fmt.Sprint(from), func(t *testing.T) {
			g := ratchettest.NewGroup(t, 4, ratchettest.Small)
			g.Now = g.Now.Add(60 * time.Hour)
			a, b := g.Peers[0], g.Peers[1]
			ea, eb := g.Send(a, "a"), g.Send(b, "b") // siblings
			grant := g.Grant()
			joiner := &ratchettest.Peer{Name: "joiner"}
			s, q, err := ratchet.Join(grant, g.Now, nil)
			require.NoError(t, err)
			joiner.Space = s
			ticket := g.Admit([]*ratchettest.Peer{a, b}[from], q)
			g.Deliver(ea, g.Others(a)...)
			g.Deliver(eb, g.Others(b)...)
			joiner.Space, err = ratchet.Enter(joiner.Space, g.Now, ticket)
			require.NoError(t, err)
			for i := range 200 {
				p := g.Peers[i%4]
				g.Deliver(g.Send(p, "unheard"), g.Others(p)...)
			}
			first := g.Send(joiner, "here I am")
			g.Deliver(first)
			for _, p := range g.Peers {
				require.Contains(t, p.Read, "here I am")
				require.Empty(t, p.Retained)
			}
			g.Peers = append(g.Peers, joiner)
			joiner.Read = nil
			for i := range 20 {
				p := g.Peers[i%4]
				g.Deliver(g.Send(p, fmt.Sprint(i)), g.Others(p)...)
			}
			// If the others prefer a sibling of its commit, that one comes with every eighth message of each of them (§7).
			g.Rounds(8)
			require.Len(t, joiner.Read, 20)
			g.RequireConverged()
		})
	}
}

// A member that missed many epochs catches up by the path that others put into their next messages (§7).
func TestCatchingUp(t *testing.T) {
	g := ratchettest.NewGroup(t, 4, ratchettest.Small)
	late := g.Peers[3]
	for i := range 12 { // twelve epochs, each of one message, none of which arrives
		g.Now = g.Now.Add(60 * time.Hour)
		g.Deliver(g.Send(g.Peers[i%3], "missed"), g.Others(g.Peers[i%3], late)...)
	}
	g.Deliver(g.Send(g.Peers[0], "unreadable yet"), g.Others(g.Peers[0])...)
	require.Len(t, late.Retained, 1)
	g.Now = g.Now.Add(time.Hour)
	require.True(t, ratchet.Due(late.Space, g.Now).Send)
	g.Deliver(g.Send(late, ""), g.Others(late)...)
	g.Deliver(g.Send(g.Peers[1], "with the path"), g.Others(g.Peers[1])...)
	g.RequireRead(late, "unreadable yet", "with the path")
	g.Rounds(2)
	g.RequireConverged()
}

// Counters that others hold go on above those of the state that was lost: a restored member gets its ticket at the first
// request, and owners box to its new inbox key (§8, §10).
func TestRestoredCounters(t *testing.T) {
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	v, helper := g.Peers[2], g.Peers[1]
	backup := v.Space
	for range 4 {
		g.Now = g.Now.Add(8 * 24 * time.Hour)
		for _, p := range []*ratchettest.Peer{g.Peers[0], helper} {
			p.Space = ratchet.Committing(p.Space)
			g.Deliver(g.Send(p, ""), g.Peers[0], helper)
		}
		resync(g, v, helper)
		g.Deliver(g.Send(v, ""), g.Others(v)...)
	}
	before := ratchet.InboxCounters(g.Peers[0].Space)[2]
	g.Now = g.Now.Add(2 * time.Hour)
	var err error
	v.Space, err = ratchet.Restore(backup, g.Now)
	require.NoError(t, err)
	v.Space = ratchettest.Stored(t, v.Space)
	resync(g, v, helper)
	g.Deliver(g.Send(v, ""), g.Others(v)...)
	for _, p := range g.Others(v) {
		got := ratchet.InboxCounters(p.Space)[2]
		require.Greater(t, got, before, "owners box to a key that is lost")
		require.Equal(t, ratchet.InboxCounters(v.Space)[2], got)
	}
}

// The same if the state that was lost is a day old and no ticket is needed.
func TestRestoredInboxKey(t *testing.T) {
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	v := g.Peers[2]
	g.Rounds(1)
	g.Now = g.Now.Add(2 * time.Hour)
	backup := v.Space
	for _, p := range g.Peers[:2] {
		p.Space = ratchet.Committing(p.Space)
		g.Deliver(g.Send(p, ""), g.Peers[0], g.Peers[1])
	}
	resync(g, v, g.Peers[1])
	g.Deliver(g.Send(v, "with a fresh key"), g.Others(v)...)
	before := ratchet.InboxCounters(g.Peers[0].Space)[2]
	var err error
	v.Space, err = ratchet.Restore(backup, g.Now)
	require.NoError(t, err)
	g.Deliver(g.Send(v, ""), g.Others(v)...)
	require.Greater(t, ratchet.InboxCounters(g.Peers[0].Space)[2], before)
	require.Equal(t, ratchet.InboxCounters(v.Space)[2], ratchet.InboxCounters(g.Peers[0].Space)[2])
}

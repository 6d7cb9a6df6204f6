package ratchet_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/ratchettest"
)

// Scenario 10: an insider makes 70 commits in a row, each in a message of its own that nobody answers. Late messages of
// honest members from before, and their new ones, are still read.
func TestManyCommitsOfOneInsider(t *testing.T) {
	g := ratchettest.NewGroup(t, 4, ratchettest.Small)
	insider, late := g.Peers[3], g.Send(g.Peers[1], "late")
	for range 70 {
		g.Now = g.Now.Add(time.Minute)
		insider.Space = ratchet.Committing(insider.Space)
		g.Deliver(g.Send(insider, "commit"), g.Others(insider)...)
	}
	g.Deliver(late, g.Others(g.Peers[1])...)
	for _, p := range g.Others(g.Peers[1]) {
		require.Contains(t, p.Read, "late", p.Name)
	}
	g.Rounds(2)
	g.RequireConverged()
}

// One sender's messages may bring at most 8 children of one parent (§6); what others send is not touched by it.
func TestChildrenOfOneParent(t *testing.T) {
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	insider, reader := g.Peers[2], g.Peers[0]
	start := ratchet.Committing(insider.Space)
	for i := range 10 {
		twin := &ratchettest.Peer{Name: "twin", Space: start}
		g.Deliver(g.Send(twin, fmt.Sprint(i)), reader)
	}
	require.Len(t, reader.Read, 8)
	require.Len(t, reader.Discarded, 2)
	for _, err := range reader.Discarded {
		require.ErrorIs(t, err, outcome.ErrLimit)
	}
	other := &ratchettest.Peer{Name: "other", Space: ratchet.Committing(g.Peers[1].Space)}
	g.Deliver(g.Send(other, "from the same parent"), reader)
	require.Contains(t, reader.Read, "from the same parent")
}

// A mailbox that floods a member with messages that nothing opens pushes out its own commits only, and costs no more than
// the bounds say (G25).
func TestFloodOfCommits(t *testing.T) {
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	victim, lagging := g.Peers[0], g.Peers[2]
	// A message two epochs on, and, from another mailbox, the commit that leads there.
	behind := victim.Space
	lagging.Space = ratchet.Committing(lagging.Space)
	e1 := g.Send(lagging, "brings one")
	lagging.Space = ratchet.Committing(lagging.Space)
	g.Send(lagging, "lost")
	for range 9 {
		g.Send(lagging, "lost too")
	}
	e2 := g.Send(lagging, "deep") // carries nothing
	space, err := ratchet.Hold(behind, g.Now, "honest", e2)
	require.NoError(t, err)
	other := ratchettest.NewGroup(t, 2, ratchettest.Small)
	for range 600 {
		other.Peers[0].Space = ratchet.Committing(other.Peers[0].Space)
		space, err = ratchet.Hold(space, g.Now, "flood", other.Send(other.Peers[0], "noise"))
		require.NoError(t, err)
	}
	headers, commits := ratchet.Held(space)
	require.Equal(t, 601, headers)
	require.LessOrEqual(t, commits, 512+2)
	victim.Space = space
	g.Deliver(e1, victim)
	g.RequireRead(victim, "brings one")
}

// The number of epochs is bounded: who brought most of them loses its oldest, others lose none, and the preferred one and
// its nearest ancestors stay.
func TestEpochQuota(t *testing.T) {
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	honest, insider, reader := g.Peers[1], g.Peers[2], g.Peers[0]
	honest.Space = ratchet.Committing(honest.Space)
	g.Deliver(g.Send(honest, "commits"), reader, insider)
	late := g.Send(honest, "late")
	for range 30 {
		insider.Space = ratchet.Committing(insider.Space)
		g.Deliver(g.Send(insider, "x"), reader)
	}
	id := ratchet.Info(reader.Space).Epoch
	reader.Space = ratchettest.Stored(t, ratchet.Evict(reader.Space, 9))
	require.Equal(t, 9, ratchet.Epochs(reader.Space))
	got := ratchet.Info(reader.Space).Epoch
	require.Equal(t, id, got)
	g.Deliver(late, reader)
	require.Contains(t, reader.Read, "late")
	g.Deliver(g.Send(insider, "last"), reader)
	require.Contains(t, reader.Read, "last")
	require.Equal(t, 5, ratchet.Epochs(ratchet.Evict(reader.Space, 0)), "the preferred one and 4 ancestors")
}

package ratchet_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
)

// Scenario 10: an insider makes 70 commits in a row, each in a message of its own that nobody answers. Late messages of
// honest members from before, and their new ones, are still read.
func TestManyCommitsOfOneInsider(t *testing.T) {
	g := newGroup(t, 4, fast)
	insider, late := g.peers[3], g.send(g.peers[1], "late")
	for range 70 {
		g.now = g.now.Add(time.Minute)
		insider.space = ratchet.Committing(insider.space)
		g.deliver(g.send(insider, "commit"), g.others(insider)...)
	}
	g.deliver(late, g.others(g.peers[1])...)
	for _, p := range g.others(g.peers[1]) {
		require.Contains(t, p.read, "late", p.name)
	}
	g.rounds(2)
	g.converged()
}

// One sender's messages may bring at most 8 children of one parent (§6); what others send is not touched by it.
func TestChildrenOfOneParent(t *testing.T) {
	g := newGroup(t, 3, fast)
	insider, reader := g.peers[2], g.peers[0]
	start := ratchet.Committing(insider.space)
	for i := range 10 {
		twin := &peer{name: "twin", space: start}
		g.deliver(g.send(twin, fmt.Sprint(i)), reader)
	}
	require.Len(t, reader.read, 8)
	require.Len(t, reader.settled, 2)
	for _, err := range reader.settled {
		require.ErrorIs(t, err, outcome.ErrLimit)
	}
	other := &peer{name: "other", space: ratchet.Committing(g.peers[1].space)}
	g.deliver(g.send(other, "from the same parent"), reader)
	require.Contains(t, reader.read, "from the same parent")
}

// A mailbox that floods a member with messages that nothing opens pushes out its own commits only, and costs no more than
// the bounds say (G25).
func TestFloodOfCommits(t *testing.T) {
	g := newGroup(t, 3, fast)
	victim, lagging := g.peers[0], g.peers[2]
	// A message two epochs on, and, from another mailbox, the commit that leads there.
	behind := victim.space
	lagging.space = ratchet.Committing(lagging.space)
	e1 := g.send(lagging, "brings one")
	lagging.space = ratchet.Committing(lagging.space)
	g.send(lagging, "lost")
	for range 9 {
		g.send(lagging, "lost too")
	}
	e2 := g.send(lagging, "deep") // carries nothing
	space, err := ratchet.Hold(behind, g.now, "honest", e2)
	require.NoError(t, err)
	other := newGroup(t, 2, fast)
	for range 600 {
		other.peers[0].space = ratchet.Committing(other.peers[0].space)
		space, err = ratchet.Hold(space, g.now, "flood", other.send(other.peers[0], "noise"))
		require.NoError(t, err)
	}
	headers, commits := ratchet.Held(space)
	require.Equal(t, 601, headers)
	require.LessOrEqual(t, commits, 512+2)
	victim.space = space
	g.deliver(e1, victim)
	g.read(victim, "brings one")
}

// The number of epochs is bounded: who brought most of them loses its oldest, others lose none, and the preferred one and
// its nearest ancestors stay.
func TestEpochQuota(t *testing.T) {
	g := newGroup(t, 3, fast)
	honest, insider, reader := g.peers[1], g.peers[2], g.peers[0]
	honest.space = ratchet.Committing(honest.space)
	g.deliver(g.send(honest, "commits"), reader, insider)
	late := g.send(honest, "late")
	for range 30 {
		insider.space = ratchet.Committing(insider.space)
		g.deliver(g.send(insider, "x"), reader)
	}
	id := ratchet.Info(reader.space).Epoch
	reader.space = stored(t, ratchet.Evict(reader.space, 9))
	require.Equal(t, 9, ratchet.Epochs(reader.space))
	got := ratchet.Info(reader.space).Epoch
	require.Equal(t, id, got)
	g.deliver(late, reader)
	require.Contains(t, reader.read, "late")
	g.deliver(g.send(insider, "last"), reader)
	require.Contains(t, reader.read, "last")
	require.Equal(t, 5, ratchet.Epochs(ratchet.Evict(reader.space, 0)), "the preferred one and 4 ancestors")
}

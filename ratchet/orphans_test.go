package ratchet_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/ratchettest"
)

// What is kept of retained messages survives the store, and opens them and others when the missing piece arrives, whatever
// message it comes with (§7).
func TestHeldSurvivesTheStore(t *testing.T) {
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	sender, reader := g.Peers[1], g.Peers[0]
	var first [][]byte // of each of six epochs
	for range 6 {
		sender.Space = ratchet.Committing(sender.Space)
		first = append(first, g.Send(sender, "epoch"))
	}
	g.Deliver(first[5], reader)
	require.Len(t, reader.Retained, 1)
	headers, commits := ratchet.Held(reader.Space)
	require.Equal(t, 1, headers)
	require.Equal(t, 4, commits, "its own and those of 3 ancestors, none of which opens here")
	reader.Space = ratchettest.Stored(t, reader.Space)
	g.Deliver(first[2], reader)
	require.Empty(t, reader.Retained)
	require.Len(t, reader.Read, 2)
	headers, commits = ratchet.Held(reader.Space)
	require.Zero(t, headers)
	require.Zero(t, commits)
	g.Deliver(first[3], reader)
	g.Deliver(first[1], reader)
	require.Len(t, reader.Read, 4)
}

// A commit that is known from a message that nothing opens is followed for one that carries none, and is followed once,
// however often what is retained is tried again.
func TestHeldCommitOpensAnother(t *testing.T) {
	g, elsewhere := ratchettest.NewGroup(t, 3, ratchettest.Small), ratchettest.NewGroup(t, 2, ratchettest.Small)
	sender, reader := g.Peers[1], g.Peers[0]
	sender.Space = ratchet.Committing(sender.Space)
	brings := g.Send(sender, "lost")
	for range 4 {
		g.Send(sender, "lost")
	}
	bare := g.Send(sender, "carries nothing")
	require.Zero(t, bare[1])

	// The commits of a lost message in front of one of another space: all that a relay let through of both.
	const one = 234
	foreign := elsewhere.Send(elsewhere.Peers[0], "foreign")
	spliced := []byte{brings[0], brings[1]}
	spliced = append(spliced, brings[2:2+one*int(brings[1])]...)
	spliced = append(spliced, foreign[2+one*int(foreign[1]):]...)
	g.Deliver(slices.Clone(spliced), reader)
	require.Len(t, reader.Retained, 1)
	_, commits := ratchet.Held(reader.Space)
	require.Equal(t, 1, commits, "the ancestors' are held as epochs")
	require.Empty(t, reader.Read)
	for range 3 {
		_, _, err := ratchet.Decrypt(reader.Space, g.Now, spliced)
		require.ErrorIs(t, err, outcome.ErrUnknownEpoch)
	}

	again := *reader
	again.Space = ratchettest.Stored(t, reader.Space)
	for _, p := range []*ratchettest.Peer{reader, &again} {
		g.Deliver(bare, p)
		g.RequireRead(p, "carries nothing")
		_, commits := ratchet.Held(p.Space)
		require.Zero(t, commits)
	}
}

// Holding a message twice is holding it once, and releasing it forgets it.
func TestReleaseForgets(t *testing.T) {
	g, elsewhere := ratchettest.NewGroup(t, 2, ratchettest.Small), ratchettest.NewGroup(t, 2, ratchettest.Small)
	p := g.Peers[0]
	e := elsewhere.Send(elsewhere.Peers[0], "foreign")
	held, err := ratchet.Hold(p.Space, g.Now, "mailbox", e)
	require.NoError(t, err)
	twice, err := ratchet.Hold(held, g.Now, "mailbox", e)
	require.NoError(t, err)
	require.True(t, held.Equal(twice))
	released, err := ratchet.Release(held, e)
	require.NoError(t, err)
	headers, _ := ratchet.Held(released)
	require.Zero(t, headers)
}

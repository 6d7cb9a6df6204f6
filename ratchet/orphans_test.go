package ratchet_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
)

// What is kept of retained messages survives the store, and opens them and others when the missing piece arrives, whatever
// message it comes with (§7).
func TestHeldSurvivesTheStore(t *testing.T) {
	g := newGroup(t, 3, fast)
	sender, reader := g.peers[1], g.peers[0]
	var first [][]byte // of each of six epochs
	for range 6 {
		sender.space = ratchet.Committing(sender.space)
		first = append(first, g.send(sender, "epoch"))
	}
	g.deliver(first[5], reader)
	require.Len(t, reader.retained, 1)
	headers, commits := ratchet.Held(reader.space)
	require.Equal(t, 1, headers)
	require.Equal(t, 4, commits, "its own and those of 3 ancestors, none of which opens here")
	reader.space = stored(t, reader.space)
	g.deliver(first[2], reader)
	require.Empty(t, reader.retained)
	require.Len(t, reader.read, 2)
	headers, commits = ratchet.Held(reader.space)
	require.Zero(t, headers)
	require.Zero(t, commits)
	g.deliver(first[3], reader)
	g.deliver(first[1], reader)
	require.Len(t, reader.read, 4)
}

// A commit that is known from a message that nothing opens is followed for one that carries none, and is followed once,
// however often what is retained is tried again.
func TestHeldCommitOpensAnother(t *testing.T) {
	g, elsewhere := newGroup(t, 3, fast), newGroup(t, 2, fast)
	sender, reader := g.peers[1], g.peers[0]
	sender.space = ratchet.Committing(sender.space)
	brings := g.send(sender, "lost")
	for range 4 {
		g.send(sender, "lost")
	}
	bare := g.send(sender, "carries nothing")
	require.Zero(t, bare[1])

	// The commits of a lost message in front of one of another space: all that a relay let through of both.
	const one = 234
	foreign := elsewhere.send(elsewhere.peers[0], "foreign")
	spliced := []byte{brings[0], brings[1]}
	spliced = append(spliced, brings[2:2+one*int(brings[1])]...)
	spliced = append(spliced, foreign[2+one*int(foreign[1]):]...)
	g.deliver(slices.Clone(spliced), reader)
	require.Len(t, reader.retained, 1)
	_, commits := ratchet.Held(reader.space)
	require.Equal(t, 1, commits, "the ancestors' are held as epochs")
	require.Empty(t, reader.read)
	for range 3 {
		_, _, err := ratchet.Decrypt(reader.space, g.now, spliced)
		require.ErrorIs(t, err, outcome.ErrUnknownEpoch)
	}

	again := *reader
	again.space = stored(t, reader.space)
	for _, p := range []*peer{reader, &again} {
		g.deliver(bare, p)
		g.read(p, "carries nothing")
		_, commits := ratchet.Held(p.space)
		require.Zero(t, commits)
	}
}

// Holding a message twice is holding it once, and releasing it forgets it.
func TestReleaseForgets(t *testing.T) {
	g, elsewhere := newGroup(t, 2, fast), newGroup(t, 2, fast)
	p := g.peers[0]
	e := elsewhere.send(elsewhere.peers[0], "foreign")
	held, err := ratchet.Hold(p.space, g.now, "mailbox", e)
	require.NoError(t, err)
	twice, err := ratchet.Hold(held, g.now, "mailbox", e)
	require.NoError(t, err)
	require.True(t, held.Equal(twice))
	released, err := ratchet.Release(held, e)
	require.NoError(t, err)
	headers, _ := ratchet.Held(released)
	require.Zero(t, headers)
}

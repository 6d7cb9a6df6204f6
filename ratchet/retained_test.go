package ratchet_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/internal/prototest"
	"github.com/trefoil-im/trefoil/ratchet/ratchettest"
	"github.com/trefoil-im/trefoil/state"
)

// Whatever is retained, a frame that opens nothing is tried once and makes nothing else be tried, with random commits as
// with true ones; and an honest backlog among it is read when what is missing arrives (G12, G25).
func TestWorkOfAFrameDoesNotGrowWithWhatIsRetained(t *testing.T) {
	t.Parallel()
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	honest, insider := g.Peers[1], g.Peers[2]
	r := ratchettest.NewDevices(t)
	d := r.Add("victim", g.Peers[0].Space)
	// The backlog: two epochs, the first of which comes last.
	honest.Space = ratchet.Committing(honest.Space)
	first := g.Send(honest, "first")
	for range 4 {
		g.Send(honest, "")
	}
	late := [][]byte{g.Send(honest, "late 1"), g.Send(honest, "late 2")}
	for _, e := range late {
		require.Equal(t, state.Retain, d.Receive("honest", e).Verdict)
	}
	for i := range 12 {
		for source, e := range map[string][]byte{
			"": prototest.Garbage(g.Rng, 255), "insider": ratchet.Flood(g.Rng, insider.Space, 60, i%2 == 0),
		} {
			d.Tries = 0
			require.Equal(t, state.Retain, d.Receive(source, e).Verdict)
			require.Equal(t, 1, d.Tries)
		}
	}
	d.Tries = 0
	receipt := d.Receive("honest", first)
	require.Equal(t, state.Read, receipt.Verdict)
	require.Len(t, receipt.Acknowledge, 2)
	require.LessOrEqual(t, d.Tries, 1+2*(2+24), "all that is retained, until nothing more is learned")
}

// A commit is followed when it is opened and never again: not for the message that brought it, nor for others (G25).
func TestCommitsAreFollowedOnce(t *testing.T) {
	t.Parallel()
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	victim, insider := g.Peers[0].Space, g.Peers[2].Space
	for _, chain := range []bool{false, true} {
		for range 2 {
			e := ratchet.Flood(g.Rng, insider, 100, chain)
			try, hold := ratchet.Follows(victim, e)
			require.Equal(t, 100, try)
			require.Equal(t, 100, hold)
			var err error
			victim, err = ratchet.Hold(victim, g.Now, "mailbox", e)
			require.NoError(t, err)
			try, hold = ratchet.Follows(ratchettest.Stored(t, victim), e)
			require.Zero(t, try)
			require.Zero(t, hold)
			try, hold = ratchet.Follows(victim, prototest.Garbage(g.Rng, 255))
			require.Zero(t, try)
			require.Zero(t, hold)
		}
	}
}

// Who floods gives up its own: a true commit stays when its mailbox sends what nothing opens, and that of another mailbox
// stays whoever repeats it (G12, G25).
func TestFloodsGiveUpTheirOwn(t *testing.T) {
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	sender, reader := g.Peers[1], g.Peers[0]
	sender.Space = ratchet.Committing(sender.Space)
	g.Send(sender, "lost")
	sender.Space = ratchet.Committing(sender.Space)
	second := g.Send(sender, "second") // carries both
	var err error
	for _, source := range []string{"thief", "honest"} {
		reader.Space, err = ratchet.Hold(reader.Space, g.Now, source, second)
		require.NoError(t, err)
	}
	for range 4 {
		for _, source := range []string{"thief", "honest"} {
			reader.Space, err = ratchet.Hold(reader.Space, g.Now, source, prototest.Garbage(g.Rng, 255))
			require.NoError(t, err)
		}
	}
	g.Deliver(second, reader)
	g.RequireRead(reader, "second")
}

// A mailbox has 2,000 retained messages at most, and pushes out nobody else's (G12).
func TestHeadersOfAMailboxAreBounded(t *testing.T) {
	g := ratchettest.NewGroup(t, 2, ratchettest.Small)
	s := g.Peers[0].Space
	e := prototest.Garbage(g.Rng, 0)
	s, err := ratchet.Hold(s, g.Now, "honest", e)
	require.NoError(t, err)
	s = ratchet.WithHeaders(g.Rng, s, "flood", 2_100, g.Now)
	headers, _ := ratchet.Held(s)
	require.Equal(t, 2_001, headers)
	require.True(t, ratchet.HoldsHeader(s, e))
}

// A forged copy of a retained message is another message: when it is settled the true one is still known of.
func TestForgedCopyForgetsNothing(t *testing.T) {
	g := ratchettest.NewGroup(t, 2, ratchettest.Small)
	e := prototest.Garbage(g.Rng, 0)
	forged := prototest.WithBody(e)
	s, err := ratchet.Hold(g.Peers[0].Space, g.Now, "honest", e)
	require.NoError(t, err)
	s, err = ratchet.Hold(s, g.Now, "thief", forged)
	require.NoError(t, err)
	s, err = ratchet.Release(s, forged)
	require.NoError(t, err)
	require.True(t, ratchet.HoldsHeader(s, e))
	require.False(t, ratchet.HoldsHeader(s, forged))
}

// An own commit that one does not know of asks for a ticket also where its parent is not held (§4).
func TestOwnCommitBelowAnUnknownEpoch(t *testing.T) {
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	a, b, v := g.Peers[0], g.Peers[1], g.Peers[2]
	backup := v.Space
	a.Space = ratchet.Committing(a.Space)
	g.Deliver(g.Send(a, ""), b, v)
	v.Space = ratchet.Committing(v.Space)
	g.Deliver(g.Send(v, ""), a, b)
	e := g.Send(b, "unread")
	g.Now = g.Now.Add(2 * time.Hour)
	var err error
	v.Space, err = ratchet.Restore(backup, g.Now)
	require.NoError(t, err)
	v.Receive(g, e)
	require.Contains(t, v.Events, state.Event(ratchet.Conflict{Index: 3, Own: true}))
	require.True(t, ratchet.Due(v.Space, g.Now).Ask)
}

// An introduction that does not verify is no conflict (§9): anybody in the epoch can write one.
func TestFalseIntroductionIsNoConflict(t *testing.T) {
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	e, err := ratchet.Impostor(g.Peers[2].Space, g.Now, g.Peers[1].Space)
	require.NoError(t, err)
	require.ErrorIs(t, g.Peers[0].Receive(g, e), ratchet.ErrForged)
	require.Empty(t, g.Peers[0].Events)
}

// A statement in a message that nobody signed is told (G26).
func TestUnsignedStatementIsTold(t *testing.T) {
	g := ratchettest.NewGroup(t, 2, ratchet.Policy{KEM: ratchet.X25519, Repudiable: true})
	e, err := ratchet.UnsignedControl(g.Peers[1].Space, g.Now)
	require.NoError(t, err)
	require.NoError(t, g.Peers[0].Receive(g, e))
	require.Equal(t, []state.Event{ratchet.RefusedStatement{Index: 2, Reason: ratchet.ErrForged}}, g.Peers[0].Events)
	require.Empty(t, g.Peers[0].Read)
}

// How often a member commits grows with the space, without end (§5).
func TestCommitIntervalGrows(t *testing.T) {
	week := 7 * 24 * time.Hour
	require.Equal(t, week, ratchet.OwnEvery(1))
	require.Equal(t, 5*week, ratchet.OwnEvery(1_000))
	require.Equal(t, 100_000/200*week, ratchet.OwnEvery(100_000))
	require.Positive(t, ratchet.OwnEvery(1_000_000))
}

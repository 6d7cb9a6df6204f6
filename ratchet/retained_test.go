package ratchet_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/internal/prototest"
	"github.com/trefoil-im/trefoil/state"
)

// counted is an opener that counts how often frames are tried.
func (r *relay) counted(tries *int) state.Opener[ratchet.Space] {
	open := ratchet.Opener(ratchet.Options{Topic: "space", Now: func() time.Time { return r.now }})
	return func(tx *state.Tx[ratchet.Space], f state.Frame) error {
		*tries++
		return open(tx, f)
	}
}

// Whatever is retained, a frame that opens nothing is tried once and makes nothing else be tried, with random commits as
// with true ones; and an honest backlog among it is read when what is missing arrives (G12, G25).
func TestWorkOfAFrameDoesNotGrowWithWhatIsRetained(t *testing.T) {
	t.Parallel()
	g := newGroup(t, 3, fast)
	honest, insider := g.peers[1], g.peers[2]
	r := newRelay(t)
	d := r.add("victim", g.peers[0].space)
	tries := 0
	opener := r.counted(&tries)
	receive := func(source string, e []byte) state.Receipt {
		receipt, err := d.vault.Receive(r.ctx, r.id, state.Frame{Source: source, Data: e}, opener)
		require.NoError(t, err)
		return receipt
	}
	// The backlog: two epochs, the first of which comes last.
	honest.space = ratchet.Committing(honest.space)
	first := g.send(honest, "first")
	for range 4 {
		g.send(honest, "")
	}
	late := [][]byte{g.send(honest, "late 1"), g.send(honest, "late 2")}
	for _, e := range late {
		require.Equal(t, state.Retain, receive("honest", e).Verdict)
	}
	for i := range 12 {
		for source, e := range map[string][]byte{
			"": prototest.Garbage(g.rng, 255), "insider": ratchet.Flood(g.rng, insider.space, 60, i%2 == 0),
		} {
			tries = 0
			require.Equal(t, state.Retain, receive(source, e).Verdict)
			require.Equal(t, 1, tries)
		}
	}
	tries = 0
	receipt := receive("honest", first)
	require.Equal(t, state.Read, receipt.Verdict)
	require.Len(t, receipt.Acknowledge, 2)
	require.LessOrEqual(t, tries, 1+2*(2+24), "all that is retained, until nothing more is learned")
}

// A commit is followed when it is opened and never again: not for the message that brought it, nor for others (G25).
func TestCommitsAreFollowedOnce(t *testing.T) {
	t.Parallel()
	g := newGroup(t, 3, fast)
	victim, insider := g.peers[0].space, g.peers[2].space
	for _, chain := range []bool{false, true} {
		for range 2 {
			e := ratchet.Flood(g.rng, insider, 100, chain)
			try, hold := ratchet.Follows(victim, e)
			require.Equal(t, 100, try)
			require.Equal(t, 100, hold)
			var err error
			victim, err = ratchet.Hold(victim, g.now, "mailbox", e)
			require.NoError(t, err)
			try, hold = ratchet.Follows(stored(t, victim), e)
			require.Zero(t, try)
			require.Zero(t, hold)
			try, hold = ratchet.Follows(victim, prototest.Garbage(g.rng, 255))
			require.Zero(t, try)
			require.Zero(t, hold)
		}
	}
}

// Who floods gives up its own: a true commit stays when its mailbox sends what nothing opens, and that of another mailbox
// stays whoever repeats it (G12, G25).
func TestFloodsGiveUpTheirOwn(t *testing.T) {
	g := newGroup(t, 3, fast)
	sender, reader := g.peers[1], g.peers[0]
	sender.space = ratchet.Committing(sender.space)
	g.send(sender, "lost")
	sender.space = ratchet.Committing(sender.space)
	second := g.send(sender, "second") // carries both
	var err error
	for _, source := range []string{"thief", "honest"} {
		reader.space, err = ratchet.Hold(reader.space, g.now, source, second)
		require.NoError(t, err)
	}
	for range 4 {
		for _, source := range []string{"thief", "honest"} {
			reader.space, err = ratchet.Hold(reader.space, g.now, source, prototest.Garbage(g.rng, 255))
			require.NoError(t, err)
		}
	}
	g.deliver(second, reader)
	g.read(reader, "second")
}

// A mailbox has 2,000 retained messages at most, and pushes out nobody else's (G12).
func TestHeadersOfAMailboxAreBounded(t *testing.T) {
	g := newGroup(t, 2, fast)
	s := g.peers[0].space
	e := prototest.Garbage(g.rng, 0)
	s, err := ratchet.Hold(s, g.now, "honest", e)
	require.NoError(t, err)
	s = ratchet.WithHeaders(g.rng, s, "flood", 2_100, g.now)
	headers, _ := ratchet.Held(s)
	require.Equal(t, 2_001, headers)
	require.True(t, ratchet.HoldsHeader(s, e))
}

// A forged copy of a retained message is another message: when it is settled the true one is still known of.
func TestForgedCopyForgetsNothing(t *testing.T) {
	g := newGroup(t, 2, fast)
	e := prototest.Garbage(g.rng, 0)
	forged := prototest.WithBody(e)
	s, err := ratchet.Hold(g.peers[0].space, g.now, "honest", e)
	require.NoError(t, err)
	s, err = ratchet.Hold(s, g.now, "thief", forged)
	require.NoError(t, err)
	s, err = ratchet.Release(s, forged)
	require.NoError(t, err)
	require.True(t, ratchet.HoldsHeader(s, e))
	require.False(t, ratchet.HoldsHeader(s, forged))
}

// An own commit that one does not know of asks for a ticket also where its parent is not held (§4).
func TestOwnCommitBelowAnUnknownEpoch(t *testing.T) {
	g := newGroup(t, 3, fast)
	a, b, v := g.peers[0], g.peers[1], g.peers[2]
	backup := v.space
	a.space = ratchet.Committing(a.space)
	g.deliver(g.send(a, ""), b, v)
	v.space = ratchet.Committing(v.space)
	g.deliver(g.send(v, ""), a, b)
	e := g.send(b, "unread")
	g.now = g.now.Add(2 * time.Hour)
	var err error
	v.space, err = ratchet.Restore(backup, g.now)
	require.NoError(t, err)
	v.receive(t, g.now, e)
	require.Contains(t, v.events, state.Event(ratchet.Conflict{Index: 3, Own: true}))
	require.True(t, ratchet.Due(v.space, g.now).Ask)
}

// An introduction that does not verify is no conflict (§9): anybody in the epoch can write one.
func TestFalseIntroductionIsNoConflict(t *testing.T) {
	g := newGroup(t, 3, fast)
	e, err := ratchet.Impostor(g.peers[2].space, g.now, g.peers[1].space)
	require.NoError(t, err)
	require.ErrorIs(t, g.peers[0].receive(t, g.now, e), ratchet.ErrForged)
	require.Empty(t, g.peers[0].events)
}

// A statement in a message that nobody signed is told (G26).
func TestUnsignedStatementIsTold(t *testing.T) {
	g := newGroup(t, 2, ratchet.Policy{KEM: ratchet.X25519, Repudiable: true})
	e, err := ratchet.UnsignedControl(g.peers[1].space, g.now)
	require.NoError(t, err)
	require.NoError(t, g.peers[0].receive(t, g.now, e))
	require.Equal(t, []state.Event{ratchet.RefusedStatement{Index: 2, Reason: ratchet.ErrForged}}, g.peers[0].events)
	require.Empty(t, g.peers[0].read)
}

// How often a member commits grows with the space, without end (§5).
func TestCommitIntervalGrows(t *testing.T) {
	week := 7 * 24 * time.Hour
	require.Equal(t, week, ratchet.OwnEvery(1))
	require.Equal(t, 5*week, ratchet.OwnEvery(1_000))
	require.Equal(t, 100_000/200*week, ratchet.OwnEvery(100_000))
	require.Positive(t, ratchet.OwnEvery(1_000_000))
}

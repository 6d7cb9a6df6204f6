package ratchet_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/ratchettest"
	"github.com/trefoil-im/trefoil/state"
)

// receive gives a frame to a device, which is reopened from its store before and after.
func receive(d *ratchettest.Device, data []byte) state.Receipt {
	d.Reopen()
	receipt := d.Receive("mailbox", data)
	d.Reopen()
	return receipt
}

// A frame of another version of the protocol has an outcome like any other and holds up nothing behind it (G8): too old is
// settled, too new is kept for an update. What only looks like a frame of a rekey takes no room (G25).
func TestFramesOfOtherVersionsHoldUpNothing(t *testing.T) {
	g := ratchettest.NewGroup(t, 2, ratchettest.Small)
	r := ratchettest.NewDevices(t)
	d := r.Add("d", g.Peers[1].Space)
	for _, c := range []struct {
		first   byte
		verdict state.Verdict
		is      error
	}{
		{0x10, state.Discard, state.ErrTooOld}, {0x1f, state.Discard, state.ErrTooOld},
		{0x30, state.Retain, state.ErrTooNew}, {0xf2, state.Retain, state.ErrTooNew},
		{0x21, state.Discard, state.ErrTooNew}, {0x24, state.Discard, state.ErrTooNew},
		{0x25, state.Discard, ratchet.ErrMalformed},
	} {
		for _, size := range []int{1, 100_000} {
			receipt := receive(d, append([]byte{c.first}, make([]byte, size-1)...))
			require.Equal(t, c.verdict, receipt.Verdict, "%x", c.first)
			require.ErrorIs(t, receipt.Reason, c.is, "%x", c.first)
		}
	}
	require.Equal(t, state.Read, receive(d, g.Send(g.Peers[0], "goes on")).Verdict)
}

// Every collection that storage bounds is bounded where it grows: a space that can be saved can be loaded (G1). Of the
// inbox keys those stay to which somebody may still box.
func TestWhatIsSavedCanBeLoaded(t *testing.T) {
	t.Parallel()
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	p := g.Peers[1]
	before := ratchet.InboxKeys(p.Space)
	p.Space = ratchettest.Stored(t, ratchet.Rekeyed(p.Space, 200))
	keys := ratchet.InboxKeys(p.Space)
	require.Len(t, keys, 64)
	require.Equal(t, before[0], keys[0], "the one of the introduction")
	require.Equal(t, before[len(before)-1]+200, keys[63])
	require.Equal(t, keys[63]-62, keys[1])

	crowded, children := ratchet.Crowded(p.Space)
	require.Greater(t, children, 3_000)
	p.Space = ratchettest.Stored(t, crowded)
	maker := g.Peers[2]
	maker.Space = ratchet.Committing(maker.Space)
	e := g.Send(maker, "one too many")
	require.ErrorIs(t, p.Receive(g, e), outcome.ErrUnknownEpoch)
	p.Space = ratchet.Committing(p.Space)
	g.Send(p, "nor one of its own")
	require.True(t, ratchet.Due(p.Space, g.Now.Add(time.Hour)).Ask)
	ratchettest.Stored(t, p.Space)
}

// Bytes behind a member's own index are no commit of its own (§4): without a proof they move it to nothing, whether what
// carries them can be read or not.
func TestOwnCommitNeedsAProof(t *testing.T) {
	g, elsewhere := ratchettest.NewGroup(t, 3, ratchettest.Small), ratchettest.NewGroup(t, 2, ratchettest.Small)
	victim, insider := g.Peers[1], g.Peers[2]
	index := ratchet.Info(victim.Space).Index
	foreign := elsewhere.Send(elsewhere.Peers[0], "nothing opens this")
	g.Deliver(ratchet.Carrying(insider.Space, foreign, index), victim)
	require.Len(t, victim.Retained, 1)
	_, commits := ratchet.Held(victim.Space)
	require.Zero(t, commits)
	g.Deliver(ratchet.SayCarrying(insider.Space, index, "can be read"), victim)
	require.Contains(t, victim.Read, "can be read")
	require.False(t, ratchet.Due(victim.Space, g.Now.Add(2*time.Hour)).Ask)
	require.NotContains(t, victim.Events, state.Event(ratchet.Conflict{Index: index, Own: true}))

	// Through a vault a true one is told once, and the ticket it calls for is asked for once.
	r := ratchettest.NewDevices(t)
	d := r.Add("victim", victim.Space)
	r.Now = g.Now.Add(60 * time.Hour)
	g.Now = r.Now
	for range 3 { // what the vault has is older
		receipt := receive(d, g.Send(victim, "commits, and the state is lost"))
		require.Equal(t, state.Retain, receipt.Verdict)
	}
	told := 0
	for _, e := range d.Events {
		if e == state.Event(ratchet.Conflict{Index: index, Own: true}) {
			told++
		}
	}
	require.Equal(t, 1, told)
	require.True(t, ratchet.Due(d.Space(), r.Now).Ask)
}

// A message counts as sent without effect only if it was due because others wait: a few quick texts while one is out of
// order ask for no ticket (§7).
func TestQuickTextsAreNoWaiting(t *testing.T) {
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	sender, reader := g.Peers[1], g.Peers[0]
	sender.Space = ratchet.Committing(sender.Space)
	brings := g.Send(sender, "brings")
	for range 4 {
		g.Send(sender, "lost")
	}
	g.Deliver(g.Send(sender, "early"), reader)
	require.Len(t, reader.Retained, 1)
	for range 5 {
		g.Send(reader, "quick")
	}
	require.Zero(t, ratchet.WaitingSends(reader.Space))
	require.False(t, ratchet.Due(reader.Space, g.Now.Add(time.Hour)).Ask)
	// After the time it counts, and the third one asks.
	for n := 1; n <= 3; n++ {
		g.Now = g.Now.Add(time.Hour)
		require.True(t, ratchet.Due(reader.Space, g.Now).Send)
		g.Send(reader, "due")
		g.Send(reader, "not due again")
		require.Equal(t, n, ratchet.WaitingSends(reader.Space))
	}
	require.True(t, ratchet.Due(reader.Space, g.Now).Ask)
	g.Deliver(brings, reader)
	require.Zero(t, ratchet.WaitingSends(reader.Space))
}

// Who commits in a repudiable space signs what brings the commit: otherwise all such would be charged together, and of many
// at once the ninth and all that follow would be lost (§6).
func TestUnsignedCommitsAtOnce(t *testing.T) {
	policy := ratchettest.Small
	policy.Repudiable = true
	g := ratchettest.NewGroup(t, 11, policy)
	g.Now = g.Now.Add(8 * 24 * time.Hour) // nobody introduces itself any more
	g.Rounds(2)
	reader := g.Peers[0]
	var envelopes [][]byte
	for _, p := range g.Peers[1:] {
		p.Space = ratchet.Committing(p.Space)
		for n := range 5 {
			next, e, err := ratchet.EncryptUnsigned(p.Space, g.Now, []byte(p.Name))
			require.NoError(t, err)
			p.Space = next
			if n > 0 { // what brings the commit first is lost
				envelopes = append(envelopes, e)
			}
		}
	}
	for _, e := range envelopes {
		g.Deliver(e, reader)
	}
	require.Len(t, reader.Read, 40)
	require.Empty(t, reader.Discarded)
}

// forked is a group of four in which two epochs of one generation were made: a's, in which c has written 7 texts of which
// the reader gets the fifth only, and b's, which all prefer.
func forked(t *testing.T) (g *ratchettest.Group, fifth []byte, bring []byte) {
	for {
		g = ratchettest.NewGroup(t, 4, ratchettest.Small)
		a, b, c, reader := g.Peers[0], g.Peers[1], g.Peers[2], g.Peers[3]
		g.Rounds(2)
		a.Space, b.Space = ratchet.Committing(a.Space), ratchet.Committing(b.Space)
		x := g.Send(a, "a")
		bring = g.Send(b, "b")
		idA := ratchet.Info(a.Space).Epoch
		idB := ratchet.Info(b.Space).Epoch
		if bytes.Compare(idA[:], idB[:]) < 0 {
			continue
		}
		g.Deliver(x, c)
		for i := range 7 {
			e := g.Send(c, []string{"0", "1", "2", "3", "fifth", "5", "6"}[i])
			g.Deliver(e, a)
			if i == 4 {
				fifth = e
			}
		}
		g.Deliver(bring, a, c, reader)
		return g, fifth, bring
	}
}

// The way to an epoch that was replaced travels in messages of the one that replaced it, which those who lack the way can
// read: it is kept for what they cannot, whichever comes first (§7, G12).
func TestReplacedPathReachesWhoLacksIt(t *testing.T) {
	for name, before := range map[string]bool{"the message first": true, "the way first": false} {
		t.Run(name, func(t *testing.T) {
			g, fifth, _ := forked(t)
			reader := g.Peers[3]
			if before {
				g.Deliver(fifth, reader)
			}
			for range 3 {
				for _, p := range g.Peers[:3] {
					g.Deliver(g.Send(p, ""), g.Others(p)...)
				}
			}
			reader.Space = ratchettest.Stored(t, reader.Space)
			if !before {
				g.Deliver(fifth, reader)
			}
			require.Contains(t, reader.Read, "fifth")
			require.Empty(t, reader.Retained)
			_, commits := ratchet.Held(reader.Space)
			require.Zero(t, commits)
		})
	}
}

// A commit of one's own that one does not know of is found in a message that can be read, too (§4).
func TestOwnCommitInReadableMessage(t *testing.T) {
	g, _, _ := forked(t)
	a, c := g.Peers[0], g.Peers[2]
	// The device of a is lost, and what it is set up from again is of before its commit: what the reader holds.
	restored := *a
	restored.Space = ratchet.As(g.Peers[3].Space, a.Space)
	index := ratchet.Info(a.Space).Index
	require.Equal(t, index, func() any { i := ratchet.Info(restored.Space).Index; return i }())
	restored.Events = nil
	g.Deliver(g.Send(c, "carries a's"), &restored)
	require.Contains(t, restored.Read, "carries a's")
	require.Contains(t, restored.Events, state.Event(ratchet.Conflict{Index: index, Own: true}))
	require.True(t, ratchet.Due(restored.Space, g.Now).Ask)
}

// The bound on epochs holds whatever is retained, and what an insider retains under indices that nobody has keeps none of
// its epochs at the cost of others' (§5, scenario 10).
func TestPinsOfNobody(t *testing.T) {
	t.Parallel()
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	reader, honest, insider := g.Peers[0], g.Peers[1], g.Peers[2]
	honest.Space = ratchet.Committing(honest.Space)
	g.Deliver(g.Send(honest, "commits"), reader, insider)
	id := ratchet.Info(honest.Space).Epoch
	late := g.Send(honest, "late")
	for range 20 {
		insider.Space = ratchet.Committing(insider.Space)
		g.Deliver(g.Send(insider, ""), reader)
		nobody, ok := ratchet.ForgeAs(insider.Space, 999, 0, "nobody")
		require.True(t, ok)
		require.ErrorIs(t, reader.Receive(g, nobody), outcome.ErrUnknownSender)
	}
	reader.Space = ratchettest.Stored(t, ratchet.Evict(reader.Space, 12))
	require.Equal(t, 12, ratchet.Epochs(reader.Space))
	require.True(t, ratchet.HasEpoch(reader.Space, id))
	g.Deliver(late, reader)
	require.Contains(t, reader.Read, "late")
	require.Equal(t, 5, ratchet.Epochs(ratchet.Evict(reader.Space, 0)))
}

// An epoch is charged to its maker once the maker was read in it: who carries others' commits about first cannot have their
// epochs go with its own (§5).
func TestEpochIsAttributedToItsMaker(t *testing.T) {
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	reader, honest, insider := g.Peers[0], g.Peers[1], g.Peers[2]
	honest.Space = ratchet.Committing(honest.Space)
	first := g.Send(honest, "commits")
	g.Deliver(first, insider)
	g.Deliver(g.Send(insider, "I was first"), reader)
	g.Deliver(first, reader)
	late := g.Send(honest, "late")
	for range 20 {
		insider.Space = ratchet.Committing(insider.Space)
		g.Deliver(g.Send(insider, ""), reader)
	}
	reader.Space = ratchettest.Stored(t, ratchet.Evict(reader.Space, 12))
	g.Deliver(late, reader)
	require.Contains(t, reader.Read, "late")
}

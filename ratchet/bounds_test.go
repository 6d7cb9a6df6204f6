package ratchet_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/state"
)

// receive gives a frame to a device, which is reopened from its store before and after.
func (r *relay) receive(d *device, data []byte) state.Receipt {
	d.vault = r.open(d.store)
	opener := ratchet.Opener(ratchet.Options{Topic: "space", Now: func() time.Time { return r.now }})
	receipt, err := d.vault.Receive(r.ctx, r.id, state.Frame{Source: "mailbox", Data: data}, opener)
	require.NoError(r.t, err)
	d.vault = r.open(d.store)
	return receipt
}

// A frame of another version of the protocol has an outcome like any other and holds up nothing behind it (G8): too old is
// settled, too new is kept for an update. What only looks like a frame of a rekey takes no room (G25).
func TestFramesOfOtherVersionsHoldUpNothing(t *testing.T) {
	g := newGroup(t, 2, fast)
	r := newRelay(t)
	d := r.add("d", g.peers[1].space)
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
			receipt := r.receive(d, append([]byte{c.first}, make([]byte, size-1)...))
			require.Equal(t, c.verdict, receipt.Verdict, "%x", c.first)
			require.ErrorIs(t, receipt.Reason, c.is, "%x", c.first)
		}
	}
	require.Equal(t, state.Read, r.receive(d, g.send(g.peers[0], "goes on")).Verdict)
}

// Every collection that storage bounds is bounded where it grows: a space that can be saved can be loaded (G1). Of the
// inbox keys those stay to which somebody may still box.
func TestWhatIsSavedCanBeLoaded(t *testing.T) {
	t.Parallel()
	g := newGroup(t, 3, fast)
	p := g.peers[1]
	before := ratchet.InboxKeys(p.space)
	p.space = stored(t, ratchet.Rekeyed(p.space, 200))
	keys := ratchet.InboxKeys(p.space)
	require.Len(t, keys, 64)
	require.Equal(t, before[0], keys[0], "the one of the introduction")
	require.Equal(t, before[len(before)-1]+200, keys[63])
	require.Equal(t, keys[63]-62, keys[1])

	crowded, children := ratchet.Crowded(p.space)
	require.Greater(t, children, 3_000)
	p.space = stored(t, crowded)
	maker := g.peers[2]
	maker.space = ratchet.Committing(maker.space)
	e := g.send(maker, "one too many")
	require.ErrorIs(t, p.receive(t, g.now, e), outcome.ErrUnknownEpoch)
	p.space = ratchet.Committing(p.space)
	g.send(p, "nor one of its own")
	require.True(t, ratchet.Due(p.space, g.now.Add(time.Hour)).Ask)
	stored(t, p.space)
}

// Bytes behind a member's own index are no commit of its own (§4): without a proof they move it to nothing, whether what
// carries them can be read or not.
func TestOwnCommitNeedsAProof(t *testing.T) {
	g, elsewhere := newGroup(t, 3, fast), newGroup(t, 2, fast)
	victim, insider := g.peers[1], g.peers[2]
	index := ratchet.Info(victim.space).Index
	foreign := elsewhere.send(elsewhere.peers[0], "nothing opens this")
	g.deliver(ratchet.Carrying(insider.space, foreign, index), victim)
	require.Len(t, victim.retained, 1)
	_, commits := ratchet.Held(victim.space)
	require.Zero(t, commits)
	g.deliver(ratchet.SayCarrying(insider.space, index, "can be read"), victim)
	require.Contains(t, victim.read, "can be read")
	require.False(t, ratchet.Due(victim.space, g.now.Add(2*time.Hour)).Ask)
	require.NotContains(t, victim.events, state.Event(ratchet.Conflict{Index: index, Own: true}))

	// Through a vault a true one is told once, and the ticket it calls for is asked for once.
	r := newRelay(t)
	d := r.add("victim", victim.space)
	r.now = g.now.Add(60 * time.Hour)
	g.now = r.now
	for range 3 { // what the vault has is older
		receipt := r.receive(d, g.send(victim, "commits, and the state is lost"))
		require.Equal(t, state.Retain, receipt.Verdict)
	}
	told := 0
	for _, e := range r.events {
		if e == (ratchet.Conflict{Index: index, Own: true}).String() {
			told++
		}
	}
	require.Equal(t, 1, told)
	s, err := d.vault.Load(r.ctx, r.id)
	require.NoError(t, err)
	require.True(t, ratchet.Due(s, r.now).Ask)
}

// A message counts as sent without effect only if it was due because others wait: a few quick texts while one is out of
// order ask for no ticket (§7).
func TestQuickTextsAreNoWaiting(t *testing.T) {
	g := newGroup(t, 3, fast)
	sender, reader := g.peers[1], g.peers[0]
	sender.space = ratchet.Committing(sender.space)
	brings := g.send(sender, "brings")
	for range 4 {
		g.send(sender, "lost")
	}
	g.deliver(g.send(sender, "early"), reader)
	require.Len(t, reader.retained, 1)
	for range 5 {
		g.send(reader, "quick")
	}
	require.Zero(t, ratchet.WaitingSends(reader.space))
	require.False(t, ratchet.Due(reader.space, g.now.Add(time.Hour)).Ask)
	// After the time it counts, and the third one asks.
	for n := 1; n <= 3; n++ {
		g.now = g.now.Add(time.Hour)
		require.True(t, ratchet.Due(reader.space, g.now).Send)
		g.send(reader, "due")
		g.send(reader, "not due again")
		require.Equal(t, n, ratchet.WaitingSends(reader.space))
	}
	require.True(t, ratchet.Due(reader.space, g.now).Ask)
	g.deliver(brings, reader)
	require.Zero(t, ratchet.WaitingSends(reader.space))
}

// Who commits in a repudiable space signs what brings the commit: otherwise all such would be charged together, and of many
// at once the ninth and all that follow would be lost (§6).
func TestUnsignedCommitsAtOnce(t *testing.T) {
	policy := fast
	policy.Repudiable = true
	g := newGroup(t, 11, policy)
	g.now = g.now.Add(8 * 24 * time.Hour) // nobody introduces itself any more
	g.rounds(2)
	reader := g.peers[0]
	var envelopes [][]byte
	for _, p := range g.peers[1:] {
		p.space = ratchet.Committing(p.space)
		for n := range 5 {
			next, e, err := ratchet.EncryptUnsigned(p.space, g.now, []byte(p.name))
			require.NoError(t, err)
			p.space = next
			if n > 0 { // what brings the commit first is lost
				envelopes = append(envelopes, e)
			}
		}
	}
	for _, e := range envelopes {
		g.deliver(e, reader)
	}
	require.Len(t, reader.read, 40)
	require.Empty(t, reader.settled)
}

// forked is a group of four in which two epochs of one generation were made: a's, in which c has written 7 texts of which
// the reader gets the fifth only, and b's, which all prefer.
func forked(t *testing.T) (g *group, fifth []byte, bring []byte) {
	for {
		g = newGroup(t, 4, fast)
		a, b, c, reader := g.peers[0], g.peers[1], g.peers[2], g.peers[3]
		g.rounds(2)
		a.space, b.space = ratchet.Committing(a.space), ratchet.Committing(b.space)
		x := g.send(a, "a")
		bring = g.send(b, "b")
		idA := ratchet.Info(a.space).Epoch
		idB := ratchet.Info(b.space).Epoch
		if bytes.Compare(idA[:], idB[:]) < 0 {
			continue
		}
		g.deliver(x, c)
		for i := range 7 {
			e := g.send(c, []string{"0", "1", "2", "3", "fifth", "5", "6"}[i])
			g.deliver(e, a)
			if i == 4 {
				fifth = e
			}
		}
		g.deliver(bring, a, c, reader)
		return g, fifth, bring
	}
}

// The way to an epoch that was replaced travels in messages of the one that replaced it, which those who lack the way can
// read: it is kept for what they cannot, whichever comes first (§7, G12).
func TestReplacedPathReachesWhoLacksIt(t *testing.T) {
	for name, before := range map[string]bool{"the message first": true, "the way first": false} {
		t.Run(name, func(t *testing.T) {
			g, fifth, _ := forked(t)
			reader := g.peers[3]
			if before {
				g.deliver(fifth, reader)
			}
			for range 3 {
				for _, p := range g.peers[:3] {
					g.deliver(g.send(p, ""), g.others(p)...)
				}
			}
			reader.space = stored(t, reader.space)
			if !before {
				g.deliver(fifth, reader)
			}
			require.Contains(t, reader.read, "fifth")
			require.Empty(t, reader.retained)
			_, commits := ratchet.Held(reader.space)
			require.Zero(t, commits)
		})
	}
}

// A commit of one's own that one does not know of is found in a message that can be read, too (§4).
func TestOwnCommitInReadableMessage(t *testing.T) {
	g, _, _ := forked(t)
	a, c := g.peers[0], g.peers[2]
	// The device of a is lost, and what it is set up from again is of before its commit: what the reader holds.
	restored := *a
	restored.space = ratchet.As(g.peers[3].space, a.space)
	index := ratchet.Info(a.space).Index
	require.Equal(t, index, func() any { i := ratchet.Info(restored.space).Index; return i }())
	restored.events = nil
	g.deliver(g.send(c, "carries a's"), &restored)
	require.Contains(t, restored.read, "carries a's")
	require.Contains(t, restored.events, state.Event(ratchet.Conflict{Index: index, Own: true}))
	require.True(t, ratchet.Due(restored.space, g.now).Ask)
}

// The bound on epochs holds whatever is retained, and what an insider retains under indices that nobody has keeps none of
// its epochs at the cost of others' (§5, scenario 10).
func TestPinsOfNobody(t *testing.T) {
	t.Parallel()
	g := newGroup(t, 3, fast)
	reader, honest, insider := g.peers[0], g.peers[1], g.peers[2]
	honest.space = ratchet.Committing(honest.space)
	g.deliver(g.send(honest, "commits"), reader, insider)
	id := ratchet.Info(honest.space).Epoch
	late := g.send(honest, "late")
	for range 20 {
		insider.space = ratchet.Committing(insider.space)
		g.deliver(g.send(insider, ""), reader)
		nobody, ok := ratchet.ForgeAs(insider.space, 999, 0, "nobody")
		require.True(t, ok)
		require.ErrorIs(t, reader.receive(t, g.now, nobody), outcome.ErrUnknownSender)
	}
	reader.space = stored(t, ratchet.Evict(reader.space, 12))
	require.Equal(t, 12, ratchet.Epochs(reader.space))
	require.True(t, ratchet.HasEpoch(reader.space, id))
	g.deliver(late, reader)
	require.Contains(t, reader.read, "late")
	require.Equal(t, 5, ratchet.Epochs(ratchet.Evict(reader.space, 0)))
}

// An epoch is charged to its maker once the maker was read in it: who carries others' commits about first cannot have their
// epochs go with its own (§5).
func TestCarrierIsNotCharged(t *testing.T) {
	g := newGroup(t, 3, fast)
	reader, honest, insider := g.peers[0], g.peers[1], g.peers[2]
	honest.space = ratchet.Committing(honest.space)
	first := g.send(honest, "commits")
	g.deliver(first, insider)
	g.deliver(g.send(insider, "I was first"), reader)
	g.deliver(first, reader)
	late := g.send(honest, "late")
	for range 20 {
		insider.space = ratchet.Committing(insider.space)
		g.deliver(g.send(insider, ""), reader)
	}
	reader.space = stored(t, ratchet.Evict(reader.space, 12))
	g.deliver(late, reader)
	require.Contains(t, reader.read, "late")
}

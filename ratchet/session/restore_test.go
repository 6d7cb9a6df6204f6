package session

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state"
)

// A slot from a backup says nothing before it has begun anew, and is then read, however often the same backup is restored.
func TestRestore(t *testing.T) {
	suites(t, func(t *testing.T, f suite) {
		alice, bob := settled(t, f)
		backup := alice.s
		for range 3 {
			for range 3 {
				bob.reads(alice.send("after the backup"), "after the backup")
				alice.reads(bob.send("answer"), "answer")
			}
			bob.initiate()
			alice.reads(bob.send("begins"), "begins")

			lost := alice.s
			alice.s = backup.With(backup.Part().Restore(day0))
			require.False(t, alice.s.Part().IsReady())
			require.ErrorIs(t, backup.Part().Succeeds(alice.s.Part()), state.ErrStale)
			_, _, err := Encrypt(alice.s, day0, nil)
			require.ErrorIs(t, err, ErrNotReady)
			alice.initiate()
			require.True(t, alice.s.Part().IsReady())
			require.False(t, alice.s.Part().sessions.list[0].ephemeral.Equal(lost.Part().sessions.list[0].ephemeral))
			bob.reads(alice.send("restored"), "restored")
			if !bob.s.Part().IsReady() { // what Send does
				bob.initiate()
			}
			require.True(t, bob.s.Part().IsReady())
			alice.reads(bob.send("answer"), "answer")
			bob.reads(alice.send("on"), "on")
			alice.reads(bob.send("on"), "on")
		}
	})
}

// In a vault Send begins anew by itself.
func TestRestoreInAVault(t *testing.T) {
	alice, bob, atAlice, atBob, toBob := stations(t)
	require.NoError(t, alice.sessions.Update(t.Context(), atAlice, func(tx *state.Tx[Session]) error {
		tx.Set(tx.Value().With(tx.Value().Part().Restore(day0)))
		return nil
	}))
	require.NoError(t, alice.sessions.Update(t.Context(), atAlice, Send(alice.device, toBob, day0, []byte("text"))))
	require.Equal(t, state.Read, bob.receive(atBob, alice.flush(atAlice)).Verdict)
	s, err := bob.sessions.Load(t.Context(), atBob)
	require.NoError(t, err)
	require.Equal(t, 2, s.Part().Sessions())
}

// A device from a backup gives no number to two keys.
func TestRestoreDevice(t *testing.T) {
	h := newHuman(t, 1)
	backup := h.devices[0]
	lost, keys, err := rotated(t, backup, day0.Add(rotateAfter)).Issue(5)
	require.NoError(t, err)
	d := backup.Restore(day0.Add(rotateAfter))
	require.Greater(t, d.Bundle().Number(), lost.Bundle().Number())
	d, again, err := d.Issue(1)
	require.NoError(t, err)
	require.Greater(t, again[0].ID(), keys[4].ID())
	require.NoError(t, d.Succeeds(backup))
	require.NoError(t, d.Succeeds(lost))

	// What was begun with the keys that were lost is refused at once, so that its sender can begin anew.
	h.devices[0] = lost
	a := newHuman(t, 1)
	toLost, err := h.peer(t, 0, hybrid).WithOneTime(keys[0])
	require.NoError(t, err)
	alice := &party{t: t, d: a.devices[0], other: toLost}
	alice.s, err = New(alice.d, toLost)
	require.NoError(t, err)
	alice.initiate()
	bob := &party{t: t, d: d}
	bob.s, err = New(d, a.peer(t, 0, hybrid))
	require.NoError(t, err)
	bob.refuses(alice.send("text"), ErrExpired)
}

// A relay that repeats to a restored slot what the lost state has accepted does not lead it into a session whose keys are used
// up, whatever generation that has.
func TestRestoredSlotGoesOnInNoRecording(t *testing.T) {
	alice, bob := settled(t, hybrid)
	backup := bob.s
	alice.s = alice.s.With(alice.s.Part().Restore(day0).Restore(day0)) // above what Bob passes over
	alice.initiate()
	recorded := alice.send("recorded")
	bob.reads(recorded, "recorded")
	for range 3 {
		alice.reads(bob.send("answer"), "answer")
		bob.reads(alice.send("on"), "on")
	}
	for _, begunFirst := range []bool{true, false} {
		a, b := *alice, *bob
		b.s = backup.With(backup.Part().Restore(day0))
		if begunFirst {
			b.initiate()
		}
		b.reads(recorded, "recorded")
		require.False(t, b.s.Part().IsReady())
		b.initiate()
		a.reads(b.send("restored"), "restored")
		for range 3 {
			b.reads(a.send("answer"), "answer")
			a.reads(b.send("on"), "on")
		}
		require.True(t, a.s.Part().sessions.list[0].ephemeral.Equal(b.s.Part().sessions.list[0].ephemeral))
	}
}

// If both sides come from backups, one after the other, the numbers of the first one's new sessions are not taken for new ones by
// the second: what it sends is read.
func TestBothSidesRestored(t *testing.T) {
	alice, bob := settled(t, hybrid)
	backup := alice.s
	bob.s = bob.s.With(bob.s.Part().Restore(day0))
	bob.initiate()
	alice.reads(bob.send("1"), "1")
	alice.initiate()
	bob.reads(alice.send("2"), "2")
	bob.initiate()
	late := bob.send("3")
	alice.reads(bob.send("4"), "4")
	bob.reads(alice.send("5"), "5")

	alice.s = backup.With(backup.Part().Restore(day0.Add(time.Second)))
	alice.initiate()
	alice.reads(late, "3")
	bob.reads(alice.send("6"), "6")
	require.False(t, bob.s.Part().IsReady())
	bob.initiate() // what Send does
	alice.reads(bob.send("7"), "7")
}

// A clock that is wrong makes no generation that the peer refuses, or that leaves none after it.
func TestRestoredWithAWrongClock(t *testing.T) {
	alice, bob := settled(t, hybrid)
	for _, now := range []time.Time{{}, time.UnixMilli(math.MaxInt64), day0, time.UnixMilli(0)} {
		alice.s = alice.s.With(alice.s.Part().Restore(now))
		alice.initiate()
		bob.reads(alice.send("text"), "text")
		alice.reads(bob.send("answer"), "answer")
	}
}

package session

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state"
)

// rotated returns the device with the keys of a new bundle.
func rotated(t *testing.T, d Device, now time.Time) Device {
	next, changed := d.Rotate(now)
	require.True(t, changed)
	require.NoError(t, next.Succeeds(d))
	require.ErrorIs(t, d.Succeeds(next), state.ErrStale)
	return next
}

// G16: a first message, with or without a one-time pre-key, is read for 30 days after its keys were replaced, and then the
// device holds nothing that opens it.
func TestG16PreKeysRotate(t *testing.T) {
	for name, oneTime := range map[string]bool{"bundle": false, "one-time": true} {
		t.Run(name, func(t *testing.T) {
			a, b := newHuman(t, 1), newHuman(t, 1)
			d, keys, err := b.devices[0].Issue(1)
			require.NoError(t, err)
			b.devices[0] = d
			toBob := b.peer(t, 0, hybrid)
			if oneTime {
				toBob, err = toBob.WithOneTime(keys[0])
				require.NoError(t, err)
			}
			alice := &party{t: t, d: a.devices[0], other: toBob}
			alice.s, err = New(alice.d, toBob)
			require.NoError(t, err)
			alice.initiate()
			frame := alice.send("text")

			same, changed := d.Rotate(day0.Add(rotateAfter - time.Millisecond))
			require.False(t, changed)
			require.True(t, same.Equal(d))
			replaced := day0.Add(60 * 24 * time.Hour) // the device was off for long
			d = rotated(t, d, replaced)
			require.Equal(t, uint32(2), d.Bundle().Number())
			require.Equal(t, d.Bundle().Number(), d.BundleNumber())
			bob := &party{t: t, d: d}
			bob.s, err = New(d, a.peer(t, 0, hybrid))
			require.NoError(t, err)
			reads := *bob
			reads.reads(frame, "text")

			d = rotated(t, d, replaced.Add(keepReplaced-time.Millisecond))
			require.Len(t, d.preKeys, 3)
			reads = *bob
			reads.d = d
			reads.reads(frame, "text")
			for _, secret := range [][]byte{d.preKeys[0].preKey.Bytes(), d.preKeys[0].mlkem.Expose().Bytes(), d.preKeys[0].kem.Seed(),
				d.oneTime[0].key.Bytes()} {
				require.Contains(t, string(d.marshal()), string(secret))
				erased, changed := d.Rotate(replaced.Add(keepReplaced))
				require.True(t, changed)
				require.NotContains(t, string(erased.marshal()), string(secret))
				bob.d = erased
			}
			bob.refuses(frame, ErrExpired)
			require.Equal(t, state.Discard, state.VerdictOf(ErrExpired))
		})
	}
}

// A copy of the device that is older than a bundle keeps the frame for one that is not.
func TestBundleOfANewerCopy(t *testing.T) {
	a, b := newHuman(t, 1), newHuman(t, 1)
	older := b.devices[0]
	b.devices[0] = rotated(t, older, day0.Add(rotateAfter))
	alice := &party{t: t, d: a.devices[0], other: b.peer(t, 0, hybrid)}
	bob := &party{t: t, d: older}
	var err error
	alice.s, err = New(alice.d, alice.other)
	require.NoError(t, err)
	bob.s, err = New(older, a.peer(t, 0, hybrid))
	require.NoError(t, err)
	alice.initiate()
	frame := alice.send("text")
	bob.refuses(frame, ErrNotYet)
	bob.d = b.devices[0]
	bob.reads(frame, "text")
}

// Nobody begins with a bundle that was replaced, once a newer one was used.
func TestOlderBundleIsRefused(t *testing.T) {
	a, b := newHuman(t, 1), newHuman(t, 1)
	older := b.peer(t, 0, hybrid)
	alice := &party{t: t, d: a.devices[0], other: older}
	var err error
	alice.s, err = New(alice.d, older)
	require.NoError(t, err)
	alice.initiate()
	first := alice.s.Part().sessions.list[0].ephemeral
	alice.send("text")
	b.devices[0] = rotated(t, b.devices[0], day0.Add(rotateAfter))
	alice.other = b.peer(t, 0, hybrid)
	alice.initiate()
	require.False(t, first.Equal(alice.s.Part().sessions.list[0].ephemeral), "an unanswered session is begun anew with the new keys")
	same, err := Initiate(alice.s, alice.d, older)
	require.ErrorIs(t, err, ErrUnverified)
	require.True(t, same.Equal(alice.s))
}

// Clocks that are wrong neither keep keys for ever nor pile them up.
func TestRotationWithWrongClocks(t *testing.T) {
	future := day0.Add(10 * 365 * 24 * time.Hour)
	d, err := NewDevice(newHuman(t, 0).address(), future)
	require.NoError(t, err)
	d = rotated(t, d, day0)
	for i := range 3 * maxPreKeys {
		now := day0
		if i%2 == 0 {
			now = future
		}
		d, _ = d.Rotate(now)
		require.LessOrEqual(t, len(d.preKeys), maxPreKeys)
		back, err := parseDevice(d.marshal())
		require.NoError(t, err)
		require.True(t, back.Equal(d))
	}
}

// The KEM pre-key of a bundle opens by the bundle's number for as long as its keys are held.
func TestKEMPreKeysRotate(t *testing.T) {
	h := newHuman(t, 1)
	d := h.devices[0]
	peer := h.peer(t, 0, hybrid)
	public, err := peer.KEM()
	require.NoError(t, err)
	sealed, err := public.Seal("use", []byte("text"))
	require.NoError(t, err)
	bundle, _ := peer.Bundle()
	d = rotated(t, d, day0.Add(rotateAfter))
	k, err := d.KEM(bundle.Number())
	require.NoError(t, err)
	plain, err := k.Open("use", sealed)
	require.NoError(t, err)
	require.Equal(t, "text", string(plain))
	_, err = d.KEM(3)
	require.ErrorIs(t, err, ErrNotYet)
	d = rotated(t, d, day0.Add(rotateAfter+keepReplaced))
	_, err = d.KEM(bundle.Number())
	require.ErrorIs(t, err, ErrExpired)
	_, err = d.KEM(0)
	require.ErrorIs(t, err, ErrExpired)
}

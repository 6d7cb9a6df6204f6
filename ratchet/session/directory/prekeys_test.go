package directory

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

// A lookup of the bundle consumes nothing, a claim does, and no ID comes twice.
func TestPreKeys(t *testing.T) {
	h, other := newHuman(t, 1), newHuman(t, 1)
	d := h.devices[0]
	keys := d.oneTime(1, 2, 3)
	held, err := NewPreKeys(d.bundle()).Add(keys...)
	require.NoError(t, err)
	for range 10 {
		require.True(t, held.Bundle().Identity().Equal(d.identity.Public()))
	}
	require.Equal(t, 3, held.Len())

	seen := map[uint32]bool{}
	for range 3 {
		var k OneTimePreKey
		before := held
		held, k, err = held.Claim()
		require.NoError(t, err)
		require.False(t, seen[k.ID()])
		seen[k.ID()] = true
		require.Equal(t, held.Len()+1, before.Len(), "values are immutable")
	}
	same, _, err := held.Claim()
	require.ErrorIs(t, err, ErrNoneLeft)
	require.Zero(t, same.Len())

	// The stored form remembers that they were claimed.
	raw, err := held.MarshalBinary()
	require.NoError(t, err)
	held, err = ParsePreKeys(raw)
	require.NoError(t, err)
	_, err = PreKeys{}.MarshalBinary()
	require.ErrorIs(t, err, key.ErrArgument)

	// An ID that was there once is refused for ever, and so are keys of others.
	_, err = held.Add(keys[2])
	require.ErrorIs(t, err, ErrReused)
	more := d.oneTime(4, 5)
	_, err = held.Add(more[1], more[0])
	require.ErrorIs(t, err, ErrReused)
	held, err = held.Add(more...)
	require.NoError(t, err)
	foreign := other.devices[0].oneTime(1, 9)
	_, err = held.Add(foreign[1])
	require.ErrorIs(t, err, key.ErrUnverified)
	forged := foreign[1]
	forged.identity = d.identity.Public()
	_, err = held.Add(forged)
	require.ErrorIs(t, err, key.ErrUnverified)
	_, err = held.Add(OneTimePreKey{})
	require.ErrorIs(t, err, key.ErrUnverified)

	full := PreKeys{bundle: d.bundle(), oneTime: make([]OneTimePreKey, MaxOneTime), highest: MaxOneTime}
	_, err = full.Add(d.oneTime(MaxOneTime + 1)...)
	require.ErrorIs(t, err, ErrFull)

	peer, err := h.verified(t).WithBundle(d.bundle())
	require.NoError(t, err)
	weak, err := h.verified(t).Peer(d.identity.Public())
	require.NoError(t, err)
	_, err = peer.WithOneTime(forged)
	require.ErrorIs(t, err, key.ErrUnverified)
	_, err = peer.WithOneTime(foreign[0])
	require.ErrorIs(t, err, key.ErrUnverified)
	_, err = peer.WithOneTime(OneTimePreKey{})
	require.ErrorIs(t, err, key.ErrUnverified)
	_, err = weak.WithOneTime(more[0])
	require.ErrorIs(t, err, key.ErrUnverified)
}

// A newer bundle of the same device replaces the one before, with the one-time pre-keys that were published beside it.
func TestReplace(t *testing.T) {
	h, other := newHuman(t, 1), newHuman(t, 1)
	d := h.devices[0]
	held, err := NewPreKeys(d.bundle()).Add(d.oneTime(1, 2)...)
	require.NoError(t, err)
	next, err := held.Replace(d.bundleNumber(3))
	require.NoError(t, err)
	require.Equal(t, uint32(3), next.Bundle().Number())
	require.Zero(t, next.Len())
	require.Equal(t, 2, held.Len())
	_, err = next.Add(d.oneTime(2)...)
	require.ErrorIs(t, err, ErrReused)
	_, err = next.Add(d.oneTime(3)...)
	require.NoError(t, err)

	forged := d.bundleNumber(4)
	forged.keys.Number++
	renamed := d
	renamed.mailbox = other.devices[0].mailbox
	for name, b := range map[string]Bundle{"nothing": {}, "another device": other.devices[0].bundleNumber(9), "forged": forged,
		"another mailbox": renamed.bundleNumber(9)} {
		_, err = next.Replace(b)
		require.ErrorIs(t, err, key.ErrUnverified, name)
	}
	for _, n := range []uint32{1, 2, 3} {
		_, err = next.Replace(d.bundleNumber(n))
		require.ErrorIs(t, err, ErrReused)
	}
}

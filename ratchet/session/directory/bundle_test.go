package directory

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

func TestBundleIsVerified(t *testing.T) {
	h, other := newHuman(t, 1), newHuman(t, 1)
	person, d := h.verified(t), h.devices[0]
	raw, err := d.bundle().MarshalBinary()
	require.NoError(t, err)
	require.Len(t, raw, bundleSize)
	b, err := ParseBundle(raw)
	require.NoError(t, err)
	peer, err := person.WithBundle(b)
	require.NoError(t, err)
	require.True(t, peer.IsHybrid())
	_, err = peer.KEM()
	require.NoError(t, err)
	weak, err := person.Peer(d.identity.Public())
	require.NoError(t, err)
	_, err = weak.KEM()
	require.ErrorIs(t, err, key.ErrArgument)

	_, err = other.verified(t).WithBundle(b)
	require.ErrorIs(t, err, key.ErrUnverified, "the device of somebody else")
	_, err = person.WithBundle(Bundle{})
	require.ErrorIs(t, err, key.ErrUnverified)
	forged := b
	forged.keys.KEM = other.devices[0].kem.Public()
	_, err = person.WithBundle(forged)
	require.ErrorIs(t, err, key.ErrUnverified, "another KEM pre-key")
	forged = b
	forged.keys.MLKEM = other.devices[0].bundle().keys.MLKEM
	_, err = person.WithBundle(forged)
	require.ErrorIs(t, err, key.ErrUnverified, "another ML-KEM key")
	forged = b
	forged.keys.PreKey = other.devices[0].preKey.Public()
	_, err = person.WithBundle(forged)
	require.ErrorIs(t, err, key.ErrUnverified, "another pre-key")
	forged = b
	forged.keys.Number++
	_, err = person.WithBundle(forged)
	require.ErrorIs(t, err, key.ErrUnverified, "another number")
	forged = b
	forged.mailbox = other.devices[0].mailbox.Public()
	copy(forged.signature[:], other.devices[0].mailbox.Sign(labelled(labelBundle, forged.body())))
	_, err = person.WithBundle(forged)
	require.ErrorIs(t, err, key.ErrUnverified, "another mailbox")
	for i := 0; i < len(raw); i++ {
		changed := bytes.Clone(raw)
		changed[i] ^= 1
		if b, err := ParseBundle(changed); err == nil {
			_, err = person.WithBundle(b)
			require.ErrorIs(t, err, key.ErrUnverified, "byte %d", i)
		}
		if i > 1+3*key.PublicKeySize+4 && i < len(raw)-key.SignatureSize {
			i += 97 // the keys for KEMs are long
		}
	}
}

// A device whose bundle is given is a peer in the hybrid suite, any other one in the classic suite.
func TestPeersWithBundles(t *testing.T) {
	h, other := newHuman(t, 2), newHuman(t, 1)
	person := h.verified(t)
	peers, err := person.Peers(h.devices[1].bundle())
	require.NoError(t, err)
	require.Len(t, peers, 2)
	require.False(t, peers[0].IsHybrid())
	require.True(t, peers[1].IsHybrid())
	require.True(t, peers[1].Identity().Equal(h.devices[1].identity.Public()))
	_, err = person.Peers(h.devices[0].bundle(), other.devices[0].bundle())
	require.ErrorIs(t, err, key.ErrUnverified)
}

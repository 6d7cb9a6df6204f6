package session

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/ed448/ed448test"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/box"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/double"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
)

// No hostile point is a key, wherever one is read (G18, hostile matrix).
func TestHostilePointsAreNoKeys(t *testing.T) {
	h := newHuman(t, 1)
	d, r := h.devices[0], h.registration(t)
	bundle, err := d.Bundle().MarshalBinary()
	require.NoError(t, err)
	_, keys, err := d.Issue(1)
	require.NoError(t, err)
	oneTime, err := keys[0].MarshalBinary()
	require.NoError(t, err)
	sealed, err := box.Seal(d.inbox.Public(), nil)
	require.NoError(t, err)
	rawBox, err := sealed.MarshalBinary()
	require.NoError(t, err)
	ratchet := double.StartReceiving(double.Classic, secret.Random(double.AgreedSize), d.preKey, keypair.GenerateKey[key.Ephemeral]().Public())
	state, err := ratchet.JSON()
	require.NoError(t, err)

	swap := func(in []byte, point []byte, bad []byte) []byte {
		out := bytes.Replace(in, point, bad, 1)
		require.NotEqual(t, in, out)
		return out
	}
	swapHex := func(in []byte, point []byte, bad []byte) []byte {
		out := bytes.Replace(in, []byte(hex.EncodeToString(point)), []byte(hex.EncodeToString(bad)), 1)
		require.NotEqual(t, in, out)
		return out
	}
	for name, bad := range ed448test.BadPoints(t) {
		t.Run(name, func(t *testing.T) {
			for _, point := range [][]byte{d.identity.Public().Bytes(), d.preKey.Public().Bytes(), d.inbox.Public().Bytes(),
				h.account.Public().Bytes(), h.user.Public().Bytes()} {
				_, err = directory.ParseRegistration(swapHex(r.JSON(), point, bad))
				require.ErrorIs(t, err, key.ErrMalformed)
			}
			_, err = directory.ParseBundle(swap(bundle, d.identity.Public().Bytes(), bad))
			require.ErrorIs(t, err, key.ErrMalformed)
			_, err = directory.ParseBundle(swap(bundle, d.mailbox.Public().Bytes(), bad))
			require.ErrorIs(t, err, key.ErrMalformed)
			_, err = directory.ParseOneTimePreKey(swap(oneTime, keys[0].Key().Bytes(), bad))
			require.ErrorIs(t, err, key.ErrMalformed)
			if len(bad) == key.PublicKeySize { // otherwise it is a box with the bytes behind the key moved
				_, err = box.Parse(swap(rawBox, sealed.Ephemeral().Bytes(), bad))
				require.ErrorIs(t, err, key.ErrMalformed)
			}
			var j map[string]any
			require.NoError(t, json.Unmarshal(state, &j))
			j["receiving_ephemeral_key"] = bad
			in, err := json.Marshal(j)
			require.NoError(t, err)
			_, err = double.ParseJSON(in)
			require.ErrorIs(t, err, key.ErrMalformed)
		})
	}
}

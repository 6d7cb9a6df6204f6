package keypair_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/session/internal/quorumtest"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

func TestQuorumKeys(t *testing.T) {
	file := quorumtest.Load[struct {
		About string
		X     []quorumtest.Pair
		Ed448 []struct {
			quorumtest.Pair
			Message   []byte
			Signature []byte
			Inbox     struct {
				Key     []byte `json:"ed448_public_key"`
				Address string
			}
		}
	}](t, "keys.json")
	for _, v := range quorumtest.All(t, file.X) {
		k := quorumtest.Private[key.Identity](t, v)
		require.Equal(t, v.Private, k.Bytes())
		require.Equal(t, v.Public, k.Public().Bytes())
	}
	for _, v := range quorumtest.All(t, file.Ed448) {
		k := quorumtest.Signing(t, v.Pair)
		require.Equal(t, v.Private, k.Seed())
		require.Equal(t, v.Signature, k.Sign(v.Message))
		require.NoError(t, k.Public().Verify(v.Message, v.Signature))
		require.ErrorIs(t, k.Public().Verify(append(v.Message, 0), v.Signature), key.ErrUnverified)

		inbox, err := key.ParseVerifyKey(v.Inbox.Key)
		require.NoError(t, err)
		require.Equal(t, v.Inbox.Address, inbox.Address().String())
		address, err := key.ParseAddress(v.Inbox.Address)
		require.NoError(t, err)
		require.Equal(t, inbox.Address(), address)
	}
}

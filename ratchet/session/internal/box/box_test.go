package box

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/wire/wiretest"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/quorumtest"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
)

func TestQuorumSealed(t *testing.T) {
	file := quorumtest.Load[struct {
		Cases []struct {
			Inbox      quorumtest.Pair
			Public     []byte `json:"ephemeral_public_key"`
			Private    []byte `json:"ephemeral_private_key"`
			Ciphertext json.RawMessage
			Plaintext  []byte
		}
	}](t, "sealed.json")
	for _, v := range quorumtest.All(t, file.Cases) {
		inbox, e := quorumtest.Private[key.Inbox](t, v.Inbox), quorumtest.Private[key.Ephemeral](t, quorumtest.Pair{Private: v.Private, Public: v.Public})
		box, err := ParseJSON(e.Public(), v.Ciphertext)
		require.NoError(t, err)
		plain, err := box.Open(inbox)
		require.NoError(t, err)
		require.Equal(t, string(v.Plaintext), string(plain))
		require.JSONEq(t, string(v.Ciphertext), string(box.JSON()))

		// The same box is made from the same random bytes.
		k, err := derive(keypair.Agree(e, inbox.Public()))
		require.NoError(t, err)
		require.Equal(t, box.ciphertext, k.Seal(nil, box.nonce[:], v.Plaintext, box.associated))
	}
}

func FuzzBox(f *testing.F) {
	b, err := Seal(keypair.GenerateKey[key.Inbox]().Public(), []byte("text"))
	require.NoError(f, err)
	wiretest.Fuzz(f, Parse, func(b Box) []byte { return quorumtest.Must(b.MarshalBinary()) }, quorumtest.Must(b.MarshalBinary()))
}

func FuzzBoxJSON(f *testing.F) {
	e := keypair.GenerateKey[key.Ephemeral]().Public()
	b, err := Seal(keypair.GenerateKey[key.Inbox]().Public(), []byte("text"))
	require.NoError(f, err)
	quorumtest.FuzzJSON(f, func(in []byte) (Box, error) { return ParseJSON(e, in) }, Box.JSON, b.JSON())
}

func BenchmarkSeal1K(b *testing.B) {
	k := keypair.GenerateKey[key.Inbox]().Public()
	b.ReportAllocs()
	for b.Loop() {
		_, err := Seal(k, make([]byte, 1024))
		require.NoError(b, err)
	}
}

func BenchmarkOpen1K(b *testing.B) {
	k := keypair.GenerateKey[key.Inbox]()
	box, err := Seal(k.Public(), make([]byte, 1024))
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		_, err := box.Open(k)
		require.NoError(b, err)
	}
}

package frame_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire/wiretest"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/box"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/double"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/frame"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
)

func FuzzFrame(f *testing.F) {
	sealed, err := box.Seal(keypair.GenerateKey[key.Inbox]().Public(), []byte("text"))
	require.NoError(f, err)
	r, err := double.StartSending(double.Braided, secret.Random(double.AgreedSize), keypair.GenerateKey[key.Ephemeral](),
		keypair.GenerateKey[key.PreKey]().Public())
	require.NoError(f, err)
	_, m, err := r.Encrypt([]byte("text"))
	require.NoError(f, err)
	wiretest.Fuzz(f, frame.Parse, frame.Frame.Marshal,
		frame.Frame{Kind: frame.Initiation, Box: sealed}.Marshal(), frame.Frame{Kind: frame.Classic, Box: sealed}.Marshal(),
		frame.Frame{Kind: frame.Message, Message: m}.Marshal())
}

package trefoil

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/wire/wiretest"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
)

func someOpening(n int) *opening {
	o := newOpening([]byte("a letter"))
	for i := range n {
		o.envelopes = append(o.envelopes, Envelope{Person: key.Address{byte(i + 1)}, Device: keypair.GenerateKey[key.Identity]().Public(),
			Ephemeral: keypair.GenerateKey[key.Ephemeral]().Public(), Topic: key.Address{9}.String(), Frame: []byte("a frame")})
	}
	return o
}

// An opening is read as it was written.
func TestOpeningIsStored(t *testing.T) {
	o := someOpening(3)
	o.completed = 2
	got, err := parseOpening(o.encode())
	require.NoError(t, err)
	require.Equal(t, o.encode(), got.encode())
	require.Equal(t, o.request, got.request)
	require.Len(t, got.envelopes, 3)
	require.NotEqual(t, o.request, newOpening(o.letter).request, "each has a request of its own")
}

func FuzzOpening(f *testing.F) {
	wiretest.Fuzz(f, parseOpening, (*opening).encode, someOpening(0).encode(), someOpening(2).encode())
}

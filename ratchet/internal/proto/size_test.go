package proto

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// Size is the length of what is encoded, for each field there may be.
func TestSizeOfAnInner(t *testing.T) {
	p := newPieces(t, suite.Ed25519Hybrid)
	full := p.inner(t)
	for _, n := range []Inner{
		{}, {Plaintext: []byte("text")}, {Introduction: full.Introduction}, {Update: full.Update}, {Answered: 1}, {Expiry: 1},
		{Introduced: full.Introduced}, {Shown: full.Shown}, full,
	} {
		require.Equal(t, 2+64+len(n.encode()), n.Size(64))
		padded := n.Pad(64, 1<<20)
		require.Equal(t, n.Size(64), padded.Size(64))
	}
}

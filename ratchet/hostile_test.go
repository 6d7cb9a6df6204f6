package ratchet

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/state"
)

// A frame with any byte changed is not read, panics nowhere and moves nothing: the true one is read afterwards (G14).
func TestFlipEveryByte(t *testing.T) {
	g := newGroup(t, 2, rules.Policy{KEM: rules.X25519})
	for _, frame := range [][]byte{g.peers[0].committing("with a commit"), g.peers[0].send("plain")} {
		before := g.peers[1].space()
		for i := range frame {
			bad := slices.Clone(frame)
			bad[i] ^= 1 << (i % 8)
			next, _, err := Decrypt(before, g.now, bad)
			require.Error(t, err, "byte %d", i)
			require.NotEqual(t, state.Stop, state.VerdictOf(err), "byte %d: %v", i, err)
			require.True(t, next.Equal(before), "byte %d", i)
		}
		for _, n := range []int{0, 1, len(frame) / 2, len(frame) - 1} {
			_, _, err := Decrypt(before, g.now, frame[:n])
			require.ErrorIs(t, err, ErrMalformed, "%d bytes", n)
		}
		_, _, err := Decrypt(before, g.now, append(slices.Clone(frame), 0))
		require.ErrorIs(t, err, ErrMalformed)
		require.Equal(t, state.Read, g.peers[1].receive(frame, "").Verdict)
	}
	require.Equal(t, []string{"with a commit", "plain"}, g.peers[1].texts())
}

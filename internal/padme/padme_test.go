package padme_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/internal/padme"
)

func TestLength(t *testing.T) {
	// Lengths from the paper's rule, computed by hand: 9 = 1001b keeps 2 of the 3 bits behind its first, and so on.
	for n, want := range map[int64]int64{1: 1, 2: 2, 3: 3, 9: 10, 63: 64, 100: 104, 1000: 1024, 1025: 1088, 65_537: 67_584} {
		require.Equal(t, want, padme.Length(n), n)
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(1, math.MaxInt64/2).Draw(t, "n")
		p := padme.Length(n)
		require.GreaterOrEqual(t, p, n)
		require.LessOrEqual(t, float64(p), 1.12*float64(n)+1)
		require.Equal(t, p, padme.Length(p), "padding pads nothing further")
	})
}

package frost

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/ed448"
)

// BenchmarkSign is a whole signature by t signers: round 1, a package for each of them and for the one who aggregates,
// round 2, and the verified signature. The metric ratio is its time over that of the primitives that it needs, measured
// in the same run: for each signer two fixed-base multiplications, for each package the 2·t public ones of R in one sum,
// and one verification.
func BenchmarkSign(b *testing.B) {
	for _, m := range []int{2, 3, 9} {
		b.Run(fmt.Sprintf("t=%d", m), func(b *testing.B) {
			key, shares := deal(b, m, m)
			_, c := roundOne(shares)
			p, err := NewPackage(key, []byte("message"), c)
			require.NoError(b, err)
			var scalars []ed448.Scalar
			var points []ed448.Point
			for i, c := range p.commitments {
				scalars = append(scalars, ed448.ScalarFromUint32(1), p.factors[i])
				points = append(points, c.hiding, c.binding)
			}
			sig := append(p.group.Bytes(), scalarBytes(p.challenge)...)
			var primitives time.Duration
			b.ReportAllocs()
			for b.Loop() {
				nonces, c := roundOne(shares)
				var p Package
				for range m + 1 {
					p, err = NewPackage(key, []byte("message"), c)
					require.NoError(b, err)
				}
				_, err = p.Aggregate(roundTwo(b, nonces, p))
				require.NoError(b, err)

				b.StopTimer()
				start := time.Now()
				for range 2 * m {
					ed448.BaseMult(scalars[1])
				}
				for range m + 1 {
					ed448.VarTimeMultiMult(scalars, points)
				}
				key.Verify(nil, sig)
				primitives += time.Since(start)
				b.StartTimer()
			}
			b.ReportMetric(float64(b.Elapsed())/float64(primitives), "ratio")
		})
	}
}

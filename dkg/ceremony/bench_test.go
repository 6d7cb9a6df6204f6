package ceremony

import (
	"crypto/ed25519"
	"crypto/hpke"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg/threshold"
	"github.com/trefoil-im/trefoil/internal/cputest"
	"github.com/trefoil-im/trefoil/internal/ed448"
)

// The figures are of all parties together, and of time of the processor, so that a busy machine counts for nothing. The
// metric ratio is their time over that of the primitives that a ceremony of these sizes needs, each measured in the same
// process: multiplications for commitments and for one check of each receiver's sum, reading and adding all commitments,
// proofs, box keys, boxes, signatures. Hashes, encodings, copies of values and the random numbers are what the ratio
// shows.

// costs is what primitives take.
type costs struct{ base, double, scalar, parse, add, check, evaluate, boxKey, seal, open, sign, verify time.Duration }

// measure returns the time of f per call.
func measure(f func()) time.Duration {
	const calls = 200
	start := cputest.Used()
	for range calls {
		f()
	}
	return (cputest.Used() - start) / calls
}

func measureCosts(b *testing.B, s Setup) (c costs) {
	k, l := ed448.RandomScalar(), ed448.RandomScalar()
	p := ed448.BaseMult(k)
	raw := p.Affine()
	u, err := ed448.ParseUnchecked(raw)
	require.NoError(b, err)
	many := make([]ed448.Unchecked, 100)
	for i := range many {
		many[i] = u
	}
	points := make([]ed448.Point, s.coefficients())
	for i := range points {
		points[i] = p
	}
	var key hpke.PrivateKey
	c.base = measure(func() { ed448.BaseMult(k) })
	c.double = measure(func() { ed448.VarTimeDoubleBaseMult(k, l, p) })
	c.scalar = measure(func() { k.Mul(l).Add(l) })
	c.parse = measure(func() { ed448.ParseUnchecked(raw) })
	c.add = measure(func() { ed448.SumUnchecked(many...) }) / 100
	c.check = measure(func() { u.Check() })
	c.evaluate = measure(func() { ed448.VarTimeEvaluate(points, uint32(len(s.members))) })
	c.boxKey = measure(func() { key, _ = kem().GenerateKey() })
	public := key.PublicKey().Bytes()
	var box []byte
	c.seal = measure(func() { box, _ = seal(s, Deal, 1, 2, public, k) })
	c.open = measure(func() { _, err = open(s, Deal, 1, 2, key, box) })
	require.NoError(b, err)
	signer := keyOf(1)
	sig := ed25519.Sign(signer, raw)
	c.sign = measure(func() { ed25519.Sign(signer, raw) })
	c.verify = measure(func() { ed25519.Verify(signer.Public().(ed25519.PublicKey), raw, sig) })
	return c
}

// primitives returns what a ceremony in which n parties deal to each other needs, and each says rounds things.
func (c costs) primitives(n, m, rounds int) time.Duration {
	d := func(count int, each time.Duration) time.Duration { return time.Duration(count) * each }
	pairs := n * (n - 1)
	return d(n*m, c.base) + d(n*n*m, c.scalar) + // deal
		d(n, 2*c.base+c.scalar) + d(pairs, c.check+c.double) + // prove
		d(pairs, c.boxKey+c.seal+c.open) + // box
		d(n*n*m, c.add) + d(pairs*m, c.parse) + d(n*m, c.check) + d(n, c.base+c.evaluate) + // check the sum
		d(n*rounds, c.sign) + d(pairs*rounds, c.verify)
}

// play runs a ceremony to its end, each message delivered to each party once.
func play(b *testing.B, s Setup, shares map[index]threshold.Share) map[index]Run {
	runs := make(map[index]Run)
	for _, i := range s.indices() {
		r, err := Begin(s, keyOf(i), shares[i])
		require.NoError(b, err)
		runs[i] = r
	}
	for round := Join; round <= Hand; round++ {
		for _, from := range s.speakers(round) {
			m, ok := runs[from].get(round, from)
			require.True(b, ok)
			raw := m.bytes(s)
			for _, to := range without(s.indices(), from) {
				next, err := runs[to].Receive(raw)
				if err != nil {
					b.Fatal(err)
				}
				runs[to] = next
			}
		}
	}
	for _, r := range runs {
		_, err := r.Result()
		require.NoError(b, err)
	}
	return runs
}

func benchmark(b *testing.B, s Setup, shares map[index]threshold.Share, rounds int) {
	c := measureCosts(b, s)
	need := c.primitives(len(s.members), s.coefficients(), rounds)
	b.ReportAllocs()
	start := cputest.Used()
	for b.Loop() {
		play(b, s, shares)
	}
	used := float64(cputest.Used()-start) / float64(b.N)
	b.ReportMetric(used/1e6, "cpu-ms/op")
	b.ReportMetric(used/float64(need), "ratio")
}

func BenchmarkDKG(b *testing.B) {
	for _, size := range [][2]int{{4, 2}, {4, 3}, {16, 2}, {16, 9}, {64, 33}} {
		n, m := size[0], size[1]
		b.Run(fmt.Sprintf("n=%d,t=%d", n, m), func(b *testing.B) {
			s, err := NewGeneration(nil, m, parties(upTo(n)...))
			require.NoError(b, err)
			benchmark(b, s, nil, 3)
		})
	}
}

func dealtKey(b *testing.B, n, m int) (threshold.Key, map[index]threshold.Share) {
	s, err := NewGeneration(nil, m, parties(upTo(n)...))
	require.NoError(b, err)
	shares := make(map[index]threshold.Share)
	var key threshold.Key
	for i, r := range play(b, s, nil) {
		res, err := r.Result()
		require.NoError(b, err)
		key, shares[i] = res.Key, res.Share
	}
	return key, shares
}

func BenchmarkRefresh(b *testing.B) {
	for _, size := range [][2]int{{4, 3}, {16, 9}} {
		b.Run(fmt.Sprintf("n=%d,t=%d", size[0], size[1]), func(b *testing.B) {
			key, shares := dealtKey(b, size[0], size[1])
			s, err := NewRefresh(nil, key, parties(upTo(size[0])...))
			require.NoError(b, err)
			benchmark(b, s, shares, 3)
		})
	}
}

// BenchmarkRepair is t helpers and the party that lost its share, so n is t+1 in the primitives.
func BenchmarkRepair(b *testing.B) {
	for _, size := range [][2]int{{4, 3}, {16, 9}} {
		b.Run(fmt.Sprintf("n=%d,t=%d", size[0], size[1]), func(b *testing.B) {
			key, shares := dealtKey(b, size[0], size[1])
			lost := index(size[0])
			delete(shares, lost)
			s, err := NewRepair(nil, key, parties(lost)[0], parties(upTo(size[1])...))
			require.NoError(b, err)
			benchmark(b, s, shares, 4)
		})
	}
}

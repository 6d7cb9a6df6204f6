package session

import (
	"crypto/hkdf"
	"crypto/mlkem"
	"crypto/sha512"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/double"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
	"github.com/trefoil-im/trefoil/state"
)

// Compare what an operation costs with the primitives that it consists of, measured in the same run:
//
//	X3DHInitiate    3 ScalarMult + 1 BaseMult + 1 HKDF        X3DHAccept   3 ScalarMult + 1 HKDF
//	HybridInitiate  X3DHInitiate + 1 Encapsulate

var kilobyte = make([]byte, 1024)

func bench(b *testing.B, f func()) {
	b.ReportAllocs()
	for b.Loop() {
		f()
	}
}

func BenchmarkScalarMult(b *testing.B) {
	s, p := ed448.RandomScalar(), ed448.BaseMult(ed448.RandomScalar())
	bench(b, func() { ed448.SharedSecret(s, p) })
}

func BenchmarkBaseMult(b *testing.B) { bench(b, func() { ed448.BaseMult(ed448.RandomScalar()) }) }

func BenchmarkHKDF(b *testing.B) {
	bench(b, func() { hkdf.Key(sha512.New, kilobyte[:228], kilobyte[:32], labelX3DH, 96) })
}

func BenchmarkEncapsulate(b *testing.B) {
	k, err := mlkem.GenerateKey768()
	require.NoError(b, err)
	e := k.EncapsulationKey()
	bench(b, func() { e.Encapsulate() })
}

func BenchmarkX3DHInitiate(b *testing.B) {
	a, peer := keypair.GenerateKey[key.Identity](), newHuman(b, 1).devices[0].Entry()
	bench(b, func() {
		_, err := x3dhInitiate(a, keypair.GenerateKey[key.Ephemeral](), peer.Identity(), peer.PreKey()).key(labelX3DH, double.AgreedSize)
		require.NoError(b, err)
	})
}

func BenchmarkX3DHAccept(b *testing.B) {
	d, a, e := newHuman(b, 1).devices[0], keypair.GenerateKey[key.Identity]().Public(), keypair.GenerateKey[key.Ephemeral]().Public()
	bench(b, func() {
		_, err := x3dhAccept(d.identity, d.preKey, a, e).key(labelX3DH, double.AgreedSize)
		require.NoError(b, err)
	})
}

func BenchmarkHybridInitiate(b *testing.B) {
	a, h := newHuman(b, 1), newHuman(b, 1)
	peer := h.peer(b, 0, hybrid)
	bench(b, func() {
		_, _, _, err := agreeInitiate(a.devices[0], keypair.GenerateKey[key.Ephemeral](), peer, 1, 0)
		require.NoError(b, err)
	})
}

// BenchmarkBacklog receives messages of 100 bytes from one device into a store in memory, one by one and 128 in one call. Divide the
// times for a frame. BenchmarkReceiveAll of package state says what an SQLite file adds.
func BenchmarkBacklog(b *testing.B) {
	const backlog = 128
	for _, together := range []int{1, backlog} {
		b.Run(fmt.Sprintf("together=%d", together), func(b *testing.B) {
			w := newTown(b)
			h, bob := w.arrive(1)
			a, ann := w.arrive(1)
			to := w.open(bob[0].station)
			ann[0].says("hello", h.address())
			to.reads("hello")
			to.says("hello yourself", a.address())
			ann[0].reads("hello yourself")
			for b.Loop() {
				b.StopTimer()
				to.texts(to.slotOf(ann[0]))
				for range backlog {
					ann[0].says(string(kilobyte[:100]), h.address())
				}
				frames := to.waiting()
				b.StartTimer()
				for i := 0; i < backlog; i += together {
					_, receipts, err := to.ReceiveAll(b.Context(), frames[i:i+together])
					if err != nil || receipts[0].Verdict != state.Read {
						b.Fatal(err, receipts[0].Reason)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*backlog), "ns/frame")
		})
	}
}

package ratchet

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/state"
)

// reportRatio times a scalar multiplication in the same run and reports how many of them an operation costs.
func reportRatio(b *testing.B) {
	b.StopTimer()
	const n = 64
	s, p := ed448.RandomScalar(), ed448.BaseMult(ed448.RandomScalar())
	start := time.Now()
	for range n {
		p.Mult(s)
	}
	one := time.Since(start) / n
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(one), "mults/op")
}

func BenchmarkScalarMult(b *testing.B) {
	s, p := ed448.RandomScalar(), ed448.BaseMult(ed448.RandomScalar())
	b.ReportAllocs()
	for b.Loop() {
		p.Mult(s)
	}
}

func BenchmarkCommitMake(b *testing.B) {
	poly := dkg.NewPolynomial()
	public, share := poly.Commitment(), mustShare(poly, 2)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := makeCommit(state.ID{1}, epochID{2}, public, share); err != nil {
			b.Fatal(err)
		}
	}
	reportRatio(b)
}

func BenchmarkCommitFollow(b *testing.B) {
	poly := dkg.NewPolynomial()
	public := poly.Commitment()
	c, _, err := makeCommit(state.ID{1}, epochID{2}, public, mustShare(poly, 2))
	require.NoError(b, err)
	share := mustShare(poly, 1<<13+5)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.follow(state.ID{1}, epochID{2}, piecesDepth, public, share); err != nil {
			b.Fatal(err)
		}
	}
	reportRatio(b)
}

func benchmarkSign(b *testing.B, s Scheme) {
	k, body := newSigningKey(s), make([]byte, 329) // what a message signs
	b.ReportAllocs()
	for b.Loop() {
		k.sign(signMessage, body)
	}
}

func benchmarkVerify(b *testing.B, s Scheme) {
	k, body := newSigningKey(s), make([]byte, 329)
	sig := k.sign(signMessage, body)
	b.ReportAllocs()
	for b.Loop() {
		if err := k.public.verify(sig, signMessage, body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEd25519Sign(b *testing.B)   { benchmarkSign(b, Ed25519) }
func BenchmarkEd25519Verify(b *testing.B) { benchmarkVerify(b, Ed25519) }
func BenchmarkEd448Sign(b *testing.B)     { benchmarkSign(b, Ed448) }
func BenchmarkEd448Verify(b *testing.B)   { benchmarkVerify(b, Ed448) }

// BenchmarkMessageSeal and BenchmarkMessageOpen are all of a message but its signature: step, header, content, body.
func BenchmarkMessageSeal(b *testing.B) {
	space, id := state.ID{1}, epochID{2}
	key, chain := newSealer(secret.Random(keySize)), secret.Random(keySize)
	k, text := newSigningKey(Ed25519), make([]byte, 200)
	sig := k.sign(signMessage)
	b.ReportAllocs()
	for b.Loop() {
		_, message := step(chain)
		h := header{2, 7}
		e := newEnvelope(h.seal(key, space, id), nil)
		c := content{signature: sig, plaintext: text}
		c.signed(space, id, h, e.bound)
		e, err := e.seal(space, id, message, c)
		if err != nil {
			b.Fatal(err)
		}
		e.Bytes()
	}
}

func BenchmarkMessageOpen(b *testing.B) {
	space, id := state.ID{1}, epochID{2}
	key, chain := newSealer(secret.Random(keySize)), secret.Random(keySize)
	_, message := step(chain)
	h := header{2, 7}
	e, err := newEnvelope(h.seal(key, space, id), nil).seal(space, id, message,
		content{signature: make([]byte, 64), plaintext: make([]byte, 200)})
	require.NoError(b, err)
	raw := e.Bytes()
	b.ReportAllocs()
	for b.Loop() {
		e, err := ParseEnvelope(raw)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := openHeader(key, space, id, piecesDepth, e.header); err != nil {
			b.Fatal(err)
		}
		_, message := step(chain)
		c, err := e.open(space, id, message)
		if err != nil {
			b.Fatal(err)
		}
		c.signed(space, id, h, e.bound)
	}
}

func BenchmarkFrontierEval(b *testing.B) {
	for name, t := range map[string]int{"sender": piecesDepth, "commit": piecesDepth + childBits} {
		b.Run(name, func(b *testing.B) {
			f, path := newFrontier(secret.Random(keySize), t), make([]byte, 18)
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := f.eval(path); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

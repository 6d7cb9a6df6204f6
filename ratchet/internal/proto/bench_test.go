package proto

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/pprf"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
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
		if _, _, err := NewCommit(state.ID{1}, EpochID{2}, public, share); err != nil {
			b.Fatal(err)
		}
	}
	reportRatio(b)
}

func BenchmarkCommitFollow(b *testing.B) {
	poly := dkg.NewPolynomial()
	public := poly.Commitment()
	c, _, err := NewCommit(state.ID{1}, EpochID{2}, public, mustShare(poly, 2))
	require.NoError(b, err)
	share := mustShare(poly, 1<<13+5)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Follow(state.ID{1}, EpochID{2}, piecesDepth, public, share); err != nil {
			b.Fatal(err)
		}
	}
	reportRatio(b)
}

func benchmarkSign(b *testing.B, s suite.Scheme) {
	k, body := suite.NewSigningKey(s), make([]byte, 329) // what a message signs
	b.ReportAllocs()
	for b.Loop() {
		k.Sign(suite.SignMessage, body)
	}
}

func benchmarkVerify(b *testing.B, s suite.Scheme) {
	k, body := suite.NewSigningKey(s), make([]byte, 329)
	sig := k.Sign(suite.SignMessage, body)
	b.ReportAllocs()
	for b.Loop() {
		if err := k.Public.Verify(sig, suite.SignMessage, body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEd25519Sign(b *testing.B) { benchmarkSign(b, suite.Ed25519) }

func BenchmarkEd25519Verify(b *testing.B) { benchmarkVerify(b, suite.Ed25519) }

func BenchmarkEd448Sign(b *testing.B) { benchmarkSign(b, suite.Ed448) }

func BenchmarkEd448Verify(b *testing.B) { benchmarkVerify(b, suite.Ed448) }

// BenchmarkMessageSeal and BenchmarkMessageOpen are all of a message but its signature: step, header, content, body.
func BenchmarkMessageSeal(b *testing.B) {
	space, id := state.ID{1}, EpochID{2}
	key, chain := suite.NewAEAD(secret.Random(suite.KeySize)), secret.Random(suite.KeySize)
	k, text := suite.NewSigningKey(suite.Ed25519), make([]byte, 200)
	sig := k.Sign(suite.SignMessage)
	b.ReportAllocs()
	for b.Loop() {
		_, message := suite.StepChain(chain)
		h := Header{2, 7}
		e := NewEnvelope(h.Seal(key, space, id), nil)
		c := Content{Signature: sig, Plaintext: text}
		c.signed(space, id, h, e.Bound)
		e, err := e.Seal(space, id, message, c)
		if err != nil {
			b.Fatal(err)
		}
		e.Bytes()
	}
}

func BenchmarkMessageOpen(b *testing.B) {
	space, id := state.ID{1}, EpochID{2}
	key, chain := suite.NewAEAD(secret.Random(suite.KeySize)), secret.Random(suite.KeySize)
	_, message := suite.StepChain(chain)
	h := Header{2, 7}
	e, err := NewEnvelope(h.Seal(key, space, id), nil).Seal(space, id, message,
		Content{Signature: make([]byte, 64), Plaintext: make([]byte, 200)})
	require.NoError(b, err)
	raw := e.Bytes()
	b.ReportAllocs()
	for b.Loop() {
		e, err := ParseEnvelope(raw)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := OpenHeader(key, space, id, piecesDepth, e.Header); err != nil {
			b.Fatal(err)
		}
		_, message := suite.StepChain(chain)
		c, err := e.Open(space, id, message)
		if err != nil {
			b.Fatal(err)
		}
		c.signed(space, id, h, e.Bound)
	}
}

func BenchmarkFrontierEval(b *testing.B) {
	for name, t := range map[string]int{"sender": piecesDepth, "commit": piecesDepth + pprf.ChildBits} {
		b.Run(name, func(b *testing.B) {
			f, path := pprf.New(secret.Random(suite.KeySize), t), make([]byte, 18)
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := f.Eval(path); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

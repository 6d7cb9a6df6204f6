package proto

import (
	"testing"
	"time"

	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// reportRatio times one in the same run and reports how many of them an operation costs.
func reportRatio(b *testing.B, unit string, one func()) {
	b.StopTimer()
	const n = 64
	start := time.Now()
	for range n {
		one()
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/(float64(time.Since(start))/n), unit)
}

// scalarMult is the unit of commits.
func scalarMult() func() {
	s, p := ed448.RandomScalar(), ed448.BaseMult(ed448.RandomScalar())
	return func() { p.Mult(s) }
}

// BenchmarkCommitMake makes a core, its check and its signature; BenchmarkCommitFollow parses and verifies it, and derives the
// secret and the check; with and without the credential of a maker that the notice does not list.
func BenchmarkCommitMake(b *testing.B) {
	p := newPieces(b, suite.Ed25519Hybrid)
	m := p.joiners[0]
	b.ReportAllocs()
	for b.Loop() {
		core, ss, err := NewCore(p.space, p.id, p.poly.Commitment(), m.share)
		if err != nil {
			b.Fatal(err)
		}
		place := core.Place(p.space, p.id, 1)
		core.Sign(m.signing, p.space, p.id, 1, DeriveKeys(EpochSecret(m.seed, ss), place).Check(place))
	}
	reportRatio(b, "mults/op", scalarMult())
}

func BenchmarkCommitFollow(b *testing.B) {
	p := newPieces(b, suite.Ed25519Hybrid)
	for name, m := range map[string]piecesMember{"listed": p.founder, "credential": p.joiners[0]} {
		b.Run(name, func(b *testing.B) {
			shown, _, _ := p.commit(b, m)
			raw, root, reader := shown.Encode(), p.view(), p.joiners[1].share
			b.ReportAllocs()
			for b.Loop() {
				s, err := ParseShown(raw)
				if err != nil {
					b.Fatal(err)
				}
				core := s.Commit.Core
				place := core.Place(p.space, p.id, 1)
				if _, err := s.VerifyMaker(root, ByCommit.ID(place, s.Commit.Check)); err != nil {
					b.Fatal(err)
				}
				public, err := root.Public(core.Maker)
				if err != nil {
					b.Fatal(err)
				}
				if err := core.VerifyProof(p.space, p.id, public); err != nil {
					b.Fatal(err)
				}
				ss, err := core.Follow(reader)
				if err != nil {
					b.Fatal(err)
				}
				DeriveKeys(EpochSecret(p.template.K, ss), place).Check(place)
			}
			reportRatio(b, "mults/op", scalarMult())
		})
	}
}

// BenchmarkEnvelopeSeal and BenchmarkEnvelopeOpen are a message of 1 KiB, unpadded, with its signature and ID; in signatures and
// verifications of as much.
func BenchmarkEnvelopeSeal(b *testing.B) {
	p := newPieces(b, suite.Ed25519Hybrid)
	k, header, chain := p.joiners[0].signing, suite.NewAEAD(p.keys.Header), secret.Random(suite.KeySize)
	text := make([]byte, 1<<10)
	b.ReportAllocs()
	for b.Loop() {
		_, message := suite.StepChain(chain)
		ctx := MessageContext{Space: p.space, Epoch: p.id, Header: Header{2, 7}}
		e := Envelope{Header: ctx.Header.Seal(header, p.space, p.id)}
		ctx.Bound = e.Bound()
		c, err := Inner{Time: piecesTime, Plaintext: text}.Sign(k, ctx)
		if err != nil {
			b.Fatal(err)
		}
		if e, err = e.Seal(ctx, message, c); err != nil {
			b.Fatal(err)
		}
		c.ID(ctx)
		e.Frame()
	}
	reportRatio(b, "signatures/op", func() { k.Sign(suite.SignMessage, text) })
}

func BenchmarkEnvelopeOpen(b *testing.B) {
	p := newPieces(b, suite.Ed25519Hybrid)
	k, header := p.joiners[0].signing, suite.NewAEAD(p.keys.Header)
	text := make([]byte, 1<<10)
	sig := k.Sign(suite.SignMessage, text)
	e, _, _ := p.seal(b, Envelope{}, Inner{Time: piecesTime, Plaintext: text})
	raw := e.Frame()
	b.ReportAllocs()
	for b.Loop() {
		e, err := ParseEnvelope(raw)
		if err != nil {
			b.Fatal(err)
		}
		h, err := e.Header.Open(header, p.space, p.id)
		if err != nil {
			b.Fatal(err)
		}
		suite.StepChain(p.keys.Header)
		ctx := MessageContext{p.space, p.id, h, e.Bound()}
		c, err := e.Open(ctx, p.keys.Header)
		if err != nil {
			b.Fatal(err)
		}
		if err := c.Verify(k.Public, ctx); err != nil {
			b.Fatal(err)
		}
		c.ID(ctx)
	}
	reportRatio(b, "verifications/op", func() { k.Public.Verify(sig, suite.SignMessage, text) })
}

// BenchmarkLink writes and reads the bytes of a link; BenchmarkInviteKeys derives what its seed gives.
func BenchmarkLink(b *testing.B) {
	p := newPieces(b, suite.Ed25519Hybrid)
	l := p.link(p.joiners[0])
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseLink(l.Encode().Expose()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkInviteKeys(b *testing.B) {
	p := newPieces(b, suite.Ed25519Hybrid)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.link(p.joiners[0]).Keys(); err != nil {
			b.Fatal(err)
		}
	}
}

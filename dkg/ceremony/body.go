package ceremony

import (
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/dkg/threshold"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/wire"
)

// Bodies have exactly the size that the setup gives them (docs/design/dkg.md, section 4).

type joinBody struct {
	opening digest   // of a dealer
	keys    [][]byte // of a receiver, for each of keysOf
}

type dealBody struct {
	joins       []digest
	commitments []ed448.Unchecked
	raw         []byte // the commitments
	c           digest
	z           ed448.Scalar
	boxes       [][]byte // for each of boxesOf
}

type echoBody struct {
	transcript   digest
	joins, deals []header
}

type handBody struct {
	transcript digest
	box        []byte
}

func (s Setup) joinSize() int { return 32 + len(s.dealers)*boxKeySize }

func (s Setup) dealSize() int {
	return 32*len(s.members) + s.coefficients()*ed448.AffineSize + 32 + ed448.ScalarSize + len(s.receivers)*boxSize
}

// parseBody reads the body of a message of any round but Accusation. An error means that its maker is to blame.
func parseBody[T any](s Setup, m message, read func(Setup, threshold.Index, *wire.Reader) T) (T, error) {
	r := wire.NewReader(m.body)
	v := read(s, m.maker, r)
	if err := r.Done(); err != nil {
		var zero T
		return zero, err
	}
	return v, nil
}

// wellFormed reports whether a body is what its round asks for.
func (s Setup) wellFormed(m message) (err error) {
	switch m.round {
	case Join:
		_, err = parseBody(s, m, readJoin)
	case Deal:
		_, err = parseBody(s, m, readDeal)
	case Echo:
		_, err = parseBody(s, m, readEcho)
	case Hand:
		_, err = parseBody(s, m, readHand)
	default:
		err = fmt.Errorf("%w: %v", ErrMessage, m.round)
	}
	return err
}

func readJoin(s Setup, maker threshold.Index, r *wire.Reader) (b joinBody) {
	if s.is(maker, deals) {
		r.Into(b.opening[:])
	}
	for range s.keysOf(maker) {
		b.keys = append(b.keys, r.Fixed(boxKeySize))
	}
	return b
}

func (b joinBody) bytes(s Setup, maker threshold.Index) (out []byte) {
	if s.is(maker, deals) {
		out = append(out, b.opening[:]...)
	}
	return append(out, slices.Concat(b.keys...)...)
}

func readDeal(s Setup, maker threshold.Index, r *wire.Reader) (b dealBody) {
	b.joins = digests(r, len(s.members))
	b.raw = r.Fixed(s.coefficients() * ed448.AffineSize)
	r.Into(b.c[:])
	z := r.Fixed(ed448.ScalarSize)
	for range s.boxesOf(maker) {
		b.boxes = append(b.boxes, r.Fixed(boxSize))
	}
	if r.Err() != nil {
		return b
	}
	for c := range slices.Chunk(b.raw, ed448.AffineSize) {
		p, err := ed448.ParseUnchecked(c)
		if err != nil {
			r.Fail("commitment")
		}
		b.commitments = append(b.commitments, p)
	}
	var err error
	if b.z, err = ed448.ParseScalar(z); err != nil {
		r.Fail("scalar")
	}
	return b
}

func (b dealBody) bytes() []byte {
	return slices.Concat(concat(b.joins), b.raw, b.c[:], b.z.Bytes(), slices.Concat(b.boxes...))
}

func readEcho(s Setup, _ threshold.Index, r *wire.Reader) (b echoBody) {
	r.Into(b.transcript[:])
	list := func(round Round) (out []header) {
		for _, i := range s.speakers(round) {
			h := header{round: round, maker: i}
			r.Into(h.digest[:])
			r.Into(h.sig[:])
			out = append(out, h)
		}
		return out
	}
	b.joins, b.deals = list(Join), list(Deal)
	return b
}

func (b echoBody) bytes() []byte {
	out := slices.Clone(b.transcript[:])
	for _, h := range slices.Concat(b.joins, b.deals) {
		out = append(append(out, h.digest[:]...), h.sig[:]...)
	}
	return out
}

func readHand(_ Setup, _ threshold.Index, r *wire.Reader) (b handBody) {
	r.Into(b.transcript[:])
	b.box = r.Fixed(boxSize)
	return b
}

func (b handBody) bytes() []byte { return append(slices.Clone(b.transcript[:]), b.box...) }

// digestsOf returns the digests of headers.
func digestsOf(hs []header) []digest {
	out := make([]digest, len(hs))
	for i, h := range hs {
		out[i] = h.digest
	}
	return out
}

// transcript returns the digest of what was said in rounds 1 and 2.
func (s Setup) transcript(joins, deals []digest) digest {
	return hash(labelTranscript, s.id[:], concat(joins, deals))
}

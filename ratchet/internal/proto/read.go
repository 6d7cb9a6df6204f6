package proto

import (
	"fmt"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// parseAll reads an encoding of at most max bytes that read takes to its end.
func parseAll[T any](b []byte, max int, read func(*wire.Reader) T) (T, error) {
	var zero T
	if len(b) > max {
		return zero, fmt.Errorf("%w: longer than its limit", wire.ErrMalformed)
	}
	r := wire.NewReader(b)
	v := read(r)
	if err := r.Done(); err != nil {
		return zero, err
	}
	return v, nil
}

// readNested reads a field that holds the encoding of another value. What its reader refuses, r refuses.
func readNested[T any](r *wire.Reader, field []byte, read func(*wire.Reader) T) T {
	var zero T
	if r.Err() != nil {
		return zero
	}
	v, err := parseAll(field, len(field), read)
	if err != nil {
		r.Fail(err.Error())
		return zero
	}
	return v
}

// encode returns what write writes.
func encode(size int, write func(*wire.Writer)) []byte {
	w := wire.NewWriter(size)
	write(w)
	return w.Bytes()
}

// readIndex reads an index that some root may have.
func readIndex(r *wire.Reader) dkg.Index { return readIndexOf(r, dkg.MaxDepth) }

// readIndexOf reads an index of a root of the given depth. Index 0 would be the secret itself.
func readIndexOf(r *wire.Reader, depth int) dkg.Index {
	i := dkg.Index(r.U32())
	if r.Err() == nil && i.Check(depth) != nil {
		r.Fail("index")
	}
	return i
}

// readDepth reads the depth of the trees of a root.
func readDepth(r *wire.Reader) int {
	depth := int(r.U8())
	if r.Err() == nil && (depth < MinDepth || depth > dkg.MaxDepth) {
		r.Fail("depth of a tree")
	}
	return depth
}

// readGeneration reads a generation of an epoch or a rekey.
func readGeneration(r *wire.Reader) uint64 {
	g := r.U64()
	if r.Err() == nil && g > MaxGeneration {
		r.Fail("generation")
	}
	return g
}

// readCommitment reads the commitment to a polynomial.
func readCommitment(r *wire.Reader) dkg.Commitment {
	b := r.Fixed(dkg.CommitmentSize)
	if r.Err() != nil {
		return dkg.Commitment{}
	}
	c, err := dkg.ParseCommitment(b)
	if err != nil {
		r.Fail(err.Error())
	}
	return c
}

// readPoint reads a point.
func readPoint(r *wire.Reader) ed448.Point {
	b := r.Fixed(ed448.PointSize)
	if r.Err() != nil {
		return ed448.Point{}
	}
	p, err := ed448.ParsePoint(b)
	if err != nil {
		r.Fail(err.Error())
	}
	return p
}

// readScalar reads a scalar, which may be 0.
func readScalar(r *wire.Reader) ed448.Scalar {
	b := r.Fixed(ed448.ScalarSize)
	if r.Err() != nil {
		return ed448.Scalar{}
	}
	s, err := ed448.ParseScalar(b)
	if err != nil {
		r.Fail(err.Error())
	}
	return s
}

// readOptionalKey reads a public signing key, or the zero key for an empty field.
func readOptionalKey(r *wire.Reader) suite.PublicKey {
	b := r.Vec16(suite.MaxPublicKey)
	if r.Err() != nil || len(b) == 0 {
		return suite.PublicKey{}
	}
	k, err := suite.ParsePublicKey(b)
	if err != nil {
		r.Fail(err.Error())
	}
	return k
}

// readKEMKey reads a public KEM key by its length. It is tried where it is verified, or when something is sealed to it.
func readKEMKey(r *wire.Reader) suite.KEMKey {
	b := r.Vec16(suite.MaxKEMKey)
	if r.Err() != nil {
		return suite.KEMKey{}
	}
	k, err := suite.LoadKEMKey(b)
	if err != nil {
		r.Fail(err.Error())
	}
	return k
}

// readSignature reads a signature of either scheme.
func readSignature(r *wire.Reader) []byte {
	s := r.Vec16(suite.MaxSignature)
	if n := len(s); r.Err() == nil && n != suite.Ed25519.SignatureSize() && n != suite.Ed448.SignatureSize() {
		r.Fail("length of a signature")
	}
	return s
}

// invalid returns suite.ErrInvalid with what is false.
func invalid(what string) error { return fmt.Errorf("%w: %s", suite.ErrInvalid, what) }

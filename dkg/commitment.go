package dkg

import (
	"fmt"

	"github.com/trefoil-im/trefoil/internal/ed448"
)

// Commitment is (C0, C1) = (a0·G, a1·G). It is public. The zero Commitment commits to nothing and verifies no share.
type Commitment struct{ c0, c1 ed448.Point }

// ParseCommitment reads 114 bytes. It returns ErrCommitment for any other length and for points that are not canonical,
// not in the prime-order subgroup, or the identity.
func ParseCommitment(b []byte) (Commitment, error) {
	if len(b) != CommitmentSize {
		return Commitment{}, fmt.Errorf("%w: not %d bytes", ErrCommitment, CommitmentSize)
	}
	c0, err := ed448.ParsePoint(b[:ed448.PointSize])
	if err != nil {
		return Commitment{}, fmt.Errorf("%w: %w", ErrCommitment, err)
	}
	c1, err := ed448.ParsePoint(b[ed448.PointSize:])
	if err != nil {
		return Commitment{}, fmt.Errorf("%w: %w", ErrCommitment, err)
	}
	return Commitment{c0, c1}, nil
}

// Bytes returns the 114 bytes that ParseCommitment reads.
func (c Commitment) Bytes() []byte { return append(c.c0.Bytes(), c.c1.Bytes()...) }

// Equal reports whether both commit to the same polynomial.
func (c Commitment) Equal(o Commitment) bool { return c.c0.Equal(o.c0) && c.c1.Equal(o.c1) }

// C0 returns f(0)·G.
func (c Commitment) C0() ed448.Point { return c.c0 }

// PublicShare returns f(i)·G = C0 + i·C1. It returns ErrIndex for an index that is 0 or over MaxIndex, and ErrCommitment if
// the result is the identity: then f(i) is 0, and nobody can have been given it.
func (c Commitment) PublicShare(i Index) (ed448.Point, error) {
	if err := i.Check(MaxDepth); err != nil {
		return ed448.Point{}, err
	}
	p := ed448.VarTimeMultiMult([]ed448.Scalar{ed448.ScalarFromUint32(1), i.scalar()}, []ed448.Point{c.c0, c.c1})
	if p.IsIdentity() || c.c0.IsIdentity() || c.c1.IsIdentity() {
		return ed448.Point{}, fmt.Errorf("%w: no share of index %d", ErrCommitment, i)
	}
	return p, nil
}

// Verify returns nil if s is the committed share of its index: f(i)·G = C0 + i·C1. It returns ErrShare if not, or an error
// of PublicShare. It compares with this commitment and nothing else, so c must be one that the caller holds or has verified.
func (c Commitment) Verify(s Share) error {
	want, err := c.PublicShare(s.index)
	if err != nil {
		return err
	}
	if !s.Public().Equal(want) {
		return fmt.Errorf("%w: not the committed share of index %d", ErrShare, s.index)
	}
	return nil
}

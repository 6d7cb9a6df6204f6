package dkg

import (
	"fmt"

	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
)

// Share is f(i), the secret of the member with index i. It shows nothing when printed. The zero Share holds nothing and
// is refused everywhere.
type Share struct {
	index Index
	value ed448.Scalar
}

// newShare returns a share of its index and value. It returns ErrIndex for an index that is 0 or over MaxIndex and
// ErrShare for the value 0. Whether the share belongs to a polynomial, Commitment.Verify tells.
func newShare(i Index, value ed448.Scalar) (Share, error) {
	if err := i.Check(MaxDepth); err != nil {
		return Share{}, err
	}
	if value.IsZero() {
		return Share{}, fmt.Errorf("%w: zero", ErrShare)
	}
	return Share{i, value}, nil
}

// ParseShare reads the 60 bytes of a share; errors are those of newShare, and ErrShare.
func ParseShare(b []byte) (Share, error) {
	r := wire.NewReader(b)
	i, raw := Index(r.U32()), r.Fixed(ed448.ScalarSize)
	if err := r.Done(); err != nil {
		return Share{}, fmt.Errorf("%w: %w", ErrShare, err)
	}
	value, err := ed448.ParseScalar(raw)
	if err != nil {
		return Share{}, fmt.Errorf("%w: %w", ErrShare, err)
	}
	return newShare(i, value)
}

// Bytes returns the 60 bytes that ParseShare reads.
func (s Share) Bytes() secret.Bytes {
	w := wire.NewWriter(ShareSize)
	w.U32(uint32(s.index))
	w.Fixed(s.value.Bytes())
	return secret.Own(w.Bytes())
}

// Index returns the index, 0 for the zero Share.
func (s Share) Index() Index { return s.index }

// Scalar returns f(i).
func (s Share) Scalar() ed448.Scalar { return s.value }

// Public returns f(i)·G.
func (s Share) Public() ed448.Point { return ed448.BaseMult(s.value) }

// Equal reports whether both are the same share of the same index.
func (s Share) Equal(o Share) bool { return s.index == o.index && s.value.Equal(o.value) }

// Combine returns the encoding of f(0)·P, which takes two shares: this one and that of member i, of which only d = f(i)·P
// need be known. It returns ErrIndex if i is this share's own index, 0 or over MaxIndex. It does not find out whether d is
// what it is said to be. Interpolating f(0)·P = λi·d + (λj·f(j))·P takes one constant-time multiplication for the share and
// one of public values.
func (s Share) Combine(i Index, d, p ed448.Point) (secret.Bytes, error) {
	li, lj, err := lagrangeAtZero(i, s.index)
	if err != nil {
		return secret.Bytes{}, err
	}
	return ed448.SharedSecret(lj.Mul(s.value), p, ed448.VarTimeDoubleBaseMult(ed448.Scalar{}, li, d)), nil
}

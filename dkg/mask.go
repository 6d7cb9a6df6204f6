package dkg

import (
	"fmt"

	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret"
)

// Mask hides the share, or the polynomial, that an invite gives out, so that neither who has the mask nor who has what it hides
// learns anything of it. It is made of two scalars that the secret of the invite and the commitment give; who uses one mask for
// two polynomials tells their difference. It shows nothing when printed.
type Mask [2]ed448.Scalar

// HideShare returns f(j) + m[0], MaskedShareSize bytes.
func (m Mask) HideShare(s Share) secret.Bytes { return secret.Own(s.value.Add(m[0]).Bytes()) }

// OpenShare returns the share of index j that is masked in v: of one share, or of a polynomial. It returns ErrShare for bytes
// that are neither, and ErrIndex for an index that no member has. Whether it is the committed one, Commitment.Verify tells.
func (m Mask) OpenShare(v secret.Bytes, j Index) (Share, error) {
	if v.Len() == MaskedPolynomialSize {
		p, err := m.OpenPolynomial(v)
		if err != nil {
			return Share{}, err
		}
		return p.Share(j)
	}
	s, err := ed448.ParseScalar(v.Expose())
	if err != nil {
		return Share{}, fmt.Errorf("%w: %w", ErrShare, err)
	}
	return newShare(j, s.Sub(m[0]))
}

// HidePolynomial returns (a0 + m[0]) and (a1 + m[1]), MaskedPolynomialSize bytes.
func (m Mask) HidePolynomial(p Polynomial) secret.Bytes {
	return secret.Own(append(p.a0.Add(m[0]).Bytes(), p.a1.Add(m[1]).Bytes()...))
}

// OpenPolynomial returns the polynomial that is masked in v, or ErrShare. Whether it is the committed one, its Commitment
// tells.
func (m Mask) OpenPolynomial(v secret.Bytes) (Polynomial, error) {
	if v.Len() != MaskedPolynomialSize {
		return Polynomial{}, fmt.Errorf("%w: not %d bytes", ErrShare, MaskedPolynomialSize)
	}
	var p Polynomial
	for k, a := range []struct{ to, mask *ed448.Scalar }{{&p.a0, &m[0]}, {&p.a1, &m[1]}} {
		x, err := ed448.ParseScalar(v.Expose()[k*ed448.ScalarSize : (k+1)*ed448.ScalarSize])
		if err != nil {
			return Polynomial{}, fmt.Errorf("%w: %w", ErrShare, err)
		}
		*a.to = x.Sub(*a.mask)
	}
	if p.IsZero() {
		return Polynomial{}, fmt.Errorf("%w: a coefficient is zero", ErrShare)
	}
	return p, nil
}

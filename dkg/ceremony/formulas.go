package ceremony

import (
	"github.com/trefoil-im/trefoil/dkg/internal/poly"
	"github.com/trefoil-im/trefoil/dkg/threshold"
	"github.com/trefoil-im/trefoil/internal/ed448"
)

// formulas are those of docs/design/dkg.md, sections 2, 4 and 5, for a setup. They take public values alone.
type formulas struct{ Setup }

// opening returns what a dealer's Join says of its commitments.
func (s formulas) opening(maker threshold.Index, commitments []byte) digest {
	return hash(labelOpening, s.id[:], []byte{uint8(maker)}, commitments)
}

// opens reports whether a Deal is of the polynomial that its maker committed to, and names the Join in which it did.
func (s formulas) opens(j message, jb joinBody, d message, db dealBody) bool {
	return db.joins[s.position(d.maker)] == j.digest && jb.opening == s.opening(d.maker, db.raw)
}

// challenge returns the challenge of the proof that a dealer knows the constant term of its polynomial.
func (s formulas) challenge(maker threshold.Index, c0, r ed448.Point) digest {
	return hash(labelProof, s.id[:], []byte{uint8(maker)}, c0.Bytes(), r.Bytes())
}

// proves reports whether a dealer knows its constant term, which is in the subgroup.
func (s formulas) proves(maker threshold.Index, b dealBody) bool {
	c0, err := b.commitments[0].Check()
	if err != nil {
		return false
	}
	r := ed448.VarTimeDoubleBaseMult(b.z, ed448.ShortScalar(b.c).Neg(), c0)
	return s.challenge(maker, c0, r) == b.c
}

// commits returns the commitments of a dealer, if all are in the subgroup and the constant term is what the ceremony asks
// for.
func (s formulas) commits(maker threshold.Index, b dealBody) ([]ed448.Point, bool) {
	out := make([]ed448.Point, len(b.commitments))
	for i, c := range b.commitments {
		var err error
		if out[i], err = c.Check(); err != nil {
			return nil, false
		}
	}
	if s.kind == resharing {
		public, err := s.old.PublicShare(maker)
		if err != nil || !out[0].Equal(ed448.VarTimeMultiMult([]ed448.Scalar{s.lambda(0, maker)}, []ed448.Point{public})) {
			return nil, false
		}
	}
	return out, true
}

// sum returns the commitments to the sum of all dealt polynomials. It returns false if they are not in the subgroup, or not
// those of the key that is reshared: then those of a dealer are wrong, or none are and the sum is the identity.
func (s formulas) sum(all []dealBody) ([]ed448.Point, bool) {
	out := make([]ed448.Point, s.coefficients())
	column := make([]ed448.Unchecked, len(all))
	for k := range out {
		for i, b := range all {
			column[i] = b.commitments[k]
		}
		var err error
		if out[k], err = ed448.SumUnchecked(column...).Check(); err != nil {
			return nil, false
		}
	}
	return out, s.kind != resharing || out[0].Equal(s.old.Point())
}

// blinded returns the public half of what helper k hands over in a repair: that of s_k + (k-r)·u(k), where mask commits to
// u.
func (s formulas) blinded(k threshold.Index, mask []ed448.Point) (ed448.Point, error) {
	public, err := s.old.PublicShare(k)
	if err != nil {
		return ed448.Point{}, err
	}
	return ed448.VarTimeMultiMult([]ed448.Scalar{ed448.ScalarFromUint32(1), s.distance(k)},
		[]ed448.Point{public, ed448.VarTimeEvaluate(mask, uint32(k))}), nil
}

// distance returns k - r, where r is the party whose share is repaired.
func (s formulas) distance(k threshold.Index) ed448.Scalar {
	return ed448.ScalarFromUint32(uint32(k)).Sub(ed448.ScalarFromUint32(uint32(s.lost)))
}

// lambda returns the coefficient with which the value at i of the dealers' polynomial adds up to that at x.
func (s formulas) lambda(x, i threshold.Index) ed448.Scalar {
	raw := make([]uint8, len(s.dealers))
	for n, d := range s.dealers {
		raw[n] = uint8(d)
	}
	return poly.VarTimeLagrange(uint8(x), uint8(i), raw)
}

package frost

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/dkg/internal/poly"
	"github.com/trefoil-im/trefoil/dkg/threshold"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/wire"
)

// SignatureShare is what a signer makes in round 2. It is public once the signature is. The zero SignatureShare is none.
type SignatureShare struct {
	index threshold.Index
	z     ed448.Scalar
}

// ParseSignatureShare reads u8 index ‖ 57 scalar, or returns ErrSignatureShare.
func ParseSignatureShare(b []byte) (SignatureShare, error) {
	if len(b) != SignatureShareSize || b[0] == 0 || b[len(b)-1] != 0 {
		return SignatureShare{}, fmt.Errorf("%w: not %d bytes, or index 0", ErrSignatureShare, SignatureShareSize)
	}
	z, err := ed448.ParseScalar(b[1 : len(b)-1])
	if err != nil {
		return SignatureShare{}, fmt.Errorf("%w: %w", ErrSignatureShare, err)
	}
	return SignatureShare{threshold.Index(b[0]), z}, nil
}

// Index returns the index of the signer.
func (s SignatureShare) Index() threshold.Index { return s.index }

// Bytes returns the 58 bytes that ParseSignatureShare reads.
func (s SignatureShare) Bytes() []byte {
	w := wire.NewWriter(SignatureShareSize)
	w.U8(uint8(s.index))
	w.Fixed(scalarBytes(s.z))
	return w.Bytes()
}

// Package is a message with the commitments of those who sign it. Signers whose packages differ make shares that do not
// add up. It is an immutable value. The zero Package is none.
type Package struct {
	key         threshold.Key
	message     []byte
	commitments []Commitment // ascending
	indices     []uint8      // of the commitments
	factors     []ed448.Scalar
	group       ed448.Point // R
	challenge   ed448.Scalar
}

// NewPackage returns the package of a message of any size. It returns ErrPackage if there are fewer commitments than the
// threshold of the key, two of one index, or one of an index that holds no share.
func NewPackage(k threshold.Key, message []byte, commitments []Commitment) (Package, error) {
	if k.IsZero() || len(commitments) < k.Threshold() {
		return Package{}, fmt.Errorf("%w: %d signers of %d", ErrPackage, len(commitments), k.Threshold())
	}
	p := Package{key: k, message: slices.Clone(message), commitments: slices.Clone(commitments)}
	slices.SortFunc(p.commitments, func(a, b Commitment) int { return cmp.Compare(a.index, b.index) })
	for i, c := range p.commitments {
		if !k.Holds(c.index) || i > 0 && p.commitments[i-1].index == c.index {
			return Package{}, fmt.Errorf("%w: signer %d", ErrPackage, c.index)
		}
		p.indices = append(p.indices, uint8(c.index))
	}
	p.factors = bindingFactors(k.Public(), p.message, p.commitments)
	scalars, points := make([]ed448.Scalar, 0, 2*len(p.factors)), make([]ed448.Point, 0, 2*len(p.factors))
	for i, c := range p.commitments {
		scalars = append(scalars, ed448.ScalarFromUint32(1), p.factors[i])
		points = append(points, c.hiding, c.binding)
	}
	p.group = ed448.VarTimeMultiMult(scalars, points)
	if p.group.IsIdentity() {
		return Package{}, fmt.Errorf("%w: commitments add up to nothing", ErrPackage)
	}
	p.challenge = h2(p.group.Bytes(), k.Public(), p.message)
	return p, nil
}

// bindingFactors returns a factor per commitment (RFC 9591, section 4.4).
func bindingFactors(public, message []byte, commitments []Commitment) []ed448.Scalar {
	var list []byte
	for _, c := range commitments {
		list = append(list, identifier(uint8(c.index))...)
		list = append(list, c.hiding.Bytes()...)
		list = append(list, c.binding.Bytes()...)
	}
	prefix := slices.Concat(public, h4(message), h5(list))
	out := make([]ed448.Scalar, len(commitments))
	for i, c := range commitments {
		out[i] = h1(slices.Concat(prefix, identifier(uint8(c.index))))
	}
	return out
}

// Message returns the message that is to be signed.
func (p Package) Message() []byte { return slices.Clone(p.message) }

// find returns where the commitment of index i is.
func (p Package) find(i threshold.Index) (at int, ok bool) {
	at = slices.Index(p.indices, uint8(i))
	return at, at >= 0
}

func (p Package) lambda(at int) ed448.Scalar {
	return poly.VarTimeLagrange(0, p.indices[at], p.indices)
}

// Aggregate returns the 114-byte signature. It returns ErrPackage unless there is one share of each signer of the
// package, and a *CheaterError if any of them is wrong.
func (p Package) Aggregate(shares []SignatureShare) ([]byte, error) {
	if len(shares) != len(p.commitments) || len(shares) == 0 {
		return nil, fmt.Errorf("%w: %d signature shares of %d signers", ErrPackage, len(shares), len(p.commitments))
	}
	var z ed448.Scalar
	seen := make(map[threshold.Index]bool)
	for _, s := range shares {
		if _, ok := p.find(s.index); !ok || seen[s.index] {
			return nil, fmt.Errorf("%w: signature share of %d", ErrPackage, s.index)
		}
		seen[s.index] = true
		z = z.Add(s.z)
	}
	sig := append(p.group.Bytes(), scalarBytes(z)...)
	if p.key.Verify(p.message, sig) {
		return sig, nil
	}
	var cheaters []threshold.Index
	for _, s := range shares {
		if !p.valid(s) {
			cheaters = append(cheaters, s.index)
		}
	}
	if len(cheaters) == 0 {
		return nil, errors.New("frost: valid shares make no valid signature") // not to be reached
	}
	slices.Sort(cheaters)
	return nil, &CheaterError{cheaters}
}

// valid reports whether a share is that of its signer (RFC 9591, section 5.4).
func (p Package) valid(s SignatureShare) bool {
	at, _ := p.find(s.index)
	public, err := p.key.PublicShare(s.index)
	if err != nil {
		return false
	}
	c := p.commitments[at]
	want := ed448.VarTimeMultiMult([]ed448.Scalar{ed448.ScalarFromUint32(1), p.factors[at], p.challenge.Mul(p.lambda(at))},
		[]ed448.Point{c.hiding, c.binding, public})
	return ed448.BaseMult(s.z).Equal(want)
}

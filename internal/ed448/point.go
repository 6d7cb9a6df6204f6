package ed448

import (
	"bytes"
	"fmt"

	"github.com/cloudflare/circl/ecc/goldilocks"
	"github.com/cloudflare/circl/math/fp448"

	"github.com/trefoil-im/trefoil/internal/secret"
)

// PointSize is the size of an encoded point in bytes (RFC 8032, section 5.2.2).
const PointSize = fp448.Size + 1

// Point is a public element of the prime-order subgroup. It is immutable and safe to share; it holds its encoding, so
// Bytes and Equal cost nothing. The zero Point is the identity, which ParsePoint refuses and arithmetic may return.
// A point that is a secret is never a Point: see SharedSecret.
type Point struct {
	_ [0]func()
	// affine is nil for the zero Point. Nobody writes to it: circl's encoders would, which races on shared points.
	affine   *goldilocks.Point
	encoding [PointSize]byte
}

var (
	curve    goldilocks.Curve
	identity = newPoint(curve.Identity())
)

// newPoint takes r over. It costs one inversion in the field, a tenth of a multiplication.
func newPoint(r *goldilocks.Point) Point {
	p := Point{affine: r}
	encode(&p.encoding, r)
	return p
}

// encode writes to r too: it makes it affine.
func encode(out *[PointSize]byte, r *goldilocks.Point) {
	if err := r.ToBytes(out[:]); err != nil {
		panic("ed448: " + err.Error()) // only of a buffer that is too short
	}
}

// ParsePoint reads a point. It returns ErrPoint for anything but the 57 bytes that Bytes returns for a point of the
// prime-order subgroup other than the identity: for another length, a y that is not reduced, a y of no point, the wrong
// sign of x = 0, unused bits, points of small order, and sums of these with points of the subgroup.
func ParsePoint(b []byte) (Point, error) {
	if len(b) != PointSize {
		return Point{}, fmt.Errorf("%w: not %d bytes", ErrPoint, PointSize)
	}
	r, err := goldilocks.FromBytes(b)
	if err != nil {
		return Point{}, fmt.Errorf("%w: not on the curve", ErrPoint)
	}
	p := newPoint(r)
	switch {
	case !bytes.Equal(p.encoding[:], b):
		return Point{}, fmt.Errorf("%w: not canonical", ErrPoint)
	case p.IsIdentity():
		return Point{}, fmt.Errorf("%w: identity", ErrPoint)
	case !inSubgroup(fp448.Elt(b[:fp448.Size])):
		return Point{}, fmt.Errorf("%w: not in the prime-order subgroup", ErrPoint)
	}
	return p, nil
}

// BaseMult returns s·G, where G is the generator of RFC 8032, in time that does not depend on s.
func BaseMult(s Scalar) Point {
	k := s.box.Expose()
	return newPoint(curve.ScalarBaseMult(&k))
}

// Mult returns s·P in time that does not depend on s. The result is public; for one that is not use SharedSecret.
func (p Point) Mult(s Scalar) Point { return newPoint(p.mult(s)) }

func (p Point) mult(s Scalar) *goldilocks.Point {
	k := s.box.Expose()
	return curve.ScalarMult(&k, p.raw())
}

// SharedSecret returns the encoding of s·P, plus any further points, as a secret, in time that does not depend on s.
func SharedSecret(s Scalar, p Point, plus ...Point) secret.Bytes {
	r := p.mult(s)
	for _, o := range plus {
		r.Add(o.raw())
	}
	var out [PointSize]byte
	encode(&out, r)
	return secret.Own(out[:])
}

// Add returns P + Q.
func (p Point) Add(o Point) Point { return newPoint(curve.Add(p.raw(), o.raw())) }

// Bytes returns the 57 bytes of the point.
func (p Point) Bytes() []byte {
	if p.affine == nil {
		return identity.Bytes()
	}
	return bytes.Clone(p.encoding[:])
}

// Equal reports whether both are the same point.
func (p Point) Equal(o Point) bool { return bytes.Equal(p.Bytes(), o.Bytes()) }

// IsIdentity reports whether the point is the identity.
func (p Point) IsIdentity() bool { return p.affine == nil || p.encoding == identity.encoding }

// String returns the encoding in hexadecimal digits.
func (p Point) String() string { return fmt.Sprintf("%x", p.Bytes()) }

// raw returns circl's point, which must not be written to, nor passed to a method that encodes.
func (p Point) raw() *goldilocks.Point {
	if p.affine == nil {
		return identity.affine
	}
	return p.affine
}

package ed448

import (
	"fmt"

	"github.com/cloudflare/circl/ecc/goldilocks"
	"github.com/cloudflare/circl/math/fp448"
)

// AffineSize is the size of a point encoded as x, then y.
const AffineSize = 2 * fp448.Size

// Unchecked is a public point of the curve, or a sum of such, of which nobody has found out whether it is in the
// prime-order subgroup. It is for receivers of many points who need only sums of them: reading one takes a hundredth of
// the time of ParsePoint, and one Check of the sum finds torsion that has not cancelled out. The zero Unchecked is the
// identity. It is immutable and safe to share.
type Unchecked struct {
	_   [0]func()
	raw *goldilocks.Point // nil: identity. Nobody writes to it.
}

// Affine returns the 112 bytes that ParseUnchecked reads, x and y, each least significant byte first.
func (p Point) Affine() []byte {
	r := *p.raw()
	x, y := r.ToAffine()
	return append(append(make([]byte, 0, AffineSize), x[:]...), y[:]...)
}

// ParseUnchecked reads a point of the curve. It returns ErrPoint for another length, coordinates that are not reduced or
// of no point, and points of small order, the identity among them; not for sums of these with points of the subgroup.
func ParseUnchecked(b []byte) (Unchecked, error) {
	if len(b) != AffineSize {
		return Unchecked{}, fmt.Errorf("%w: not %d bytes", ErrPoint, AffineSize)
	}
	x, y := fp448.Elt(b[:fp448.Size]), fp448.Elt(b[fp448.Size:])
	for _, e := range []fp448.Elt{x, y} {
		reduced := e
		fp448.Modp(&reduced)
		if reduced != e {
			return Unchecked{}, fmt.Errorf("%w: not canonical", ErrPoint)
		}
		if e == (fp448.Elt{}) {
			return Unchecked{}, fmt.Errorf("%w: of small order", ErrPoint)
		}
	}
	r, err := goldilocks.FromAffine(&x, &y)
	if err != nil {
		return Unchecked{}, fmt.Errorf("%w: not on the curve", ErrPoint)
	}
	return Unchecked{raw: r}, nil
}

// SumUnchecked returns the sum of points, the identity if there are none.
func SumUnchecked(points ...Unchecked) Unchecked {
	sum := curve.Identity()
	for _, p := range points {
		if p.raw != nil {
			sum.Add(p.raw)
		}
	}
	return Unchecked{raw: sum}
}

// Check returns the point, or ErrPoint if it is the identity or outside of the prime-order subgroup. The time it takes
// depends on the point.
func (u Unchecked) Check() (Point, error) {
	if u.raw == nil {
		return Point{}, fmt.Errorf("%w: identity", ErrPoint)
	}
	r := *u.raw
	p := newPoint(&r)
	switch {
	case p.IsIdentity():
		return Point{}, fmt.Errorf("%w: identity", ErrPoint)
	case !inSubgroup(fp448.Elt(p.encoding[:fp448.Size])):
		return Point{}, fmt.Errorf("%w: not in the prime-order subgroup", ErrPoint)
	}
	return p, nil
}

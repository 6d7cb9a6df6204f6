package ed448

import (
	"math/big"
	"math/bits"
	"slices"

	"github.com/cloudflare/circl/ecc/goldilocks"
	"github.com/cloudflare/circl/math"
)

// VarTimeDoubleBaseMult returns a·G + b·P. The time it takes depends on a and b, which must be public.
func VarTimeDoubleBaseMult(a, b Scalar, p Point) Point {
	m, n := a.box.Expose(), b.box.Expose()
	return newPoint(curve.CombinedMult(&m, &n, p.raw()))
}

// VarTimeMultiMult returns the sum of scalars[i]·points[i], the identity if there are none. The time it takes depends on
// the scalars, which must be public; small ones, positive or negative, are cheap. Slices of different lengths are a
// mistake of the program, and it panics.
func VarTimeMultiMult(scalars []Scalar, points []Point) Point {
	if len(scalars) != len(points) {
		panic("ed448: not as many scalars as points")
	}
	// Interleaved windows: the terms share their doublings. circl has no such function for points other than G; it has
	// the recoding and complete addition, of which this is made.
	terms := make([]term, len(points))
	top := 0
	for i := range terms {
		terms[i] = newTerm(scalars[i].varTimeInt(), *points[i].raw())
		top = max(top, len(terms[i].digits))
	}
	sum := curve.Identity()
	for bit := top - 1; bit >= 0; bit-- {
		if bit < top-1 {
			sum.Double()
		}
		for i := range terms {
			terms[i].addTo(sum, bit)
		}
	}
	return newPoint(sum)
}

// term is one product: the digits of its scalar, each 0 or odd, and the odd multiples of its point that they choose from.
type term struct {
	digits []int32
	odd    []goldilocks.Point
}

// Windows of 5 bits cost a table of 8 points, which pays from here on.
const (
	wideWindow = 5
	wideFrom   = 64 // bits
)

func newTerm(k *big.Int, p goldilocks.Point) term {
	if n := new(big.Int).Sub(order, k); n.Cmp(k) < 0 {
		k = n
		p.Neg()
	}
	window, size := uint(2), 1
	if k.BitLen() >= wideFrom {
		window, size = wideWindow, 1<<(wideWindow-2)
	}
	t := term{digits: math.OmegaNAF(k, window), odd: make([]goldilocks.Point, size)}
	t.odd[0] = p
	twice := curve.Double(&p)
	for i := 1; i < size; i++ {
		t.odd[i] = *curve.Add(&t.odd[i-1], twice)
	}
	return t
}

func (t *term) addTo(sum *goldilocks.Point, bit int) {
	if bit >= len(t.digits) {
		return
	}
	switch d := t.digits[bit]; {
	case d > 0:
		sum.Add(&t.odd[d/2])
	case d < 0:
		p := t.odd[-d/2]
		p.Neg()
		sum.Add(&p)
	}
}

// VarTimeEvaluate returns the sum of x^k·points[k], the value at x of a polynomial given by multiples of its coefficients,
// and the identity if there are none. The time it takes depends on x, which must be public; small ones are cheap.
func VarTimeEvaluate(points []Point, x uint32) Point {
	sum := curve.Identity()
	for _, p := range slices.Backward(points) {
		product := curve.Identity()
		for bit := bits.Len32(x) - 1; bit >= 0; bit-- {
			product.Double()
			if x>>bit&1 == 1 {
				product.Add(sum)
			}
		}
		product.Add(p.raw())
		sum = product
	}
	return newPoint(sum)
}

package ed448

import "github.com/cloudflare/circl/math/fp448"

// Ed448 is x² + y² = 1 + d·x²·y² with d = -39081, which is no square. Its group is cyclic of order 4q.
var (
	one    = fp448.One()
	curveD = negative(39081)
	twistD = negative(39081 + 1) // d - 1
)

func negative(v uint32) (z fp448.Elt) {
	x := fp448.Elt{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)}
	fp448.Neg(&z, &x)
	return z
}

// inSubgroup reports whether a point of the curve other than the identity, given by its y, is of order q. It takes time
// that depends on the point.
//
// The obvious checks are not to be had or dear: circl multiplies by way of a 4-isogeny that drops torsion, so that q·P is
// the identity for every point of the curve, and comparing 1·P with P costs a whole multiplication. But P has order q if
// and only if it can be halved twice, since the group is cyclic of order 4q; and whether it can is told by two quadratic
// characters (T. Pornin, "Point-Halving and Subgroup Membership in Twisted Edwards Curves", ePrint 2022/1164).
//
// For (x, y) = 2·(u, v) the doubling formulas give, with s = u² + v²,
//
//	x² = 4(s-1)/(d·s²)    so s = 2/(1+w) with w² = 1 - d·x² = (d-1)/(d·y²-1)
//	y(2-s) = v² - u²      so v² = (1+y·w)/(1+w), u² = (1-y·w)/(1+w)
//
// Hence P can be halved only if w exists; then v² comes out as a square for exactly one of ±w, because (1+w)(1-w) = d·x²
// is no square while (1+y·w)(1-y·w) = x² is, and u² is then a square too. By the same rule the half can be halved again if
// and only if 1 - d·u², which is (1-u²)/v², is a square, that is 1 - u² = w(1+y)/(1+w). As -1 is no square, replacing w
// by -w does not change whether w(1+w)(1+y) is one, so the sign of w need not be found. The two halves of P differ by the
// point of order 2, which can be halved itself, so either will do.
//
// Points with x = 0 are outside of this: (0, -1) has 1+y = 0, (0, 1) is the identity.
func inSubgroup(y fp448.Elt) bool {
	var t, w fp448.Elt
	fp448.Sqr(&t, &y)
	fp448.Mul(&t, &t, &curveD)
	fp448.Sub(&t, &t, &one)
	if !fp448.InvSqrt(&w, &twistD, &t) {
		return false
	}
	fp448.Add(&t, &y, &one)
	fp448.Mul(&t, &t, &w)
	fp448.Add(&w, &w, &one)
	fp448.Mul(&t, &t, &w)
	return !fp448.IsZero(&t) && fp448.InvSqrt(&w, &t, &one)
}

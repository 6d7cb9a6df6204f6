// Package ed448 is arithmetic in the prime-order subgroup of Ed448 (RFC 7748, RFC 8032), over circl's ecc/goldilocks.
//
// Do not use it to sign, nor for a key agreement that HPKE or a standard KEM can do: it is for sharing secrets by
// polynomials, which needs a group of prime order and nothing of a cofactor. Every Point is in the subgroup: whatever is
// read from outside is checked once, by ParsePoint, and arithmetic cannot leave it.
//
// The functions take time that does not depend on their scalars nor on points that are secret, save those named VarTime,
// which are for public scalars only. Values are immutable and safe for concurrent use.
//
// What circl leaves to its caller is dealt with here: its encoders write to the point they encode, FromBytes ignores
// trailing bytes and does not look at the subgroup, ScalarMult drops torsion, Scalar.FromBytes reduces what it reads, and
// Scalar.IsZero writes to its receiver.
package ed448

import "errors"

// Errors of this package, to be found with errors.Is. Their texts show nothing of what was read.
var (
	// ErrScalar: these bytes are not a scalar.
	ErrScalar = errors.New("ed448: invalid scalar")
	// ErrPoint: these bytes are not a point of the prime-order subgroup, or the identity.
	ErrPoint = errors.New("ed448: invalid point")
)

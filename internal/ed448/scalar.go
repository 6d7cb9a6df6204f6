package ed448

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"math/big"
	"slices"

	"github.com/cloudflare/circl/ecc/goldilocks"

	"github.com/trefoil-im/trefoil/internal/secret"
)

// Sizes of encodings in bytes.
const (
	ScalarSize = goldilocks.ScalarSize // 56, little-endian
	// WideSize is the least that ReduceScalar takes: 226 bits more than the order has, so that what it returns is uniform
	// but for 2^-226.
	WideSize = 84
)

// Scalar is an integer modulo q, the order of the group. It may be a key: it is immutable, cannot be compared with ==, and
// shows nothing when printed. The zero Scalar is the number 0. Its methods take time that does not depend on values,
// except those named VarTime.
type Scalar struct{ box secret.Box[goldilocks.Scalar] }

func hold(s goldilocks.Scalar) Scalar { return Scalar{secret.Hide(s)} }

// RandomScalar returns a fresh random scalar other than 0.
func RandomScalar() Scalar {
	for {
		var wide [WideSize]byte
		rand.Read(wide[:])
		if s := ReduceScalar(wide[:]); !s.IsZero() {
			return s
		}
	}
}

// ParseScalar reads exactly 56 bytes that are less than q, or returns ErrScalar. It accepts 0: where a share or a private
// key is read, refuse that too.
func ParseScalar(b []byte) (Scalar, error) {
	if len(b) != ScalarSize {
		return Scalar{}, fmt.Errorf("%w: not %d bytes", ErrScalar, ScalarSize)
	}
	var s goldilocks.Scalar
	s.FromBytes(b) // reduces silently
	if subtle.ConstantTimeCompare(s[:], b) != 1 {
		return Scalar{}, fmt.Errorf("%w: not less than the order", ErrScalar)
	}
	return hold(s), nil
}

// ReduceScalar returns 84 or more little-endian bytes modulo q, such as the 114 of a hash in RFC 8032. Fewer are a mistake
// of the program, and it panics.
func ReduceScalar(wide []byte) Scalar {
	if len(wide) < WideSize {
		panic("ed448: what is to be reduced is shorter than 84 bytes")
	}
	var s goldilocks.Scalar
	s.FromBytes(wide)
	return hold(s)
}

// ShortScalar returns the scalar of 32 little-endian bytes, such as the challenge of a proof. It is always less than q.
func ShortScalar(b [32]byte) Scalar {
	var s goldilocks.Scalar
	copy(s[:], b[:])
	return hold(s)
}

// ScalarFromUint32 returns v as a scalar.
func ScalarFromUint32(v uint32) Scalar {
	var s goldilocks.Scalar
	binary.LittleEndian.PutUint32(s[:], v)
	return hold(s)
}

// Bytes returns the 56 bytes that ParseScalar reads. They are as secret as the scalar.
func (s Scalar) Bytes() []byte {
	b := s.box.Expose()
	return b[:]
}

// IsZero reports whether the scalar is 0.
func (s Scalar) IsZero() bool { return s.Equal(Scalar{}) }

// Equal reports whether both are the same number.
func (s Scalar) Equal(o Scalar) bool {
	a, b := s.box.Expose(), o.box.Expose()
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// Add returns s + o.
func (s Scalar) Add(o Scalar) Scalar { return s.op((*goldilocks.Scalar).Add, o) }

// Sub returns s - o.
func (s Scalar) Sub(o Scalar) Scalar { return s.op((*goldilocks.Scalar).Sub, o) }

// Mul returns s · o.
func (s Scalar) Mul(o Scalar) Scalar { return s.op((*goldilocks.Scalar).Mul, o) }

// Neg returns -s.
func (s Scalar) Neg() Scalar { return Scalar{}.Sub(s) }

func (s Scalar) op(f func(z, x, y *goldilocks.Scalar), o Scalar) Scalar {
	x, y := s.box.Expose(), o.box.Expose()
	var z goldilocks.Scalar
	f(&z, &x, &y)
	return hold(z)
}

// VarTimeInverse returns 1/s, and 0 for 0. The time it takes depends on s, which must be public.
func (s Scalar) VarTimeInverse() Scalar {
	var inv big.Int
	if inv.ModInverse(s.varTimeInt(), order) == nil {
		return Scalar{}
	}
	return varTimeScalar(&inv)
}

// order is q. It is read only.
var order = func() *big.Int {
	q := goldilocks.Curve{}.Order()
	return littleEndian(q[:])
}()

func (s Scalar) varTimeInt() *big.Int { return littleEndian(s.Bytes()) }

func littleEndian(b []byte) *big.Int {
	b = slices.Clone(b)
	slices.Reverse(b)
	return new(big.Int).SetBytes(b)
}

func varTimeScalar(v *big.Int) Scalar {
	var s goldilocks.Scalar
	v.FillBytes(s[:])
	slices.Reverse(s[:])
	return hold(s)
}

package key

import (
	"encoding/hex"

	"github.com/trefoil-im/trefoil/internal/ed448"
)

// PublicKeySize is the size of an encoded key in bytes: a point as in RFC 8032.
const PublicKeySize = ed448.PointSize // 57

// Role is what a key is for. Keys of different roles are different types, which cannot be converted into each other.
type Role interface {
	Account | Identity | PreKey | OneTime | Ephemeral | Inbox | Step
}

// The roles of keys that agree with others.
type (
	// Account is the role of the key that a registration names beside the person's signing key. No session uses it.
	Account struct{}
	// Identity is the role of the key that names a device for as long as it exists.
	Identity struct{}
	// PreKey is the role of the key in a registration that lets others start a session with a device that is offline.
	PreKey struct{}
	// OneTime is the role of a pre-key that serves one session only.
	OneTime struct{}
	// Ephemeral is the role of the key that an initiator draws for one session, or a sender for one sealed box.
	Ephemeral struct{}
	// Inbox is the role of the key to which boxes are sealed.
	Inbox struct{}
	// Step is the role of the keys that a Double Ratchet draws for itself.
	Step struct{}
)

// PublicKey is a point of the prime-order subgroup of Ed448, never the identity. It is immutable and safe to share. The
// zero PublicKey is none.
type PublicKey[R Role] struct {
	_        [0]R
	_        [0]func()
	encoding [PublicKeySize]byte
	point    *ed448.Point // nil until it is needed, in a key that comes from the vault
}

// ParsePublicKey reads a public key of 57 bytes, or returns ErrMalformed.
func ParsePublicKey[R Role](b []byte) (PublicKey[R], error) {
	p, err := ed448.ParsePoint(b)
	if err != nil {
		return PublicKey[R]{}, Malformed(err)
	}
	return FromPoint[R](p), nil
}

// FromPoint returns the key that is a point, which must not be the identity. Most programs do not call FromPoint.
func FromPoint[R Role](p ed448.Point) PublicKey[R] {
	return PublicKey[R]{encoding: [PublicKeySize]byte(p.Bytes()), point: &p}
}

// Stored returns the key of 57 bytes that were checked before they were stored, without the checks that cost: its point is
// decoded when it is first used. Most programs do not call Stored.
func Stored[R Role](b []byte) (k PublicKey[R]) {
	copy(k.encoding[:], b)
	return k
}

// Bytes returns the 57 bytes of the key.
func (k PublicKey[R]) Bytes() []byte { return append([]byte(nil), k.encoding[:]...) }

// Equal reports whether both are the same key.
func (k PublicKey[R]) Equal(o PublicKey[R]) bool { return k.encoding == o.encoding }

// IsZero reports whether there is no key. The 57 zero bytes are the encoding of a point of order 4, so of no key.
func (k PublicKey[R]) IsZero() bool { return k.encoding == [PublicKeySize]byte{} }

// String returns the first 8 bytes in hexadecimal digits, for people to tell keys apart.
func (k PublicKey[R]) String() string { return hex.EncodeToString(k.encoding[:8]) }

// Step returns the key as one of a Double Ratchet, whose first keys are an ephemeral key and a pre-key.
func (k PublicKey[R]) Step() PublicKey[Step] {
	return PublicKey[Step]{encoding: k.encoding, point: k.point}
}

// Point returns the point, or ErrMalformed for the zero key. Most programs do not call Point.
func (k PublicKey[R]) Point() (ed448.Point, error) {
	if k.point != nil {
		return *k.point, nil
	}
	p, err := ed448.ParsePoint(k.encoding[:])
	return p, Malformed(err)
}

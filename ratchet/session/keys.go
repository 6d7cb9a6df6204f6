package session

import (
	"crypto/subtle"
	"encoding/hex"
	"fmt"

	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret"
)

// Sizes of encoded keys in bytes.
const (
	PublicKeySize  = ed448.PointSize  // 57: a point as in RFC 8032
	PrivateKeySize = ed448.ScalarSize // 56: a scalar, little-endian
)

// Role is what a key is for. Keys of different roles are different types, which cannot be converted into each other.
type Role interface {
	Account | Identity | PreKey | OneTime | Ephemeral | Inbox | step
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
	// step is the role of the keys that a Double Ratchet draws for itself.
	step struct{}
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
		return PublicKey[R]{}, malformed(err)
	}
	return publicKey[R](p), nil
}

func publicKey[R Role](p ed448.Point) PublicKey[R] {
	return PublicKey[R]{encoding: [PublicKeySize]byte(p.Bytes()), point: &p}
}

// storedKey returns a key that was checked before it was stored. Its point is found when it is first used.
func storedKey[R Role](b []byte) (k PublicKey[R]) {
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

// as gives a key another role. It is for the two places where the protocol itself does that.
func as[To, From Role](k PublicKey[From]) PublicKey[To] {
	return PublicKey[To]{encoding: k.encoding, point: k.point}
}

// PrivateKey is a scalar other than 0, with its public key. It is immutable, safe to share, and shows nothing when
// printed. The zero PrivateKey is none.
type PrivateKey[R Role] struct {
	scalar ed448.Scalar
	public PublicKey[R]
}

// GenerateKey draws a private key.
func GenerateKey[R Role]() PrivateKey[R] { return privateKey[R](ed448.RandomScalar()) }

func privateKey[R Role](s ed448.Scalar) PrivateKey[R] {
	return PrivateKey[R]{scalar: s, public: publicKey[R](ed448.BaseMult(s))}
}

// ParsePrivateKey reads a private key of 56 bytes, or returns ErrMalformed.
func ParsePrivateKey[R Role](b []byte) (PrivateKey[R], error) {
	s, err := parseScalar(b)
	if err != nil {
		return PrivateKey[R]{}, err
	}
	return privateKey[R](s), nil
}

func parseScalar(b []byte) (ed448.Scalar, error) {
	s, err := ed448.ParseScalar(b)
	if err == nil && s.IsZero() {
		err = ed448.ErrScalar
	}
	return s, malformed(err)
}

// Public returns the public key.
func (k PrivateKey[R]) Public() PublicKey[R] { return k.public }

// Equal reports whether both are the same key, in constant time.
func (k PrivateKey[R]) Equal(o PrivateKey[R]) bool { return k.scalar.Equal(o.scalar) }

// IsZero reports whether there is no key.
func (k PrivateKey[R]) IsZero() bool { return k.scalar.IsZero() }

// String shows the public key only.
func (k PrivateKey[R]) String() string { return "private key of " + k.public.String() }

// GoString is String.
func (k PrivateKey[R]) GoString() string { return k.String() }

// identityPoint is the encoding of the identity, which no agreement may result in.
var identityPoint = func() (b [PublicKeySize]byte) {
	b[0] = 1
	return b
}()

// agree returns the encoding of the scalar times the point. Neither can be such that the result is the identity; it is
// refused all the same, so that this does not rest on every parser.
func agree[R, Q Role](k PrivateKey[R], p PublicKey[Q]) (secret.Bytes, error) {
	if k.IsZero() || p.IsZero() {
		return secret.Bytes{}, fmt.Errorf("%w: no key to agree with", ErrMalformed)
	}
	point := p.point
	if point == nil {
		parsed, err := ed448.ParsePoint(p.encoding[:])
		if err != nil {
			return secret.Bytes{}, malformed(err)
		}
		point = &parsed
	}
	dh := ed448.SharedSecret(k.scalar, *point)
	if subtle.ConstantTimeCompare(dh.Expose(), identityPoint[:]) == 1 {
		return secret.Bytes{}, fmt.Errorf("%w: the agreement is the identity", ErrMalformed)
	}
	return dh, nil
}

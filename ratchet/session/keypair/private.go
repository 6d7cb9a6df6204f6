// Package keypair holds private keys: the halves that agree, sign and open.
//
// Every type is immutable, safe to share, and shows nothing of a key when printed. Nothing here promises that memory is
// erased. Arithmetic on secrets takes constant time.
package keypair

import (
	"crypto/subtle"
	"fmt"

	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

// PrivateKeySize is the size of an encoded private key in bytes: a scalar, little-endian.
const PrivateKeySize = ed448.ScalarSize // 56

// PrivateKey is a scalar other than 0, with its public key. The zero PrivateKey is none.
type PrivateKey[R key.Role] struct {
	scalar ed448.Scalar
	public key.PublicKey[R] // none in a key that Draw returned
}

// GenerateKey draws a private key.
func GenerateKey[R key.Role]() PrivateKey[R] { return privateKey[R](ed448.RandomScalar()) }

func privateKey[R key.Role](s ed448.Scalar) PrivateKey[R] {
	return PrivateKey[R]{scalar: s, public: key.FromPoint[R](ed448.BaseMult(s))}
}

// ParsePrivateKey reads a private key of 56 bytes, or returns ErrMalformed.
func ParsePrivateKey[R key.Role](b []byte) (PrivateKey[R], error) {
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
	return s, key.Malformed(err)
}

// Draw returns a private key of which the public half is computed each time it is asked for: it is for keys that are used
// to agree before their public half is sent, if it ever is.
func Draw[R key.Role]() PrivateKey[R] { return PrivateKey[R]{scalar: ed448.RandomScalar()} }

// Stored returns a private key with the public key that was stored beside it, which costs a multiplication to find and is not
// checked. It returns ErrMalformed if private is not a key. Most programs do not call Stored.
func Stored[R key.Role](private []byte, public key.PublicKey[R]) (PrivateKey[R], error) {
	s, err := parseScalar(private)
	return PrivateKey[R]{s, public}, err
}

// Bytes returns the 56 bytes that ParsePrivateKey reads. They are the key.
func (k PrivateKey[R]) Bytes() []byte { return k.scalar.Bytes() }

// Public returns the public key.
func (k PrivateKey[R]) Public() key.PublicKey[R] {
	if k.public.IsZero() && !k.IsZero() {
		return key.FromPoint[R](ed448.BaseMult(k.scalar))
	}
	return k.public
}

// Step returns the key as one of a Double Ratchet, whose first keys are an ephemeral key and a pre-key.
func (k PrivateKey[R]) Step() PrivateKey[key.Step] {
	return PrivateKey[key.Step]{k.scalar, k.public.Step()}
}

// Equal reports whether both are the same key, in constant time.
func (k PrivateKey[R]) Equal(o PrivateKey[R]) bool { return k.scalar.Equal(o.scalar) }

// IsZero reports whether there is no key.
func (k PrivateKey[R]) IsZero() bool { return k.scalar.IsZero() }

// String shows the public key only.
func (k PrivateKey[R]) String() string { return "private key of " + k.Public().String() }

// GoString is String.
func (k PrivateKey[R]) GoString() string { return k.String() }

// identityPoint is the encoding of the identity, which no agreement may result in.
var identityPoint = func() (b [key.PublicKeySize]byte) {
	b[0] = 1
	return b
}()

// Agree returns the encoding of the scalar times the point: 57 bytes. It returns ErrMalformed if either key is zero, or if
// the result is the identity, so that safety does not rest on every parser. Most programs do not call Agree.
func Agree[R, Q key.Role](k PrivateKey[R], p key.PublicKey[Q]) (secret.Bytes, error) {
	if k.IsZero() || p.IsZero() {
		return secret.Bytes{}, fmt.Errorf("%w: no key to agree with", key.ErrMalformed)
	}
	point, err := p.Point()
	if err != nil {
		return secret.Bytes{}, err
	}
	dh := ed448.SharedSecret(k.scalar, point)
	if subtle.ConstantTimeCompare(dh.Expose(), identityPoint[:]) == 1 {
		return secret.Bytes{}, fmt.Errorf("%w: the agreement is the identity", key.ErrMalformed)
	}
	return dh, nil
}

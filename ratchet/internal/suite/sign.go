package suite

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"

	"github.com/cloudflare/circl/sign/ed448"

	group "github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
)

// Scheme is a signature scheme by its name, which is part of the format. A space has one, fixed in its policy.
type Scheme string

// The signature schemes of RFC 8032.
const (
	Ed25519 Scheme = "Ed25519"
	Ed448   Scheme = "Ed448"
)

// Valid reports whether the scheme is one of the protocol.
func (s Scheme) Valid() bool { return s == Ed25519 || s == Ed448 }

// sizes returns the lengths of a public key, a private key (its seed) and a signature, zeros for an unknown scheme.
func (s Scheme) sizes() (public, private, signature int) {
	switch s {
	case Ed25519:
		return ed25519.PublicKeySize, ed25519.SeedSize, ed25519.SignatureSize
	case Ed448:
		return ed448.PublicKeySize, ed448.SeedSize, ed448.SignatureSize
	}
	return 0, 0, 0
}

// SeedSize returns the length of a private key in bytes, 0 for an unknown scheme.
func (s Scheme) SeedSize() int {
	_, n, _ := s.sizes()
	return n
}

// SignatureSize returns the length of a signature in bytes, 0 for an unknown scheme.
func (s Scheme) SignatureSize() int {
	_, _, n := s.sizes()
	return n
}

// SchemeOf returns the scheme whose public keys have n bytes, "" if none has. The lengths differ, so a key says by itself
// what it is.
func SchemeOf(n int) Scheme {
	for _, s := range []Scheme{Ed25519, Ed448} {
		if public, _, _ := s.sizes(); public == n {
			return s
		}
	}
	return ""
}

// Greatest lengths over both schemes.
const (
	MaxPublicKey = ed448.PublicKeySize
	MaxSignature = ed448.SignatureSize
)

// PublicKey is a public signing key: of a member, an owner, or an admission. It can be compared with == and used as the
// key of a map. The zero PublicKey is none.
type PublicKey struct {
	scheme Scheme
	key    [MaxPublicKey]byte
}

// Scheme returns the key's signature scheme, "" for the zero PublicKey.
func (k PublicKey) Scheme() Scheme { return k.scheme }

// Bytes returns the key's encoding of RFC 8032: 32 bytes for Ed25519, 57 for Ed448, none for the zero PublicKey.
func (k PublicKey) Bytes() []byte {
	n, _, _ := k.scheme.sizes()
	return append([]byte(nil), k.key[:n]...)
}

// IsZero reports whether there is no key.
func (k PublicKey) IsZero() bool { return k.scheme == "" }

// String returns the first 8 bytes of the key in hexadecimal digits, for people to tell keys apart in a log.
func (k PublicKey) String() string { return hex.EncodeToString(k.key[:8]) }

// Compare orders keys by their bytes.
func (k PublicKey) Compare(o PublicKey) int { return bytes.Compare(k.raw(), o.raw()) }

// raw is Bytes without the copy, for callers that do not write to it.
func (k *PublicKey) raw() []byte {
	n, _, _ := k.scheme.sizes()
	return k.key[:n]
}

// ParsePublicKey reads a public key from outside. Its length says its scheme. Keys of small order, and in Ed448 all that
// lie outside the prime-order subgroup, are refused: under some of them one fixed signature fits many messages or all.
func ParsePublicKey(b []byte) (PublicKey, error) {
	k := PublicKey{scheme: SchemeOf(len(b))}
	switch k.scheme {
	case Ed25519:
		if !ed25519Sound(b) {
			return PublicKey{}, fmt.Errorf("%w: unusable Ed25519 key", ErrInvalid)
		}
	case Ed448:
		if _, err := group.ParsePoint(b); err != nil {
			return PublicKey{}, fmt.Errorf("%w: unusable Ed448 key", ErrInvalid)
		}
	default:
		return PublicKey{}, fmt.Errorf("%w: length of a public key", wire.ErrMalformed)
	}
	copy(k.key[:], b)
	return k, nil
}

// LoadPublicKey reads a key that ParsePublicKey accepted before, without the checks that cost a scalar multiplication.
func LoadPublicKey(b []byte) (PublicKey, error) {
	k := PublicKey{scheme: SchemeOf(len(b))}
	if k.IsZero() {
		return k, fmt.Errorf("%w: length of a public key", wire.ErrMalformed)
	}
	copy(k.key[:], b)
	return k, nil
}

// ReadPublicKey reads a key behind its length in two bytes.
func ReadPublicKey(r *wire.Reader) PublicKey {
	b := r.Vec16(MaxPublicKey)
	if r.Err() != nil {
		return PublicKey{}
	}
	k, err := ParsePublicKey(b)
	if err != nil {
		r.Fail(err.Error())
	}
	return k
}

// WritePublicKey writes a key behind its length in two bytes.
func WritePublicKey(w *wire.Writer, k PublicKey) { w.Vec16(k.raw()) }

// ed25519P is the prime 2^255 - 19, least significant byte first.
var ed25519P = [32]byte{0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}

// ed25519SmallOrder lists the y coordinates of the points of order 1, 2, 4 and 8 on edwards25519, least significant byte
// first. Each belongs to one or two points, which differ in the sign bit only.
var ed25519SmallOrder = [5][32]byte{
	{1}, // the identity
	{},  // order 4
	{0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, // order 2
	{0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
		0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05}, // order 8
	{0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
		0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a}, // order 8
}

// ed25519Sound refuses y coordinates that are not canonical or belong to a point of small order. Whether there is a
// point at all shows in the first signature. Keys are public: time may depend on them.
func ed25519Sound(b []byte) bool {
	y := [32]byte(b)
	y[31] &= 0x7f
	for i := 31; i >= 0; i-- {
		if y[i] != ed25519P[i] {
			if y[i] > ed25519P[i] {
				return false
			}
			break
		}
		if i == 0 {
			return false
		}
	}
	for _, s := range ed25519SmallOrder {
		if bytes.Equal(y[:], s[:]) {
			return false
		}
	}
	return true
}

// SigningKey is a private signing key with its public one. The zero SigningKey is none.
type SigningKey struct {
	Public  PublicKey
	Seed    secret.Bytes
	private secret.Box[[]byte] // expanded: what the scheme's implementation signs with
}

// NewSigningKey draws a key.
func NewSigningKey(s Scheme) SigningKey {
	_, n, _ := s.sizes()
	k, err := ParseSigningKey(s, secret.Random(n))
	if err != nil {
		panic("ratchet: key of an unknown scheme")
	}
	return k
}

// ParseSigningKey returns the key of a seed: 32 bytes for Ed25519, 57 for Ed448.
func ParseSigningKey(s Scheme, seed secret.Bytes) (SigningKey, error) {
	_, n, _ := s.sizes()
	if n == 0 || seed.Len() != n {
		return SigningKey{}, fmt.Errorf("%w: length of a private key", wire.ErrMalformed)
	}
	k := SigningKey{Public: PublicKey{scheme: s}, Seed: seed}
	var private []byte
	if s == Ed25519 {
		private = ed25519.NewKeyFromSeed(seed.Expose())
	} else {
		private = ed448.NewKeyFromSeed(seed.Expose())
	}
	copy(k.Public.key[:], private[n:]) // both schemes: seed, then public key
	k.private = secret.Hide(private)
	return k, nil
}

// IsZero reports whether there is no key.
func (k SigningKey) IsZero() bool { return k.Seed.IsZero() }

// Message returns what a signature of the parts under a label is over (§2): for a key that several people hold, who sign elsewhere.
func (k PublicKey) Message(label string, parts ...[]byte) []byte {
	return signedBody(k.scheme, label, parts)
}

// signedBody returns what is signed: label, scheme, and the parts one after the other.
func signedBody(s Scheme, label string, parts [][]byte) []byte {
	n := len(protocol) + len(label) + len(s) + 2
	for _, p := range parts {
		n += len(p)
	}
	b := make([]byte, 0, n)
	b = append(b, protocol...)
	b = append(b, label...)
	b = append(b, 0)
	b = append(b, s...)
	b = append(b, 0)
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// Sign signs the parts, one after the other, under a label of the protocol (§2).
func (k SigningKey) Sign(label string, parts ...[]byte) []byte {
	body := signedBody(k.Public.scheme, label, parts)
	if k.Public.scheme == Ed25519 {
		return ed25519.Sign(k.private.Expose(), body)
	}
	return ed448.Sign(k.private.Expose(), body, "")
}

// Verify checks a signature that sign made.
func (k PublicKey) Verify(sig []byte, label string, parts ...[]byte) error {
	body := signedBody(k.scheme, label, parts)
	ok := false
	switch _, _, n := k.scheme.sizes(); {
	case n == 0 || len(sig) != n:
	case k.scheme == Ed25519:
		ok = ed25519.Verify(k.raw(), body, sig)
	default:
		ok = ed448.Verify(k.raw(), body, sig, "")
	}
	if !ok {
		return fmt.Errorf("%w: signature", ErrInvalid)
	}
	return nil
}

package session

import (
	"encoding/hex"
	"fmt"

	"github.com/cloudflare/circl/sign/ed448"

	group "github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret"
)

// Sizes of Ed448 (RFC 8032, section 5.2) in bytes.
const (
	SeedSize      = ed448.SeedSize      // 57
	VerifyKeySize = ed448.PublicKeySize // 57
	SignatureSize = ed448.SignatureSize // 114
)

// VerifyKey is an Ed448 public key: of a person, or of a mailbox. It is in the prime-order subgroup and not the identity,
// under which one signature would fit every message. It is public and comparable. The zero VerifyKey is none.
type VerifyKey struct{ encoding [VerifyKeySize]byte }

// ParseVerifyKey reads a key of 57 bytes, or returns ErrMalformed.
func ParseVerifyKey(b []byte) (VerifyKey, error) {
	if _, err := group.ParsePoint(b); err != nil {
		return VerifyKey{}, malformed(err)
	}
	return VerifyKey{[VerifyKeySize]byte(b)}, nil
}

// Bytes returns the 57 bytes of the key.
func (k VerifyKey) Bytes() []byte { return append([]byte(nil), k.encoding[:]...) }

// Address returns the address of whoever holds the key.
func (k VerifyKey) Address() Address { return addressOf(k.encoding[:]) }

// String returns the first 8 bytes in hexadecimal digits.
func (k VerifyKey) String() string { return hex.EncodeToString(k.encoding[:8]) }

// Verify checks a signature of 114 bytes with an empty context, and returns ErrUnverified if it is not valid.
func (k VerifyKey) Verify(message, signature []byte) error {
	if k == (VerifyKey{}) || len(signature) != SignatureSize || !ed448.Verify(k.encoding[:], message, signature, "") {
		return fmt.Errorf("%w: signature", ErrUnverified)
	}
	return nil
}

// SigningKey is an Ed448 private key. It is immutable, safe to share, and shows nothing when printed. The zero SigningKey
// is none.
type SigningKey struct {
	private secret.Bytes // seed and public key, as circl signs with
	public  VerifyKey
}

// GenerateSigningKey draws a signing key.
func GenerateSigningKey() SigningKey { return signingKey(secret.Random(SeedSize)) }

// ParseSigningKey returns the key of a seed of 57 bytes, or ErrMalformed.
func ParseSigningKey(seed []byte) (SigningKey, error) {
	if len(seed) != SeedSize {
		return SigningKey{}, fmt.Errorf("%w: a seed has %d bytes", ErrMalformed, SeedSize)
	}
	return signingKey(secret.New(seed)), nil
}

func signingKey(seed secret.Bytes) SigningKey {
	private := ed448.NewKeyFromSeed(seed.Expose())
	return SigningKey{secret.Own(private), VerifyKey{[VerifyKeySize]byte(private[SeedSize:])}}
}

// Public returns the public key.
func (k SigningKey) Public() VerifyKey { return k.public }

// Seed returns the 57 bytes that the key can be made from again, for a person to keep. They are the key.
func (k SigningKey) Seed() []byte { return append([]byte(nil), k.seed()...) }

func (k SigningKey) seed() []byte {
	if k.IsZero() {
		return make([]byte, SeedSize)
	}
	return k.private.Expose()[:SeedSize]
}

// IsZero reports whether there is no key.
func (k SigningKey) IsZero() bool { return k.private.IsZero() }

// Equal reports whether both are the same key, in constant time.
func (k SigningKey) Equal(o SigningKey) bool { return k.private.Equal(o.private) }

// String shows the public key only.
func (k SigningKey) String() string { return "signing key of " + k.public.String() }

// GoString is String.
func (k SigningKey) GoString() string { return k.String() }

// Sign signs a message, with an empty context. It panics if there is no key.
func (k SigningKey) Sign(message []byte) []byte { return ed448.Sign(k.private.Expose(), message, "") }

package keypair

import (
	"fmt"

	"github.com/cloudflare/circl/sign/ed448"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

// SeedSize is the size of a signing key's seed in bytes (RFC 8032, section 5.2).
const SeedSize = ed448.SeedSize // 57

// SigningKey is an Ed448 private key. It is immutable, safe to share, and shows nothing when printed. The zero SigningKey
// is none.
type SigningKey struct {
	private secret.Bytes // seed and public key, as circl signs with
	public  key.VerifyKey
}

// GenerateSigningKey draws a signing key.
func GenerateSigningKey() SigningKey { return signingKey(secret.Random(SeedSize)) }

// ParseSigningKey returns the key of a seed of 57 bytes, or key.ErrMalformed.
func ParseSigningKey(seed []byte) (SigningKey, error) {
	if len(seed) != SeedSize {
		return SigningKey{}, fmt.Errorf("%w: a seed has %d bytes", key.ErrMalformed, SeedSize)
	}
	return signingKey(secret.New(seed)), nil
}

func signingKey(seed secret.Bytes) SigningKey {
	private := ed448.NewKeyFromSeed(seed.Expose())
	public, err := key.ParseVerifyKey(private[SeedSize:])
	if err != nil {
		panic(err) // a seed of the right length always gives a key of the subgroup
	}
	return SigningKey{secret.Own(private), public}
}

// Public returns the public key.
func (k SigningKey) Public() key.VerifyKey { return k.public }

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

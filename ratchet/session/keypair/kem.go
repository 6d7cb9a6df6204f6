package keypair

import (
	"crypto/hpke"
	"fmt"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

// KEMSeedSize is the size of a KEM pre-key's seed in bytes, from which both its halves are made.
const KEMSeedSize = 32

// KEMKey is the private half of a KEM pre-key. It is immutable, safe to share, and shows nothing when printed.
type KEMKey struct {
	key    secret.Box[hpke.PrivateKey]
	public key.KEMPublicKey
}

// GenerateKEMKey draws a key.
func GenerateKEMKey() KEMKey {
	k, err := ParseKEMKey(secret.Random(KEMSeedSize).Expose())
	if err != nil {
		panic(err) // a seed of the right length always is a key
	}
	return k
}

// ParseKEMKey returns the key of a seed of 32 bytes, or ErrMalformed.
func ParseKEMKey(seed []byte) (KEMKey, error) {
	kem, _, _ := key.KEMSuite()
	private, err := kem.NewPrivateKey(seed)
	if err != nil {
		return KEMKey{}, fmt.Errorf("%w: KEM key", key.ErrMalformed)
	}
	public, err := key.ParseKEMPublicKey(private.PublicKey().Bytes())
	return KEMKey{secret.Hide(private), public}, err
}

// Public returns the public key.
func (k KEMKey) Public() key.KEMPublicKey { return k.public }

// Open opens what Seal sealed with the same info, or returns ErrForged.
func (k KEMKey) Open(info string, sealed []byte) ([]byte, error) {
	if k.key.IsZero() {
		return nil, fmt.Errorf("%w: no KEM key", key.ErrArgument)
	}
	_, kdf, aead := key.KEMSuite()
	plain, err := hpke.Open(k.key.Expose(), kdf, aead, key.KEMInfo(info), sealed)
	if err != nil {
		return nil, key.ErrForged
	}
	return plain, nil
}

// String shows nothing of the key.
func (k KEMKey) String() string { return "KEM key" }

// GoString is String.
func (k KEMKey) GoString() string { return k.String() }

// Seed returns the 32 bytes that the key can be made from again. They are the key.
func (k KEMKey) Seed() []byte {
	b, err := k.key.Expose().Bytes()
	if err != nil {
		panic("keypair: " + err.Error())
	}
	return b
}

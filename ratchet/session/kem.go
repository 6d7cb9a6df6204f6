package session

import (
	"bytes"
	"crypto/hpke"
	"encoding/hex"
	"fmt"

	"github.com/trefoil-im/trefoil/internal/secret"
)

// KEMPublicKeySize is the size of an encoded KEMPublicKey in bytes.
const KEMPublicKeySize = 1216

// kemPrivateSize is the size of an encoded private key: the seed of both its halves.
const kemPrivateSize = 32

// The suite of everything that is sealed to a KEM pre-key: HPKE (RFC 9180) with ML-KEM-768 and X25519.
func kemSuite() (hpke.KEM, hpke.KDF, hpke.AEAD) {
	return hpke.MLKEM768X25519(), hpke.HKDFSHA512(), hpke.AES256GCM()
}

// KEMPublicKey is the pre-key to which is sealed what has to stay closed to a quantum computer: a direct invite, for
// example. It is immutable and safe to share. The zero KEMPublicKey is none.
type KEMPublicKey struct {
	_        [0]func()
	encoding []byte
}

// ParseKEMPublicKey reads a key of 1,216 bytes, or returns ErrMalformed. A hybrid key may parse and still be of no use, so
// it is tried once.
func ParseKEMPublicKey(b []byte) (KEMPublicKey, error) {
	if len(b) != KEMPublicKeySize {
		return KEMPublicKey{}, fmt.Errorf("%w: length of a KEM key", ErrMalformed)
	}
	k := KEMPublicKey{encoding: bytes.Clone(b)}
	if _, err := k.Seal("", nil); err != nil {
		return KEMPublicKey{}, fmt.Errorf("%w: KEM key", ErrMalformed)
	}
	return k, nil
}

// Bytes returns the 1,216 bytes of the key.
func (k KEMPublicKey) Bytes() []byte { return append([]byte(nil), k.encoding...) }

// String returns the first 8 bytes in hexadecimal digits.
func (k KEMPublicKey) String() string {
	return hex.EncodeToString(k.encoding[:min(8, len(k.encoding))])
}

// Seal seals plaintext for whoever holds the private key. Info says what it is for, and must be given to Open again. The
// result is 1,136 bytes longer.
func (k KEMPublicKey) Seal(info string, plaintext []byte) ([]byte, error) {
	if k.encoding == nil {
		return nil, fmt.Errorf("%w: no KEM key", ErrNotReady)
	}
	kem, kdf, aead := kemSuite()
	key, err := kem.NewPublicKey(k.encoding)
	if err != nil {
		return nil, fmt.Errorf("%w: KEM key", ErrMalformed)
	}
	return hpke.Seal(key, kdf, aead, kemInfo(info), plaintext)
}

// KEMKey is the private half of a KEM pre-key. It is immutable, safe to share, and shows nothing when printed.
type KEMKey struct {
	key    secret.Box[hpke.PrivateKey]
	public KEMPublicKey
}

// GenerateKEMKey draws a key.
func GenerateKEMKey() KEMKey {
	k, err := parseKEMKey(secret.Random(kemPrivateSize))
	if err != nil {
		panic(err) // a seed of the right length always is a key
	}
	return k
}

func parseKEMKey(seed secret.Bytes) (KEMKey, error) {
	kem, _, _ := kemSuite()
	key, err := kem.NewPrivateKey(seed.Expose())
	if err != nil {
		return KEMKey{}, fmt.Errorf("%w: KEM key", ErrMalformed)
	}
	return KEMKey{secret.Hide(key), KEMPublicKey{encoding: key.PublicKey().Bytes()}}, nil
}

// Public returns the public key.
func (k KEMKey) Public() KEMPublicKey { return k.public }

// Open opens what Seal sealed with the same info, or returns ErrForged.
func (k KEMKey) Open(info string, sealed []byte) ([]byte, error) {
	if k.key.IsZero() {
		return nil, fmt.Errorf("%w: no KEM key", ErrNotReady)
	}
	_, kdf, aead := kemSuite()
	plain, err := hpke.Open(k.key.Expose(), kdf, aead, kemInfo(info), sealed)
	if err != nil {
		return nil, ErrForged
	}
	return plain, nil
}

// String shows nothing of the key.
func (k KEMKey) String() string { return "KEM key" }

// GoString is String.
func (k KEMKey) GoString() string { return k.String() }

// seed returns what parseKEMKey reads.
func (k KEMKey) seed() secret.Bytes {
	b, err := k.key.Expose().Bytes()
	if err != nil {
		panic("session: " + err.Error())
	}
	return secret.Own(b)
}

func kemInfo(info string) []byte { return []byte(labelKEM + "\x00" + info) }

package key

import (
	"bytes"
	"crypto/hpke"
	"encoding/hex"
	"fmt"
)

// KEMPublicKeySize is the size of an encoded KEMPublicKey in bytes.
const KEMPublicKeySize = 1216

// labelKEM is the HPKE info before the caller's. It is part of the format.
const labelKEM = "trefoil/session kem"

// KEMSuite returns the algorithms of everything that is sealed to a KEM pre-key: HPKE (RFC 9180) with ML-KEM-768 and X25519.
// Most programs do not call KEMSuite.
func KEMSuite() (hpke.KEM, hpke.KDF, hpke.AEAD) {
	return hpke.MLKEM768X25519(), hpke.HKDFSHA512(), hpke.AES256GCM()
}

// KEMPublicKey is the public half of a device's KEM pre-key. What has to stay closed to a quantum computer is sealed to it: a
// direct invite, for example. It is immutable and safe to share. The zero KEMPublicKey is none.
type KEMPublicKey struct {
	_        [0]func()
	encoding []byte
}

// ParseKEMPublicKey reads a key of 1,216 bytes, or returns ErrMalformed. It seals to the key once, since a hybrid
// key may parse and still be of no use.
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

// IsZero reports whether there is no key.
func (k KEMPublicKey) IsZero() bool { return k.encoding == nil }

// Bytes returns the 1,216 bytes of the key.
func (k KEMPublicKey) Bytes() []byte { return append([]byte(nil), k.encoding...) }

// String returns the first 8 bytes in hexadecimal digits.
func (k KEMPublicKey) String() string {
	return hex.EncodeToString(k.encoding[:min(8, len(k.encoding))])
}

// Seal seals plaintext for whoever holds the private key. Info says what it is for, and must be given to Open again. The
// result is 1,136 bytes longer.
func (k KEMPublicKey) Seal(info string, plaintext []byte) ([]byte, error) {
	if k.IsZero() {
		return nil, fmt.Errorf("%w: no KEM key", ErrArgument)
	}
	kem, kdf, aead := KEMSuite()
	key, err := kem.NewPublicKey(k.encoding)
	if err != nil {
		return nil, fmt.Errorf("%w: KEM key", ErrMalformed)
	}
	return hpke.Seal(key, kdf, aead, KEMInfo(info), plaintext)
}

// KEMInfo returns the HPKE info of a use. Most programs do not call KEMInfo.
func KEMInfo(info string) []byte { return []byte(labelKEM + "\x00" + info) }

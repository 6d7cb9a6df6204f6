// Package aead is AES-256-GCM with its key schedule kept, as sealed boxes and the Double Ratchet use it.
package aead

import (
	"crypto/aes"
	"crypto/cipher"

	"github.com/trefoil-im/trefoil/internal/secret"
)

// Sizes of AES-256-GCM in bytes.
const (
	KeySize   = 32
	NonceSize = 12
	TagSize   = 16
)

// AssociatedSize is how many random bytes are authenticated beside a box or a header. They serve no purpose but that
// deployed clients expect them.
const AssociatedSize = 32

// Key is a key with its key schedule. The zero Key is none.
type Key struct {
	secret secret.Bytes
	cipher secret.Box[cipher.AEAD]
}

// New returns the key of 32 bytes.
func New(key secret.Bytes) Key {
	block, err := aes.NewCipher(key.Expose())
	if err != nil {
		panic("aead: " + err.Error()) // of another length than 32
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic("aead: " + err.Error())
	}
	return Key{key, secret.Hide(gcm)}
}

// IsZero reports whether there is no key.
func (k Key) IsZero() bool { return k.secret.IsZero() }

// Secret returns the 32 bytes; none for the zero Key.
func (k Key) Secret() secret.Bytes { return k.secret }

// Equal reports whether both are the same key, in constant time.
func (k Key) Equal(o Key) bool { return k.secret.Equal(o.secret) }

// Seal appends the ciphertext to dst.
func (k Key) Seal(dst, nonce, plaintext, associated []byte) []byte {
	return k.cipher.Expose().Seal(dst, nonce, plaintext, associated)
}

// Open appends the plaintext to dst. It reports false if the ciphertext does not authenticate, or for the zero Key.
func (k Key) Open(dst, nonce, ciphertext, associated []byte) ([]byte, bool) {
	if k.IsZero() {
		return nil, false
	}
	plain, err := k.cipher.Expose().Open(dst, nonce, ciphertext, associated)
	return plain, err == nil
}

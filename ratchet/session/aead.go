package session

import (
	"crypto/aes"
	"crypto/cipher"

	"github.com/trefoil-im/trefoil/internal/secret"
)

// Sizes of AES-256-GCM in bytes.
const (
	keySize   = 32
	nonceSize = 12
	tagSize   = 16
)

// aead is an AES-256-GCM key with its key schedule. The zero aead is none.
type aead struct {
	key    secret.Bytes
	cipher secret.Box[cipher.AEAD]
}

func newAEAD(key secret.Bytes) aead {
	block, err := aes.NewCipher(key.Expose())
	if err != nil {
		panic("session: " + err.Error()) // of another length than 32
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic("session: " + err.Error())
	}
	return aead{key, secret.Hide(gcm)}
}

func (a aead) isZero() bool { return a.key.IsZero() }

func (a aead) seal(dst, nonce, plaintext, associated []byte) []byte {
	return a.cipher.Expose().Seal(dst, nonce, plaintext, associated)
}

func (a aead) open(dst, nonce, ciphertext, associated []byte) ([]byte, bool) {
	if a.isZero() {
		return nil, false
	}
	plain, err := a.cipher.Expose().Open(dst, nonce, ciphertext, associated)
	return plain, err == nil
}

package ratchet

import (
	"crypto/aes"
	"crypto/cipher"

	"github.com/trefoil-im/trefoil/internal/secret"
)

// sealer is a key of AES-256-GCM, ready for use: a random nonce goes in front of what it seals (§2). It is immutable and
// safe to share. Whoever seals or opens many times under one key keeps its sealer, since making one costs as much as using it.
type sealer struct{ box secret.Box[cipher.AEAD] }

// newSealer returns the sealer of a key of 32 bytes.
func newSealer(key secret.Bytes) sealer {
	block, err := aes.NewCipher(key.Expose())
	if err != nil {
		panic("ratchet: an AEAD key has 32 bytes")
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic("ratchet: " + err.Error())
	}
	return sealer{secret.Hide(aead)}
}

// seal appends nonce, ciphertext and tag to dst.
func (s sealer) seal(dst, plain, aad []byte) []byte {
	return s.box.Expose().Seal(dst, nil, plain, aad)
}

// open appends the plaintext to dst, or returns errNotOpened.
func (s sealer) open(dst, sealed, aad []byte) ([]byte, error) {
	out, err := s.box.Expose().Open(dst, nil, sealed, aad)
	if err != nil {
		return nil, errNotOpened
	}
	return out, nil
}

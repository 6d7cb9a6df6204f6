package suite

import (
	"crypto/aes"
	"crypto/cipher"

	"github.com/trefoil-im/trefoil/internal/secret"
)

// AEAD is a key of AES-256-GCM, ready for use: a random nonce goes in front of what it seals (§2). It is immutable and
// safe to share. Whoever seals or opens many times under one key keeps its sealer, since making one costs as much as using it.
type AEAD struct{ box secret.Box[cipher.AEAD] }

// NewAEAD returns the sealer of a key of 32 bytes.
func NewAEAD(key secret.Bytes) AEAD {
	block, err := aes.NewCipher(key.Expose())
	if err != nil {
		panic("ratchet: an AEAD key has 32 bytes")
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic("ratchet: " + err.Error())
	}
	return AEAD{secret.Hide(aead)}
}

// Seal appends nonce, ciphertext and tag to dst.
func (s AEAD) Seal(dst, plain, aad []byte) []byte {
	return s.box.Expose().Seal(dst, nil, plain, aad)
}

// Open appends the plaintext to dst, or returns ErrNotOpened.
func (s AEAD) Open(dst, sealed, aad []byte) ([]byte, error) {
	out, err := s.box.Expose().Open(dst, nil, sealed, aad)
	if err != nil {
		return nil, ErrNotOpened
	}
	return out, nil
}

// NonceSize is the length of the random nonce in front of a ciphertext.
const NonceSize = 12

// AEADOverhead is how much longer what is sealed is than its plaintext: nonce and tag.
const AEADOverhead = NonceSize + 16

// Package keywire reads public keys out of messages and out of the vault.
package keywire

import (
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

// Public reads a key from outside, with all checks.
func Public[R key.Role](r *wire.Reader) (k key.PublicKey[R]) {
	b := r.Fixed(key.PublicKeySize)
	if r.Err() != nil {
		return k
	}
	k, err := key.ParsePublicKey[R](b)
	if err != nil {
		r.Fail("a public key")
	}
	return k
}

// Verify reads the public half of a signing key from outside, with all checks.
func Verify(r *wire.Reader) (k key.VerifyKey) {
	b := r.Fixed(key.VerifyKeySize)
	if r.Err() != nil {
		return k
	}
	k, err := key.ParseVerifyKey(b)
	if err != nil {
		r.Fail("a signing key")
	}
	return k
}

// Stored reads a key that was checked before it was stored, without the checks that cost.
func Stored[R key.Role](r *wire.Reader) key.PublicKey[R] {
	k := key.Stored[R](r.Fixed(key.PublicKeySize))
	if k.IsZero() {
		r.Fail("a public key is missing")
	}
	return k
}

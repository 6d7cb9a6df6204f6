package key

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/cloudflare/circl/sign/ed448"

	group "github.com/trefoil-im/trefoil/internal/ed448"
)

// Sizes of Ed448 (RFC 8032, section 5.2) in bytes.
const (
	VerifyKeySize = ed448.PublicKeySize // 57
	SignatureSize = ed448.SignatureSize // 114
)

// VerifyKey is an Ed448 public key: of a person, or of a mailbox. It is in the prime-order subgroup and not the identity,
// under which one signature would fit every message. It is public and comparable. The zero VerifyKey is none.
type VerifyKey struct{ encoding [VerifyKeySize]byte }

// ParseVerifyKey reads a key of 57 bytes, or returns ErrMalformed.
func ParseVerifyKey(b []byte) (VerifyKey, error) {
	if _, err := group.ParsePoint(b); err != nil {
		return VerifyKey{}, Malformed(err)
	}
	return VerifyKey{[VerifyKeySize]byte(b)}, nil
}

// Bytes returns the 57 bytes of the key.
func (k VerifyKey) Bytes() []byte { return append([]byte(nil), k.encoding[:]...) }

// Address returns the address of whoever holds the key.
func (k VerifyKey) Address() Address { return sha256.Sum256(k.encoding[:]) }

// String returns the first 8 bytes in hexadecimal digits.
func (k VerifyKey) String() string { return hex.EncodeToString(k.encoding[:8]) }

// IsZero reports whether there is no key.
func (k VerifyKey) IsZero() bool { return k == VerifyKey{} }

// labelStatement stands before a statement. It is part of the format.
const labelStatement = "trefoil/session statement\x00"

// Statement returns what a key signs to make a statement to a server: the label "trefoil/session statement", a zero byte and the
// statement (SPEC §18.1). So its signature is never that of a bundle, a notice, a registration or anything else that this library
// signs, whatever the statement is. Most programs do not call Statement: the holder of the key signs with session.Device.Sign, the
// server calls VerifyStatement.
func Statement(statement []byte) []byte { return append([]byte(labelStatement), statement...) }

// VerifyStatement checks the signature of a statement, and returns ErrUnverified if it is not valid.
func (k VerifyKey) VerifyStatement(statement, signature []byte) error {
	return k.Verify(Statement(statement), signature)
}

// Verify checks a signature of 114 bytes with an empty context, and returns ErrUnverified if it is not valid.
func (k VerifyKey) Verify(message, signature []byte) error {
	if k.IsZero() || len(signature) != SignatureSize || !ed448.Verify(k.encoding[:], message, signature, "") {
		return fmt.Errorf("%w: signature", ErrUnverified)
	}
	return nil
}

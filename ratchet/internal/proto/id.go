package proto

import (
	"encoding/hex"

	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// EpochID names an epoch. Equal ids are equal keys (§5).
type EpochID [32]byte

// IsZero reports whether there is no epoch.
func (id EpochID) IsZero() bool { return id == EpochID{} }

// String returns the first 8 bytes in hexadecimal digits.
func (id EpochID) String() string { return hex.EncodeToString(id[:8]) }

// Names of values that are compared by hash. Each has a type of its own, so that none is taken for another.
type (
	// Place is where an epoch stands in its parent's commit tree (§5).
	Place [32]byte
	// Check proves the keys of an epoch to whoever has them (§5).
	Check [32]byte
	// HeaderCheck stands for a header key in Check: hh (§5).
	HeaderCheck [32]byte
	// BodyHash is H(body)[:32] of a binding, by which a member is shown and compared (§9).
	BodyHash [32]byte
	// RestHash is H(rest)[:32] (§9).
	RestHash [32]byte
	// InboxHash is H(inbox key)[:32] (§9).
	InboxHash [32]byte
	// RequestID names what a request asks (§9).
	RequestID [32]byte
	// Name is what the answers to a request, or the parts of a rekey, are found by: the first 16 bytes of its id.
	Name [16]byte
	// InviteName names an invite by its admission key (§9).
	InviteName [16]byte
	// Tag says in the clear under which key a request opens (§9).
	Tag [16]byte
	// Digest is a whole hash.
	Digest = suite.Digest
)

// Name returns the name under which the request is answered.
func (id RequestID) Name() Name { return Name(id[:16]) }

// hash32 returns the first 32 bytes of H of one encoded value.
func hash32(encoded []byte) [32]byte {
	d := suite.Hash(encoded)
	return [32]byte(d[:32])
}

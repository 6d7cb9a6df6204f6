package store

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
)

// ID names one stored value: a space, or one slot of a direct session. It is 32 bytes, never a mailbox address and never
// a clock reading, and it is no secret. The zero ID names nothing and is refused.
type ID [32]byte

// NewID returns a fresh random ID.
func NewID() (id ID) {
	rand.Read(id[:])
	return id
}

// ParseID reads what String returns: 64 hexadecimal digits in lower case.
func ParseID(s string) (id ID, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(id) {
		return ID{}, fmt.Errorf("store: an ID is %d hexadecimal digits", 2*len(id))
	}
	copy(id[:], b)
	if id.String() != s {
		return ID{}, fmt.Errorf("store: an ID is written in lower case")
	}
	return id, nil
}

// String returns the ID as 64 hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Kind says which of the two kinds of value a row holds. Its numbers are part of the stored format.
type Kind uint8

// The kinds of value.
const (
	Spaces   Kind = 1 // a SpaceEncryptionState: state, template, evals
	Sessions Kind = 2 // a One: a single part, called session
)

// Parts returns the names of the parts that a row of this kind has, in their order. All are always there.
func (k Kind) Parts() []string {
	switch k {
	case Spaces:
		return []string{"state", "template", "evals"}
	case Sessions:
		return []string{"session"}
	}
	return nil
}

// String returns the name of the kind's table.
func (k Kind) String() string {
	switch k {
	case Spaces:
		return "spaces"
	case Sessions:
		return "sessions"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

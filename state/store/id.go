package store

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
)

// ID names one stored value: a space, the sessions with one device of somebody else, or a device. It is 32 bytes, never a
// mailbox address and never a clock reading, and it is no secret. The zero ID names nothing and is refused.
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

// Compare returns -1, 0 or 1: IDs are ordered as bytes.
func (id ID) Compare(other ID) int { return bytes.Compare(id[:], other[:]) }

// String returns the ID as 64 hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

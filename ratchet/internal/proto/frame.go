package proto

import (
	"fmt"

	"github.com/trefoil-im/trefoil/internal/wire"
)

// Type says what a frame is: the low half of its first byte. The high half is the version of the protocol.
type Type uint8

// The types of frames (§7). 4 is free.
const (
	TypeMessage Type = 0
	TypeRekey   Type = 1
	TypeTicket  Type = 2
	TypeRequest Type = 3
)

// Version is the version of the protocol as it stands in the high half of a frame's first byte.
const Version = 2

// first returns the first byte of a frame of this type.
func (t Type) first() byte { return Version<<4 | byte(t) }

// ParseType reads the first byte of a frame: wire.ErrTooOld, wire.ErrTooNew or wire.ErrMalformed if it is none of this
// protocol, or longer than LargestMaxFrame.
func ParseType(b []byte) (Type, error) {
	if len(b) == 0 || len(b) > LargestMaxFrame {
		return 0, fmt.Errorf("%w: length of a frame", wire.ErrMalformed)
	}
	r := wire.NewReader([]byte{b[0] >> 4})
	r.Version8(Version, Version)
	if err := r.Done(); err != nil {
		return 0, err
	}
	t := Type(b[0] & 0xf)
	if t > TypeRequest {
		return 0, fmt.Errorf("%w: type of a frame", wire.ErrMalformed)
	}
	return t, nil
}

// parseFrame reads a frame of type t of at most max bytes.
func parseFrame[T any](b []byte, t Type, max int, read func(*wire.Reader) T) (T, error) {
	var zero T
	got, err := ParseType(b)
	if err != nil {
		return zero, err
	}
	if got != t {
		return zero, fmt.Errorf("%w: type of a frame", wire.ErrMalformed)
	}
	return parseAll(b[1:], max, read)
}

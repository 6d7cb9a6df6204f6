package proto

import (
	"fmt"

	"github.com/trefoil-im/trefoil/internal/wire"
)

// Type says what a frame is: the low half of its first byte. The high half is the version of the protocol.
type Type uint8

// The types of frames (§7).
const (
	TypeMessage Type = 0
	TypeRekey   Type = 1
	TypeTicket  Type = 2
	TypeRequest Type = 3
	TypeBoxes   Type = 4
)

// Version is the version of the protocol as it stands in the high half of a frame's first byte.
const Version = 2

// first returns the first byte of a frame of this type.
func (t Type) first() byte { return Version<<4 | byte(t) }

// ParseType reads the first byte of a frame: wire.ErrTooOld, wire.ErrTooNew or wire.ErrMalformed if it is none of
// this protocol.
func ParseType(b []byte) (Type, error) {
	if len(b) == 0 {
		return 0, fmt.Errorf("%w: empty frame", wire.ErrMalformed)
	}
	r := wire.NewReader([]byte{b[0] >> 4})
	r.Version8(Version, Version)
	if err := r.Done(); err != nil {
		return 0, err
	}
	t := Type(b[0] & 0xf)
	if t > TypeBoxes {
		return 0, fmt.Errorf("%w: type of a frame", wire.ErrMalformed)
	}
	return t, nil
}

// frameReader returns a Reader of what follows the first byte, which has to be of type t.
func frameReader(b []byte, t Type) (*wire.Reader, error) {
	got, err := ParseType(b)
	if err != nil {
		return nil, err
	}
	if got != t {
		return nil, fmt.Errorf("%w: type of a frame", wire.ErrMalformed)
	}
	return wire.NewReader(b[1:]), nil
}

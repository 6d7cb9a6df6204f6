package parts

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/state"
)

// set is one that is not complete, or whose parts are being read again. It is immutable.
type set struct {
	id     id
	of     proto.Type
	name   proto.Name
	serial uint64 // order in which they began
	places []place
}

// place is what is known of one part: the frame that holds it, then its piece.
type place struct {
	frame FrameName
	size  uint32 // of the piece, not 0
	piece state.Segment[piece]
}

func (p place) held() bool { return p.size > 0 }

// piece is stored by itself, so that it is written once.
type piece []byte

// Encode implements state.Piece.
func (p piece) Encode(e *state.Encoder) { e.Bytes(p) }

// Decode implements state.Piece.
func (piece) Decode(d *state.Decoder) (piece, error) {
	b := d.Bytes(proto.LargestMaxFrame)
	return b, d.Err()
}

// Key implements segmap.Row.
func (s set) Key() segmap.Key { return segmap.ByID(s.id) }

// complete reports whether a frame of each part is there, and gathered whether each gave its piece.
func (s set) complete() bool {
	return len(s.places) > 0 && !slices.ContainsFunc(s.places, func(p place) bool { return !p.held() })
}

func (s set) gathered() bool {
	return !slices.ContainsFunc(s.places, func(p place) bool { return p.piece.IsZero() })
}

func (s set) empty() bool { return !slices.ContainsFunc(s.places, place.held) }

// size returns the bytes of the pieces that are known.
func (s set) size() (n int) {
	for _, p := range s.places {
		n += int(p.size)
	}
	return n
}

func (s set) whole() []byte {
	pieces := make([][]byte, len(s.places))
	for k, p := range s.places {
		pieces[k] = p.piece.Value()
	}
	return bytes.Join(pieces, nil)
}

// frames returns those that are retained for the set.
func (s set) frames() (out []FrameName) {
	for _, p := range s.places {
		if p.held() && p.piece.IsZero() {
			out = append(out, p.frame)
		}
	}
	return out
}

// without returns the frames but one.
func (s set) without(f FrameName) []FrameName {
	return slices.DeleteFunc(s.frames(), func(o FrameName) bool { return o == f })
}

// Encode implements state.Piece.
func (s set) Encode(e *state.Encoder) {
	e.Fixed(s.id[:])
	e.Uint8(uint8(s.of))
	e.Fixed(s.name[:])
	e.Uint64(s.serial)
	e.Uint32(uint32(len(s.places)))
	for k, p := range s.places {
		e.Uint32(p.size)
		if !p.held() {
			continue
		}
		e.Fixed(p.frame[:])
		e.Bool(!p.piece.IsZero())
		if !p.piece.IsZero() {
			p.piece.Encode(e, s.pieceName(k))
		}
	}
}

// pieceName returns the name of a segment, unlike those of the other sets in the same block.
func (s set) pieceName(k int) string { return fmt.Sprintf("%x.%x", s.serial, k) }

// Decode implements state.Piece.
func (set) Decode(d *state.Decoder) (s set, err error) {
	d.Into(s.id[:])
	s.of = proto.Type(d.Uint8())
	d.Into(s.name[:])
	s.serial = d.Uint64()
	s.places = make([]place, d.Count(proto.MaxParts, 4))
	for k := range s.places {
		p := &s.places[k]
		if p.size = d.Uint32(); p.size == 0 {
			continue
		}
		d.Into(p.frame[:])
		if d.Bool() {
			if p.piece, err = state.DecodeSegment[piece](d, s.pieceName(k)); err != nil {
				return set{}, err
			}
			if len(p.piece.Value()) != int(p.size) {
				return set{}, wire.ErrMalformed
			}
		}
	}
	if d.Err() == nil && (len(s.places) < 2 || s.empty() || s.serial == 0) {
		return set{}, wire.ErrMalformed
	}
	return s, d.Err()
}

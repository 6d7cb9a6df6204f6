package proto

import (
	"bytes"
	"fmt"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// Part is one frame of a ticket or a rekey, whose whole may not fit into one (§9, §10). It names the hashes of all parts, so
// that parts of two sets are never mixed.
type Part struct {
	Type   Type // TypeTicket or TypeRekey
	Name   Name
	Place  uint8
	Hashes [][32]byte // H(piece)[:32] of each part
	Piece  []byte
}

// bodyTicket and bodyRefusal say what a frame of type TypeTicket holds.
const (
	bodyTicket  = 0
	bodyRefusal = 1
)

// headOf returns how much longer a part is than its piece.
func headOf(t Type, parts int) int {
	n := 1 + 16 + 1 + 1 + 32*parts + 4
	if t == TypeTicket {
		n++
	}
	return n
}

// Split takes a whole apart into as few parts as fit frames of at most maxFrame bytes. It returns outcome.ErrTooLong if that is
// more than MaxParts, and for an empty whole.
func Split(t Type, name Name, whole []byte, maxFrame int) ([]Part, error) {
	for n := 1; n <= MaxParts && len(whole) > 0; n++ {
		room := maxFrame - headOf(t, n)
		if room < 1 || (len(whole)+room-1)/room > n {
			continue
		}
		parts := make([]Part, 0, n)
		hashes := make([][32]byte, 0, n)
		for len(whole) > 0 {
			piece := bytes.Clone(whole[:min(room, len(whole))])
			whole = whole[len(piece):]
			hashes = append(hashes, hash32(piece))
			parts = append(parts, Part{Type: t, Name: name, Place: uint8(len(parts)), Piece: piece})
		}
		for k := range parts {
			parts[k].Hashes = hashes
		}
		return parts, nil
	}
	return nil, outcome.ErrTooLong
}

// Set names the set that the part belongs to: parts with one Set and different places belong together.
func (p Part) Set() Digest {
	return suite.Hash(encode(1+16+1+32*len(p.Hashes), func(w *wire.Writer) {
		w.U8(p.Type.first())
		w.Fixed(p.Name[:])
		p.writeSet(w)
	}))
}

func (p Part) writeSet(w *wire.Writer) {
	w.U8(uint8(len(p.Hashes)))
	for _, h := range p.Hashes {
		w.Fixed(h[:])
	}
}

// Frame returns u8(0x22) ‖ u8(0), or u8(0x21), and then name ‖ u8 place ‖ set ‖ vec32 piece.
func (p Part) Frame() []byte {
	return encode(headOf(p.Type, len(p.Hashes))+len(p.Piece), func(w *wire.Writer) {
		w.U8(p.Type.first())
		if p.Type == TypeTicket {
			w.U8(bodyTicket)
		}
		w.Fixed(p.Name[:])
		w.U8(p.Place)
		p.writeSet(w)
		w.Vec32(p.Piece)
	})
}

func readPart(t Type) func(*wire.Reader) Part {
	return func(r *wire.Reader) Part {
		p := Part{Type: t}
		if t == TypeTicket && r.U8() != bodyTicket {
			r.Fail("kind of a ticket")
		}
		r.Into(p.Name[:])
		p.Place = r.U8()
		n := int(r.U8())
		hashes := r.Fixed(32 * n)
		for ; len(hashes) > 0; hashes = hashes[32:] {
			p.Hashes = append(p.Hashes, [32]byte(hashes))
		}
		p.Piece = r.Vec32(LargestMaxFrame)
		if r.Err() == nil && (int(p.Place) >= n || len(p.Piece) == 0) {
			r.Fail("place of a part")
		}
		return p
	}
}

// ParsePart reads a frame of type TypeTicket that is no refusal, or of type TypeRekey. It does not verify the part: most tickets that come are
// for others, and hashing them would be most of the work.
func ParsePart(frame []byte) (Part, error) {
	t, err := ParseType(frame)
	if err != nil {
		return Part{}, err
	}
	if t != TypeTicket && t != TypeRekey {
		return Part{}, fmt.Errorf("%w: type of a frame", wire.ErrMalformed)
	}
	return parseFrame(frame, t, LargestMaxFrame, readPart(t))
}

// Verify returns wire.ErrMalformed unless the piece is the one that the set names for its place.
func (p Part) Verify() error {
	if hash32(p.Piece) != p.Hashes[p.Place] {
		return fmt.Errorf("%w: piece of another set", wire.ErrMalformed)
	}
	return nil
}

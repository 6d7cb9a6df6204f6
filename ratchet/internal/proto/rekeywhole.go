package proto

import (
	"bytes"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// TaggedBox is a box of a rekey with its tag.
type TaggedBox struct {
	Tag BoxTag
	Box []byte
}

// Rekey is a whole of a rekey, whose parts are frames of type TypeRekey (§10). There are several if the boxes do not fit into one.
type Rekey struct {
	Notice  []byte // sealed under the commit key of the parent, for those below it that have no box
	Ways    Ways
	Wholes  uint8       // how many there are of the root; at least 1
	Boxes   []TaggedBox // in random order, no tag twice
	Content []byte      // sealed under RekeyBodyKey
	Owners  []byte      // sealed under y
}

// EpochAAD returns the additional data of what a rekey seals: the parent's for notice and content, its own root's for owners.
func EpochAAD(space state.ID, id EpochID) []byte {
	aad := epochAAD(space, id)
	return aad[:]
}

// NameOfRekey returns the name of the parts of the rekey that makes a root.
func NameOfRekey(root EpochID) Name { return Name(root[:16]) }

// Size returns how many bytes it takes in a whole.
func (x TaggedBox) Size() int { return len(x.Tag) + 2 + len(x.Box) }

// Encode returns vec32 notice ‖ ways ‖ u8 wholes ‖ u32 number ‖ (tag ‖ vec16 box)… ‖ vec32 content ‖ vec32 owners'. It returns
// outcome.ErrTooLong if that is over MaxRekey.
func (k Rekey) Encode() ([]byte, error) {
	b := encode(len(k.Notice)+len(k.Content)+len(k.Owners)+1300*len(k.Boxes)+4096, func(w *wire.Writer) {
		w.Vec32(k.Notice)
		k.Ways.write(w)
		w.U8(k.Wholes)
		w.U32(uint32(len(k.Boxes)))
		for _, x := range k.Boxes {
			w.Fixed(x.Tag[:])
			w.Vec16(x.Box)
		}
		w.Vec32(k.Content)
		w.Vec32(k.Owners)
	})
	if len(b) > MaxRekey {
		return nil, outcome.ErrTooLong
	}
	return b, nil
}

func readRekey(r *wire.Reader) Rekey {
	k := Rekey{Notice: readSealedField(r, maxNotice), Ways: readWays(r), Wholes: r.U8()}
	if k.Wholes == 0 {
		r.Fail("a rekey without a whole")
	}
	tags := make([][]byte, 0, 16)
	for n := r.Count(1<<dkg.MaxDepth, 8+2); n > 0 && r.Err() == nil; n-- {
		var x TaggedBox
		r.Into(x.Tag[:])
		x.Box = readBox(r, maxRekeyBox)
		k.Boxes = append(k.Boxes, x)
		tags = append(tags, x.Tag[:])
	}
	slices.SortFunc(tags, bytes.Compare)
	if len(slices.CompactFunc(tags, bytes.Equal)) != len(k.Boxes) {
		r.Fail("a tag of a box twice")
	}
	k.Content = readSealedField(r, MaxRekey)
	k.Owners = readSealedField(r, MaxRekey)
	return k
}

// readSealedField reads what is sealed behind its length.
func readSealedField(r *wire.Reader, max int) []byte {
	b := r.Vec32(max + suite.AEADOverhead)
	if r.Err() == nil && len(b) <= suite.AEADOverhead {
		r.Fail("a sealed field is too short")
	}
	return b
}

// ParseRekey reads the whole of a rekey.
func ParseRekey(b []byte) (Rekey, error) { return parseAll(b, MaxRekey, readRekey) }

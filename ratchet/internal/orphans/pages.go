package orphans

import (
	"iter"

	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/state"
)

// pages holds the notes of frames in numbered slots, three levels deep: to write one note writes a page of 8 notes and
// three lists of at most 16 segments, about 3 KiB with 20,000 notes.
type pages struct{ top segmap.Map[volume] }

// The slots of a page, the pages of a chapter and the chapters of a volume, as binary logarithms.
const (
	pageBits    = 3
	chapterBits = pageBits + 4
	volumeBits  = chapterBits + 4
)

// volume and chapter are the levels above a page, which is a block of a map by slot.
type volume struct {
	no       uint32
	chapters segmap.Map[chapter]
}

type chapter struct {
	no    uint32
	notes segmap.Map[slotted]
}

type slotted struct {
	slot slot
	note Note
}

func (v volume) Key() segmap.Key  { return segmap.Key{Block: v.no} }
func (c chapter) Key() segmap.Key { return segmap.Key{Block: c.no} }
func (s slotted) Key() segmap.Key {
	k := segmap.ByIndex(uint32(s.slot))
	k.Block = uint32(s.slot) >> pageBits
	return k
}

func (p pages) chapter(s slot) (volume, chapter) {
	v, ok := p.top.Get(segmap.Key{Block: uint32(s) >> volumeBits})
	if !ok {
		v.no = uint32(s) >> volumeBits
	}
	c, ok := v.chapters.Get(segmap.Key{Block: uint32(s) >> chapterBits})
	if !ok {
		c.no = uint32(s) >> chapterBits
	}
	return v, c
}

func (p pages) get(s slot) (Note, bool) {
	_, c := p.chapter(s)
	r, ok := c.notes.Get(slotted{slot: s}.Key())
	return r.note, ok
}

func (p pages) put(s slot, n Note) pages {
	v, c := p.chapter(s)
	c.notes = c.notes.Put(slotted{s, n})
	v.chapters = v.chapters.Put(c)
	return pages{p.top.Put(v)}
}

func (p pages) drop(s slot) pages {
	v, c := p.chapter(s)
	if c.notes = c.notes.Drop(slotted{slot: s}.Key()); c.notes.Size() > 0 {
		v.chapters = v.chapters.Put(c)
		return pages{p.top.Put(v)}
	}
	if v.chapters = v.chapters.Drop(c.Key()); v.chapters.Size() > 0 {
		return pages{p.top.Put(v)}
	}
	return pages{p.top.Drop(v.Key())}
}

// all yields the notes in ascending order of slots.
func (p pages) all() iter.Seq2[slot, Note] {
	return func(yield func(slot, Note) bool) {
		for v := range p.top.All() {
			for c := range v.chapters.All() {
				for s := range c.notes.All() {
					if !yield(s.slot, s.note) {
						return
					}
				}
			}
		}
	}
}

// Encode implements state.Piece.
func (v volume) Encode(e *state.Encoder) {
	e.Uint32(v.no)
	v.chapters.Encode(e, "c")
}

// Decode implements state.Piece.
func (volume) Decode(d *state.Decoder) (v volume, err error) {
	v.no = d.Uint32()
	if v.chapters, err = segmap.Decode[chapter](d, "c"); err != nil {
		return volume{}, err
	}
	for c := range v.chapters.All() {
		if c.no>>(volumeBits-chapterBits) != v.no {
			return volume{}, segmap.ErrDisorder
		}
	}
	return v, nil
}

// Encode implements state.Piece.
func (c chapter) Encode(e *state.Encoder) {
	e.Uint32(c.no)
	c.notes.Encode(e, "p")
}

// Decode implements state.Piece.
func (chapter) Decode(d *state.Decoder) (c chapter, err error) {
	c.no = d.Uint32()
	if c.notes, err = segmap.Decode[slotted](d, "p"); err != nil {
		return chapter{}, err
	}
	for s := range c.notes.All() {
		if uint32(s.slot)>>chapterBits != c.no {
			return chapter{}, segmap.ErrDisorder
		}
	}
	return c, nil
}

// Encode implements state.Piece.
func (s slotted) Encode(e *state.Encoder) {
	e.Uint32(uint32(s.slot))
	s.note.Encode(e)
}

// Decode implements state.Piece.
func (slotted) Decode(d *state.Decoder) (s slotted, err error) {
	s.slot = slot(d.Uint32())
	s.note, err = s.note.Decode(d)
	return s, err
}

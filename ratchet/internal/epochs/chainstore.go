package epochs

import (
	"fmt"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/ratchet/internal/pprf"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// encode writes the chain. Kept keys are segments of the piece, whose names begin with the chain's index.
func (c chain) encode(e *state.Encoder) {
	e.Uint32(uint32(c.index))
	e.Bool(c.derived)
	e.Uint32(c.given)
	e.Uint8(uint8(len(c.recent)))
	for _, r := range c.recent {
		e.Uint32(r.n)
		e.Fixed(r.tag[:])
	}
	if !c.derived {
		e.Uint32(uint32(len(c.read)))
		for _, i := range c.read {
			e.Uint32(i.first)
			e.Uint32(i.end)
		}
		e.Uint8(uint8(len(c.words)))
	}
	for i, w := range c.words {
		if !c.derived {
			writeIndices(e, w.issuers)
			e.Uint64(w.counter)
			e.Uint32(w.start)
			e.Bool(w.opened)
			e.Bool(w.last)
		}
		e.Uint32(w.next)
		e.Fixed(w.key.Expose())
		w.kept.encode(e, c.keptName(i))
	}
}

func (c chain) keptName(word int) string { return fmt.Sprintf("%x.%d.", c.index, word) }

// decodeChain reads what encode wrote.
func decodeChain(d *state.Decoder) (c chain, err error) {
	c.index = dkg.Index(d.Uint32())
	c.derived = d.Bool()
	c.given = d.Uint32()
	n := d.Uint8()
	if n > recentNumbers {
		return chain{}, segmap.ErrDisorder
	}
	for range n {
		r := recent{n: d.Uint32()}
		d.Into(r.tag[:])
		c.recent = append(c.recent, r)
	}
	words := uint8(1)
	if !c.derived {
		for range d.Count(maxIntervals, 8) {
			i := interval{d.Uint32(), d.Uint32()}
			if i.first >= i.end || len(c.read) > 0 && c.read[len(c.read)-1].end >= i.first {
				return chain{}, segmap.ErrDisorder
			}
			c.read = append(c.read, i)
		}
		if words = d.Uint8(); words > pprf.MaxWords {
			return chain{}, segmap.ErrDisorder
		}
	}
	for i := range int(words) {
		var w chainWord
		if !c.derived {
			if w.issuers, err = readIndices(d); err != nil || len(w.issuers) == 0 {
				return chain{}, segmap.ErrDisorder
			}
			w.counter = d.Uint64()
			w.start = d.Uint32()
			w.opened = d.Bool()
			w.last = d.Bool()
		}
		w.next = d.Uint32()
		w.key = secret.Own(d.Fixed(suite.KeySize))
		if w.kept, err = decodeKept(d, c.keptName(i)); err != nil {
			return chain{}, err
		}
		for n := range w.kept.all {
			if n < w.start || n >= w.next {
				return chain{}, segmap.ErrDisorder
			}
		}
		if w.kept.size > maxKept {
			return chain{}, segmap.ErrDisorder
		}
		c.words = append(c.words, w)
	}
	return c, d.Err()
}

// writeIndices and readIndices are the codec of ascending indices.
func writeIndices(e *state.Encoder, list []dkg.Index) {
	e.Uint32(uint32(len(list)))
	for _, i := range list {
		e.Uint32(uint32(i))
	}
}

func readIndices(d *state.Decoder) (list []dkg.Index, err error) {
	for range d.Count(1<<dkg.MaxDepth, 4) {
		i := dkg.Index(d.Uint32())
		if len(list) > 0 && list[len(list)-1] >= i {
			return nil, segmap.ErrDisorder
		}
		list = append(list, i)
	}
	return list, d.Err()
}

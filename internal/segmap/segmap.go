// Package segmap is a persistent map that is stored in segments of a state.Part, block by block.
package segmap

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"strconv"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state"
)

// Key is where a row of a map lies: a block, which is stored by itself, and a place in it.
type Key struct {
	Block uint32
	Place [32]byte
}

func (k Key) compare(o Key) int {
	if c := cmp.Compare(k.Block, o.Block); c != 0 {
		return c
	}
	return bytes.Compare(k.Place[:], o.Place[:])
}

// IndexBits is the binary logarithm of the number of indices in a block of a map by index.
const IndexBits = 4

// ByIndex puts 16 neighbouring indices into one block: members who join one after the other often are neighbours.
func ByIndex(i uint32) (k Key) {
	k.Block = i >> IndexBits
	binary.BigEndian.PutUint32(k.Place[:], i)
	return k
}

// ByID spreads ids, which are hashes, over 64 blocks.
func ByID(id [32]byte) Key { return Key{Block: uint32(id[0] >> 2), Place: id} }

// Row is what a map holds. Rows are immutable values.
type Row[V any] interface {
	state.Piece[V]
	Key() Key
}

// Map is a persistent map: Put and Drop return a new Map that shares all blocks but one with the old. Each block is a
// segment, so that a save writes only the blocks that changed. Sixteen neighbouring blocks stand on a shelf, which is a segment
// too if there are several, so that the list of blocks that a save writes does not grow with the map. The zero Map is empty.
type Map[V Row[V]] struct {
	shelves []shelf[V] // ascending, none empty
}

// shelfBits is the binary logarithm of the number of blocks on a shelf.
const shelfBits = 4

type shelf[V Row[V]] struct {
	no     uint32
	blocks state.Segment[blocks[V]]
}

// blocks is the content of a shelf.
type blocks[V Row[V]] struct{ list []block[V] } // ascending, none empty

type block[V Row[V]] struct {
	no   uint32
	rows state.Segment[rows[V]]
}

// rows is the content of a block, in ascending order of keys.
type rows[V Row[V]] struct{ list []V }

func (r rows[V]) find(k Key) (int, bool) {
	return slices.BinarySearchFunc(r.list, k, func(v V, k Key) int { return v.Key().compare(k) })
}

func (m Map[V]) find(no uint32) (int, bool) {
	return slices.BinarySearchFunc(m.shelves, no, func(s shelf[V], no uint32) int { return cmp.Compare(s.no, no) })
}

func (b blocks[V]) find(no uint32) (int, bool) {
	return slices.BinarySearchFunc(b.list, no, func(b block[V], no uint32) int { return cmp.Compare(b.no, no) })
}

// block returns the block with a number, a zero one if there is none.
func (m Map[V]) block(no uint32) block[V] {
	if i, ok := m.find(no >> shelfBits); ok {
		on := m.shelves[i].blocks.Value()
		if j, ok := on.find(no); ok {
			return on.list[j]
		}
	}
	return block[V]{}
}

// with returns the map with a block of these rows, without that block if there are none.
func (m Map[V]) with(no uint32, list []V) Map[V] {
	i, shelved := m.find(no >> shelfBits)
	shelves := slices.Clone(m.shelves)
	if !shelved {
		shelves = slices.Insert(shelves, i, shelf[V]{no: no >> shelfBits})
	}
	on := shelves[i].blocks.Value()
	j, ok := on.find(no)
	on.list = slices.Clone(on.list)
	switch {
	case len(list) == 0 && ok:
		on.list = slices.Delete(on.list, j, j+1)
	case len(list) > 0 && ok:
		on.list[j].rows = state.NewSegment(rows[V]{list})
	case len(list) > 0:
		on.list = slices.Insert(on.list, j, block[V]{no, state.NewSegment(rows[V]{list})})
	}
	if len(on.list) == 0 {
		return Map[V]{slices.Delete(shelves, i, i+1)}
	}
	shelves[i].blocks = state.NewSegment(on)
	return Map[V]{shelves}
}

// Get returns the row at k.
func (m Map[V]) Get(k Key) (v V, ok bool) {
	r := m.block(k.Block).rows.Value()
	j, ok := r.find(k)
	if ok {
		v = r.list[j]
	}
	return v, ok
}

// Has reports whether there is a row at k.
func (m Map[V]) Has(k Key) bool {
	_, ok := m.Get(k)
	return ok
}

// Put returns the map with v, in place of what was at its key.
func (m Map[V]) Put(v V) Map[V] {
	k := v.Key()
	r := m.block(k.Block).rows.Value()
	list := slices.Clone(r.list)
	if j, ok := r.find(k); ok {
		list[j] = v
	} else {
		list = slices.Insert(list, j, v)
	}
	return m.with(k.Block, list)
}

// PutAll returns the map with rows of ascending keys, each in place of what was at its key. It takes one step for each row of the
// blocks that change.
func (m Map[V]) PutAll(all []V) Map[V] {
	for len(all) > 0 {
		no := all[0].Key().Block
		n := slices.IndexFunc(all, func(v V) bool { return v.Key().Block != no })
		if n < 0 {
			n = len(all)
		}
		m = m.with(no, m.block(no).rows.Value().merge(all[:n]).list)
		all = all[n:]
	}
	return m
}

// merge returns the rows with others, in place of those with their keys.
func (r rows[V]) merge(others []V) rows[V] {
	list := make([]V, 0, len(r.list)+len(others))
	for _, v := range r.list {
		for len(others) > 0 && others[0].Key().compare(v.Key()) < 0 {
			list, others = append(list, others[0]), others[1:]
		}
		if len(others) > 0 && others[0].Key() == v.Key() {
			v, others = others[0], others[1:]
		}
		list = append(list, v)
	}
	return rows[V]{append(list, others...)}
}

// Drop returns the map without the row at k.
func (m Map[V]) Drop(k Key) Map[V] {
	r := m.block(k.Block).rows.Value()
	j, ok := r.find(k)
	if !ok {
		return m
	}
	return m.with(k.Block, slices.Delete(slices.Clone(r.list), j, j+1))
}

// All returns the rows in ascending order of keys.
func (m Map[V]) All() iter.Seq[V] { return m.Unshared(Map[V]{}) }

// Unshared yields, in ascending order of keys, the rows of the blocks that m does not share with o. All other rows are in o
// as they are in m, so that a comparison of the two may leave them out.
func (m Map[V]) Unshared(o Map[V]) iter.Seq[V] {
	return func(yield func(V) bool) {
		for _, s := range m.shelves {
			if i, ok := o.find(s.no); ok && o.shelves[i] == s {
				continue
			}
			for _, b := range s.blocks.Value().list {
				if o.block(b.no) == b {
					continue
				}
				for _, v := range b.rows.Value().list {
					if !yield(v) {
						return
					}
				}
			}
		}
	}
}

// Last returns the row with the greatest key, unless the map is empty.
func (m Map[V]) Last() (v V, ok bool) {
	if len(m.shelves) == 0 {
		return v, false
	}
	on := m.shelves[len(m.shelves)-1].blocks.Value().list
	list := on[len(on)-1].rows.Value().list
	return list[len(list)-1], true
}

// Size returns the number of rows.
func (m Map[V]) Size() (n int) {
	for _, s := range m.shelves {
		for _, b := range s.blocks.Value().list {
			n += len(b.rows.Value().list)
		}
	}
	return n
}

// Encode writes the map as segments whose names begin with name.
func (m Map[V]) Encode(e *state.Encoder, name string) {
	switch len(m.shelves) {
	case 0:
		e.Uint32(0)
		return
	case 1:
		m.shelves[0].blocks.Value().encode(e, name)
		return
	}
	e.Uint32(shelved | uint32(len(m.shelves)))
	for _, s := range m.shelves {
		e.Uint32(s.no)
		s.blocks.Encode(e, numbered(name, s.no))
	}
}

// numbered returns the name of a segment.
func numbered(name string, no uint32) string { return name + strconv.FormatUint(uint64(no), 16) }

const (
	// shelved marks a number of shelves. Without it the number is that of the blocks of one shelf.
	shelved = 1 << 31
	// maxShelves bounds a Map: the blocks of 2^20 indices.
	maxShelves = 1 << 12
)

// Decode reads what Encode wrote.
func Decode[V Row[V]](d *state.Decoder, name string) (m Map[V], err error) {
	n := d.Uint32()
	if n == 0 {
		return Map[V]{}, d.Err()
	}
	if n&shelved == 0 {
		on, err := decodeBlocks[V](d, n, name)
		if err != nil {
			return Map[V]{}, err
		}
		return Map[V]{[]shelf[V]{{on.list[0].no >> shelfBits, state.NewSegment(on)}}}, nil
	}
	if n &^= shelved; n < 2 || n > maxShelves {
		return Map[V]{}, ErrDisorder
	}
	m.shelves = make([]shelf[V], 0, n)
	for range n {
		s := shelf[V]{no: d.Uint32()}
		if s.blocks, err = state.DecodeSegment[blocks[V]](d, numbered(name, s.no)); err != nil {
			return Map[V]{}, err
		}
		if len(m.shelves) > 0 && m.shelves[len(m.shelves)-1].no >= s.no || s.blocks.Value().list[0].no>>shelfBits != s.no {
			return Map[V]{}, ErrDisorder
		}
		m.shelves = append(m.shelves, s)
	}
	return m, d.Err()
}

func (b blocks[V]) encode(e *state.Encoder, name string) {
	e.Uint32(uint32(len(b.list)))
	for _, b := range b.list {
		e.Uint32(b.no)
		b.rows.Encode(e, numbered(name, b.no))
	}
}

// Encode implements state.Piece.
func (b blocks[V]) Encode(e *state.Encoder) { b.encode(e, "") }

// Decode implements state.Piece.
func (blocks[V]) Decode(d *state.Decoder) (blocks[V], error) {
	return decodeBlocks[V](d, d.Uint32(), "")
}

func decodeBlocks[V Row[V]](d *state.Decoder, n uint32, name string) (on blocks[V], err error) {
	if n == 0 || n > 1<<shelfBits {
		return blocks[V]{}, cmp.Or(d.Err(), ErrDisorder)
	}
	for range n {
		b := block[V]{no: d.Uint32()}
		if b.rows, err = state.DecodeSegment[rows[V]](d, numbered(name, b.no)); err != nil {
			return blocks[V]{}, err
		}
		if k := len(on.list); k > 0 && (on.list[k-1].no >= b.no || on.list[0].no>>shelfBits != b.no>>shelfBits) ||
			b.rows.Value().list[0].Key().Block != b.no {
			return blocks[V]{}, ErrDisorder
		}
		on.list = append(on.list, b)
	}
	return on, d.Err()
}

// ErrDisorder is the error for rows that are not where they belong.
var ErrDisorder = fmt.Errorf("%w: rows of a map out of order", wire.ErrMalformed)

// maxRows bounds a block. The largest is one of 64 that hold the headers of 20,000 retained messages.
const maxRows = 1 << 15

// Encode implements state.Piece.
func (r rows[V]) Encode(e *state.Encoder) {
	e.Uint32(uint32(len(r.list)))
	for _, v := range r.list {
		v.Encode(e)
	}
}

// Decode implements state.Piece.
func (rows[V]) Decode(d *state.Decoder) (r rows[V], err error) {
	var zero V
	r.list = make([]V, 0, d.Count(maxRows, 1))
	for range cap(r.list) {
		v, err := zero.Decode(d)
		if err == nil {
			err = d.Err()
		}
		if err != nil {
			return rows[V]{}, err
		}
		if n := len(r.list); n > 0 && (r.list[n-1].Key().compare(v.Key()) >= 0 || r.list[0].Key().Block != v.Key().Block) {
			return rows[V]{}, ErrDisorder
		}
		r.list = append(r.list, v)
	}
	if len(r.list) == 0 {
		return rows[V]{}, ErrDisorder
	}
	return r, nil
}

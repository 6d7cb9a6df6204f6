// Package segmap is a persistent map that is stored in segments of a state.Part, block by block.
package segmap

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"

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
// segment, so that a save writes only the blocks that changed. The zero Map is empty.
type Map[V Row[V]] struct {
	blocks []block[V] // ascending, none empty
}

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
	return slices.BinarySearchFunc(m.blocks, no, func(b block[V], no uint32) int { return cmp.Compare(b.no, no) })
}

// Get returns the row at k.
func (m Map[V]) Get(k Key) (v V, ok bool) {
	if i, ok := m.find(k.Block); ok {
		r := m.blocks[i].rows.Value()
		if j, ok := r.find(k); ok {
			return r.list[j], true
		}
	}
	return v, false
}

// Has reports whether there is a row at k.
func (m Map[V]) Has(k Key) bool {
	_, ok := m.Get(k)
	return ok
}

// Put returns the map with v, in place of what was at its key.
func (m Map[V]) Put(v V) Map[V] {
	k := v.Key()
	i, ok := m.find(k.Block)
	blocks := slices.Clone(m.blocks)
	if !ok {
		b := block[V]{k.Block, state.NewSegment(rows[V]{[]V{v}})}
		return Map[V]{slices.Insert(blocks, i, b)}
	}
	list := slices.Clone(blocks[i].rows.Value().list)
	if j, ok := (rows[V]{list}).find(k); ok {
		list[j] = v
	} else {
		list = slices.Insert(list, j, v)
	}
	blocks[i].rows = state.NewSegment(rows[V]{list})
	return Map[V]{blocks}
}

// PutAll returns the map with rows of ascending keys, each in place of what was at its key. It takes one step for each row of the
// blocks that change.
func (m Map[V]) PutAll(all []V) Map[V] {
	blocks := slices.Clone(m.blocks)
	for len(all) > 0 {
		no := all[0].Key().Block
		n := slices.IndexFunc(all, func(v V) bool { return v.Key().Block != no })
		if n < 0 {
			n = len(all)
		}
		i, ok := (Map[V]{blocks}).find(no)
		if !ok {
			blocks = slices.Insert(blocks, i, block[V]{no: no})
		}
		blocks[i].rows = state.NewSegment(blocks[i].rows.Value().merge(all[:n]))
		all = all[n:]
	}
	return Map[V]{blocks}
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
	i, ok := m.find(k.Block)
	if !ok {
		return m
	}
	r := m.blocks[i].rows.Value()
	j, ok := r.find(k)
	if !ok {
		return m
	}
	blocks := slices.Clone(m.blocks)
	if len(r.list) == 1 {
		return Map[V]{slices.Delete(blocks, i, i+1)}
	}
	blocks[i].rows = state.NewSegment(rows[V]{slices.Delete(slices.Clone(r.list), j, j+1)})
	return Map[V]{blocks}
}

// All returns the rows in ascending order of keys.
func (m Map[V]) All() iter.Seq[V] {
	return func(yield func(V) bool) {
		for _, b := range m.blocks {
			for _, v := range b.rows.Value().list {
				if !yield(v) {
					return
				}
			}
		}
	}
}

// Unshared yields, in ascending order of keys, the rows of the blocks that m does not share with o. All other rows are in o
// as they are in m, so that a comparison of the two may leave them out.
func (m Map[V]) Unshared(o Map[V]) iter.Seq[V] {
	return func(yield func(V) bool) {
		for _, b := range m.blocks {
			if i, ok := o.find(b.no); ok && o.blocks[i] == b {
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

// Last returns the row with the greatest key, unless the map is empty.
func (m Map[V]) Last() (v V, ok bool) {
	if len(m.blocks) == 0 {
		return v, false
	}
	list := m.blocks[len(m.blocks)-1].rows.Value().list
	return list[len(list)-1], true
}

// Size returns the number of rows.
func (m Map[V]) Size() (n int) {
	for _, b := range m.blocks {
		n += len(b.rows.Value().list)
	}
	return n
}

// Encode writes the map as segments whose names begin with name.
func (m Map[V]) Encode(e *state.Encoder, name string) {
	e.Uint32(uint32(len(m.blocks)))
	for _, b := range m.blocks {
		e.Uint32(b.no)
		b.rows.Encode(e, blockName(name, b.no))
	}
}

func blockName(name string, no uint32) string { return fmt.Sprintf("%s%x", name, no) }

// maxBlocks bounds a Map: the blocks of 2^20 indices.
const maxBlocks = 1 << 16

// Decode reads what Encode wrote.
func Decode[V Row[V]](d *state.Decoder, name string) (m Map[V], err error) {
	n := d.Count(maxBlocks, 4)
	m.blocks = make([]block[V], 0, n)
	for range n {
		b := block[V]{no: d.Uint32()}
		if b.rows, err = state.DecodeSegment[rows[V]](d, blockName(name, b.no)); err != nil {
			return Map[V]{}, err
		}
		list := b.rows.Value().list
		if len(m.blocks) > 0 && m.blocks[len(m.blocks)-1].no >= b.no || list[0].Key().Block != b.no {
			return Map[V]{}, ErrDisorder
		}
		m.blocks = append(m.blocks, b)
	}
	return m, d.Err()
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

package ratchet

import (
	"bytes"
	"cmp"
	"fmt"
	"iter"
	"slices"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state"
)

// rowKey is where a row of a table lies: a block, which is stored by itself, and a place in it.
type rowKey struct {
	block uint32
	place [32]byte
}

func (k rowKey) compare(o rowKey) int {
	if c := cmp.Compare(k.block, o.block); c != 0 {
		return c
	}
	return bytes.Compare(k.place[:], o.place[:])
}

// indexBlock is the binary logarithm of the number of indices in a block of a table by index.
const indexBlock = 4

// byIndex puts 16 neighbouring indices into one block: members who join one after the other often are neighbours.
func byIndex(i uint32) (k rowKey) {
	k.block = i >> indexBlock
	copy(k.place[:], u32(i))
	return k
}

// byID spreads ids, which are hashes, over 64 blocks.
func byID(id [32]byte) rowKey { return rowKey{block: uint32(id[0] >> 2), place: id} }

// row is what a table holds. Rows are immutable values.
type row[V any] interface {
	state.Piece[V]
	key() rowKey
}

// table is a persistent map: put and drop return a new table that shares all blocks but one with the old. Each block is a
// segment, so that a save writes only the blocks that changed. The zero table is empty.
type table[V row[V]] struct {
	blocks []tableBlock[V] // ascending, none empty
}

type tableBlock[V row[V]] struct {
	no   uint32
	rows state.Segment[rows[V]]
}

// rows is the content of a block, in ascending order of keys.
type rows[V row[V]] struct{ list []V }

func (r rows[V]) find(k rowKey) (int, bool) {
	return slices.BinarySearchFunc(r.list, k, func(v V, k rowKey) int { return v.key().compare(k) })
}

func (t table[V]) find(no uint32) (int, bool) {
	return slices.BinarySearchFunc(t.blocks, no, func(b tableBlock[V], no uint32) int { return cmp.Compare(b.no, no) })
}

// get returns the row at k.
func (t table[V]) get(k rowKey) (v V, ok bool) {
	if i, ok := t.find(k.block); ok {
		r := t.blocks[i].rows.Value()
		if j, ok := r.find(k); ok {
			return r.list[j], true
		}
	}
	return v, false
}

// has reports whether there is a row at k.
func (t table[V]) has(k rowKey) bool {
	_, ok := t.get(k)
	return ok
}

// put returns the table with v, in place of what was at its key.
func (t table[V]) put(v V) table[V] {
	k := v.key()
	i, ok := t.find(k.block)
	blocks := slices.Clone(t.blocks)
	if !ok {
		b := tableBlock[V]{k.block, state.NewSegment(rows[V]{[]V{v}})}
		return table[V]{slices.Insert(blocks, i, b)}
	}
	list := slices.Clone(blocks[i].rows.Value().list)
	if j, ok := (rows[V]{list}).find(k); ok {
		list[j] = v
	} else {
		list = slices.Insert(list, j, v)
	}
	blocks[i].rows = state.NewSegment(rows[V]{list})
	return table[V]{blocks}
}

// drop returns the table without the row at k.
func (t table[V]) drop(k rowKey) table[V] {
	i, ok := t.find(k.block)
	if !ok {
		return t
	}
	r := t.blocks[i].rows.Value()
	j, ok := r.find(k)
	if !ok {
		return t
	}
	blocks := slices.Clone(t.blocks)
	if len(r.list) == 1 {
		return table[V]{slices.Delete(blocks, i, i+1)}
	}
	blocks[i].rows = state.NewSegment(rows[V]{slices.Delete(slices.Clone(r.list), j, j+1)})
	return table[V]{blocks}
}

// all returns the rows in ascending order of keys.
func (t table[V]) all() iter.Seq[V] {
	return func(yield func(V) bool) {
		for _, b := range t.blocks {
			for _, v := range b.rows.Value().list {
				if !yield(v) {
					return
				}
			}
		}
	}
}

// size returns the number of rows.
func (t table[V]) size() (n int) {
	for _, b := range t.blocks {
		n += len(b.rows.Value().list)
	}
	return n
}

// encode writes the table as segments whose names begin with name.
func (t table[V]) encode(e *state.Encoder, name string) {
	e.Uint32(uint32(len(t.blocks)))
	for _, b := range t.blocks {
		e.Uint32(b.no)
		b.rows.Encode(e, blockName(name, b.no))
	}
}

func blockName(name string, no uint32) string { return fmt.Sprintf("%s%x", name, no) }

// maxBlocks bounds a table: the blocks of 2^20 indices.
const maxBlocks = 1 << 16

// decodeTable reads what encode wrote.
func decodeTable[V row[V]](d *state.Decoder, name string) (t table[V], err error) {
	n := d.Count(maxBlocks, 4)
	t.blocks = make([]tableBlock[V], 0, n)
	for range n {
		b := tableBlock[V]{no: d.Uint32()}
		if b.rows, err = state.DecodeSegment[rows[V]](d, blockName(name, b.no)); err != nil {
			return table[V]{}, err
		}
		list := b.rows.Value().list
		if len(t.blocks) > 0 && t.blocks[len(t.blocks)-1].no >= b.no || list[0].key().block != b.no {
			return table[V]{}, errDisorder
		}
		t.blocks = append(t.blocks, b)
	}
	return t, d.Err()
}

// errDisorder is the error for rows that are not where they belong.
var errDisorder = fmt.Errorf("%w: rows of a table out of order", wire.ErrMalformed)

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
		if n := len(r.list); n > 0 && (r.list[n-1].key().compare(v.key()) >= 0 || r.list[0].key().block != v.key().block) {
			return rows[V]{}, errDisorder
		}
		r.list = append(r.list, v)
	}
	if len(r.list) == 0 {
		return rows[V]{}, errDisorder
	}
	return r, nil
}

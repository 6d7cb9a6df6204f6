package state_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// Three toy parts that stand for a ratchet state (a list that grows, in segments), a template (a set) and evals (a counter
// that is a cursor).

const toyVersion = 1

// toyKey is a secret that looks like nothing else.
var toyKey = []byte{0x91, 0xfe, 0x07, 0xc3, 0x88, 0x1b, 0xd4, 0x6a, 0xe5, 0x32, 0xb9, 0x0d, 0xf6, 0x5c, 0xa3, 0x17}

var errBackwards = errors.New("toy: goes backwards")

// counter holds a number that never falls, and a secret.
type counter struct {
	n   uint64
	key secret.Bytes
}

func (c counter) Encode(e *state.Encoder) {
	e.Version(toyVersion)
	e.Uint64(c.n)
	e.Bytes(c.key.Expose())
}

func (counter) Decode(d *state.Decoder) (counter, error) {
	d.Version(toyVersion, toyVersion)
	return counter{d.Uint64(), secret.Own(d.Bytes(64))}, nil
}

func (c counter) Succeeds(prev counter) error {
	if c.n < prev.n {
		return errBackwards
	}
	return nil
}

func (c counter) next() counter { return counter{c.n + 1, c.key} }

// set holds names in order.
type set struct{ names []string }

func (s set) Encode(e *state.Encoder) {
	e.Version(toyVersion)
	e.Uint32(uint32(len(s.names)))
	for _, n := range s.names {
		e.Bytes([]byte(n))
	}
}

func (set) Decode(d *state.Decoder) (set, error) {
	d.Version(toyVersion, toyVersion)
	s := set{make([]string, d.Count(1000, 4))}
	for i := range s.names {
		s.names[i] = string(d.Bytes(1000))
	}
	if d.Err() == nil && !slices.IsSorted(s.names) {
		return set{}, errors.New("toy: names out of order")
	}
	return s, nil
}

func (s set) Succeeds(prev set) error { return nil }

func (s set) with(name string) set {
	names := append(slices.Clone(s.names), name)
	slices.Sort(names)
	return set{slices.Compact(names)}
}

// list holds entries in blocks of blockSize, each a segment, which has a segment of its own with the block's sum.
const blockSize = 4

type list struct{ blocks []state.Segment[block] }

type block struct {
	entries []uint64
	sum     state.Segment[sum]
}

type sum struct{ n uint64 }

func (s sum) Encode(e *state.Encoder)            { e.Uint64(s.n) }
func (sum) Decode(d *state.Decoder) (sum, error) { return sum{d.Uint64()}, nil }

func (b block) Encode(e *state.Encoder) {
	e.Uint32(uint32(len(b.entries)))
	for _, v := range b.entries {
		e.Uint64(v)
	}
	b.sum.Encode(e, "sum")
}

func (block) Decode(d *state.Decoder) (b block, err error) {
	b.entries = make([]uint64, d.Count(blockSize, 8))
	for i := range b.entries {
		b.entries[i] = d.Uint64()
	}
	b.sum, err = state.DecodeSegment[sum](d, "sum")
	return b, err
}

func newBlock(entries []uint64) state.Segment[block] {
	var n uint64
	for _, v := range entries {
		n += v
	}
	return state.NewSegment(block{entries, state.NewSegment(sum{n})})
}

func (l list) Encode(e *state.Encoder) {
	e.Version(toyVersion)
	e.Uint32(uint32(len(l.blocks)))
	for i, b := range l.blocks {
		b.Encode(e, fmt.Sprint(i))
	}
}

func (list) Decode(d *state.Decoder) (list, error) {
	d.Version(toyVersion, toyVersion)
	l := list{make([]state.Segment[block], d.Count(1000, 0))}
	for i := range l.blocks {
		var err error
		if l.blocks[i], err = state.DecodeSegment[block](d, fmt.Sprint(i)); err != nil {
			return list{}, err
		}
	}
	return l, nil
}

func (l list) Succeeds(prev list) error {
	if len(l.all()) < len(prev.all()) {
		return errBackwards
	}
	return nil
}

func (l list) all() (out []uint64) {
	for _, b := range l.blocks {
		out = append(out, b.Value().entries...)
	}
	return out
}

// with appends an entry; only the last block is made anew.
func (l list) with(v uint64) list {
	blocks := slices.Clone(l.blocks)
	if n := len(blocks); n > 0 && len(blocks[n-1].Value().entries) < blockSize {
		blocks[n-1] = newBlock(append(slices.Clone(blocks[n-1].Value().entries), v))
	} else {
		blocks = append(blocks, newBlock([]uint64{v}))
	}
	return list{blocks}
}

type toy = state.SpaceEncryptionState[list, set, counter]

func newToy(t testing.TB, id state.ID) toy {
	s, err := state.New(id, list{}, set{}, counter{key: secret.New(toyKey)})
	require.NoError(t, err)
	return s
}

func testKey(t testing.TB, first byte) state.Key {
	k, err := state.NewKey(append([]byte{first}, make([]byte, state.KeySize-1)...))
	require.NoError(t, err)
	return k
}

func openToys(t testing.TB, s store.Store, o state.Options) *state.Vault[toy] {
	v, err := state.Open[toy](t.Context(), s, testKey(t, 1), o)
	require.NoError(t, err)
	return v
}

func id(n byte) state.ID { return state.ID{31: n} }

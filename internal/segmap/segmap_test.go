package segmap

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// entry is a row: a number at an index.
type entry struct{ index, n uint32 }

func (e entry) Key() Key { return ByIndex(e.index) }

func (e entry) Encode(w *state.Encoder) {
	w.Uint32(e.index)
	w.Uint32(e.n)
}

func (entry) Decode(d *state.Decoder) (entry, error) { return entry{d.Uint32(), d.Uint32()}, d.Err() }

// part is a part that is a map.
type part struct{ m Map[entry] }

func (p part) Encode(e *state.Encoder) {
	e.Version(1)
	p.m.Encode(e, "rows-")
}

func (part) Decode(d *state.Decoder) (part, error) {
	d.Version(1, 1)
	m, err := Decode[entry](d, "rows-")
	return part{m}, err
}

func (part) Succeeds(part) error { return nil }

// forged is a part that is written as one is, with any rows in any blocks.
type forged struct {
	numbers []uint32
	blocks  []rows[entry]
}

func (f forged) Encode(e *state.Encoder) {
	e.Version(1)
	e.Uint32(uint32(len(f.numbers)))
	for i, no := range f.numbers {
		e.Uint32(no)
		state.NewSegment(f.blocks[i]).Encode(e, blockName("rows-", no))
	}
}

func (forged) Decode(d *state.Decoder) (forged, error) { return forged{}, d.Err() }
func (forged) Succeeds(forged) error                   { return nil }

// spaceWith is a space whose state is a T.
type spaceWith[T state.Part[T]] = state.SpaceEncryptionState[T, part, part]

func openVault[T state.Part[T]](t *testing.T, backend store.Store) *state.Vault[spaceWith[T]] {
	t.Helper()
	key, err := state.NewKey(make([]byte, state.KeySize))
	require.NoError(t, err)
	v, err := state.Open[spaceWith[T]](t.Context(), backend, key, state.Options{})
	require.NoError(t, err)
	return v
}

// reload stores a part and returns what a vault reads of it.
func reload[T state.Part[T]](t *testing.T, p T) (Map[entry], error) {
	t.Helper()
	backend, id := store.NewMemory(), state.ID{1}
	s, err := state.New(id, p, part{}, part{})
	require.NoError(t, err)
	require.NoError(t, openVault[T](t, backend).Create(t.Context(), s, nil))
	v, err := openVault[part](t, backend).Load(t.Context(), id)
	return v.State().m, err
}

// A map does what Go's does, in the order of its keys, whatever is done to it; older values stay as they were.
func TestMapIsPersistent(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var m Map[entry]
		like := map[uint32]uint32{}
		type version struct {
			m    Map[entry]
			rows []entry
		}
		var versions []version
		for range rapid.IntRange(0, 60).Draw(r, "steps") {
			e := entry{rapid.Uint32Range(0, 100).Draw(r, "index"), rapid.Uint32().Draw(r, "n")}
			if rapid.Bool().Draw(r, "put") {
				m, like[e.index] = m.Put(e), e.n
			} else {
				m = m.Drop(e.Key())
				delete(like, e.index)
			}
			n, has := like[e.index]
			got, ok := m.Get(e.Key())
			require.Equal(r, has, ok)
			require.Equal(r, n, got.n)
			require.Equal(r, has, m.Has(e.Key()))
			versions = append(versions, version{m, slices.Collect(m.All())})
		}
		var want []entry
		for _, i := range slices.Sorted(maps.Keys(like)) {
			want = append(want, entry{i, like[i]})
		}
		require.Equal(r, want, slices.Collect(m.All()))
		require.Equal(r, len(want), m.Size())
		last, ok := m.Last()
		require.Equal(r, len(want) > 0, ok)
		if ok {
			require.Equal(r, want[len(want)-1], last)
		}
		for _, v := range versions {
			require.Equal(r, v.rows, slices.Collect(v.m.All()))
			for e := range v.m.All() {
				unshared := slices.Contains(slices.Collect(v.m.Unshared(m)), e)
				now, ok := m.Get(e.Key())
				require.True(r, unshared || ok && now == e, "a row that is left out is in the other map")
			}
		}
	})
}

// Rows in blocks that were not changed are shared.
func TestUnsharedLeavesOutWhatIsShared(t *testing.T) {
	var m Map[entry]
	for i := range uint32(64) {
		m = m.Put(entry{i, i})
	}
	next := m.Put(entry{20, 0}).Put(entry{100, 0}).Drop(ByIndex(63))
	var indices []uint32
	for e := range m.Unshared(next) {
		indices = append(indices, e.index)
	}
	require.Len(t, indices, 32)
	require.Equal(t, []uint32{16, 48}, []uint32{indices[0], indices[16]})
	require.Empty(t, slices.Collect(m.Unshared(m)))
}

// What a vault stores of a map is the map.
func TestMapIsStored(t *testing.T) {
	for _, indices := range [][]uint32{nil, {0}, {1, 2, 3}, {15, 16, 1 << 20, 1<<32 - 1}} {
		var m Map[entry]
		for _, i := range indices {
			m = m.Put(entry{i, i + 1})
		}
		back, err := reload(t, part{m})
		require.NoError(t, err)
		require.Equal(t, slices.Collect(m.All()), slices.Collect(back.All()))
	}
}

// Stored bytes that no map encodes to are refused.
func TestDisorderIsRefused(t *testing.T) {
	low, high := rows[entry]{[]entry{{1, 0}, {2, 0}}}, rows[entry]{[]entry{{17, 0}}}
	ordered := forged{[]uint32{0, 1}, []rows[entry]{low, high}}
	_, err := reload(t, ordered)
	require.NoError(t, err)
	for name, f := range map[string]forged{
		"blocks in the wrong order": {[]uint32{1, 0}, []rows[entry]{high, low}},
		"rows of another block":     {[]uint32{0, 2}, []rows[entry]{low, high}},
		"rows in the wrong order":   {[]uint32{0}, []rows[entry]{{[]entry{{2, 0}, {1, 0}}}}},
		"a row twice":               {[]uint32{0}, []rows[entry]{{[]entry{{2, 0}, {2, 1}}}}},
		"rows of two blocks":        {[]uint32{0}, []rows[entry]{{[]entry{{1, 0}, {17, 0}}}}},
		"an empty block":            {[]uint32{0}, []rows[entry]{{}}},
	} {
		_, err := reload(t, f)
		require.ErrorIs(t, err, ErrDisorder, name)
	}
}

// Rows that are put together lie where they would lie if they were put one by one.
func TestPutAll(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		draw := func(name string) (out []entry) {
			for _, i := range slices.Sorted(maps.Keys(rapid.MapOf(rapid.Uint32Max(80), rapid.Just(true)).Draw(r, name))) {
				out = append(out, entry{i, rapid.Uint32().Draw(r, "n")})
			}
			return out
		}
		var one, all Map[entry]
		for _, batch := range [][]entry{draw("first"), draw("second")} {
			all = all.PutAll(batch)
			for _, e := range batch {
				one = one.Put(e)
			}
			require.Equal(r, slices.Collect(one.All()), slices.Collect(all.All()))
			for _, e := range batch {
				got, ok := all.Get(e.Key())
				require.True(r, ok)
				require.Equal(r, e, got)
			}
		}
	})
}

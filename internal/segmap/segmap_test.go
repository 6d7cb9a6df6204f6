package segmap

import (
	"context"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/internal/wire"
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

// forged is a part that is written as one is, with any rows in any blocks on any shelves.
type forged struct {
	shelves []uint32
	blocks  []blocks[entry]
}

// blocksOf returns blocks with these numbers and rows.
func blocksOf(numbers []uint32, all ...rows[entry]) (on blocks[entry]) {
	for i, no := range numbers {
		on.list = append(on.list, block[entry]{no, state.NewSegment(all[i])})
	}
	return on
}

func (f forged) Encode(e *state.Encoder) {
	e.Version(1)
	if len(f.shelves) == 1 {
		f.blocks[0].encode(e, "rows-")
		return
	}
	e.Uint32(shelved | uint32(len(f.shelves)))
	for i, no := range f.shelves {
		e.Uint32(no)
		state.NewSegment(f.blocks[i]).Encode(e, numbered("rows-", no))
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
			e := entry{rapid.Uint32Range(0, 40).Draw(r, "index") * rapid.SampledFrom([]uint32{1, 17}).Draw(r, "apart"), rapid.Uint32().Draw(r, "n")}
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
	low, high, far := rows[entry]{[]entry{{1, 0}, {2, 0}}}, rows[entry]{[]entry{{17, 0}}}, rows[entry]{[]entry{{256, 0}}}
	near := blocksOf([]uint32{0, 1}, low, high)
	for _, f := range []forged{{[]uint32{0}, []blocks[entry]{near}}, {[]uint32{0, 1}, []blocks[entry]{near, blocksOf([]uint32{16}, far)}}} {
		_, err := reload(t, f)
		require.NoError(t, err)
	}
	var numbers []uint32
	var all []rows[entry]
	for i := range uint32(1<<shelfBits + 1) {
		numbers, all = append(numbers, i), append(all, rows[entry]{[]entry{{i << IndexBits, 0}}})
	}
	one := func(numbers []uint32, all ...rows[entry]) forged {
		return forged{[]uint32{0}, []blocks[entry]{blocksOf(numbers, all...)}}
	}
	for name, f := range map[string]forged{
		"blocks in the wrong order":  one([]uint32{1, 0}, high, low),
		"rows of another block":      one([]uint32{0, 2}, low, high),
		"rows in the wrong order":    one([]uint32{0}, rows[entry]{[]entry{{2, 0}, {1, 0}}}),
		"a row twice":                one([]uint32{0}, rows[entry]{[]entry{{2, 0}, {2, 1}}}),
		"rows of two blocks":         one([]uint32{0}, rows[entry]{[]entry{{1, 0}, {17, 0}}}),
		"an empty block":             one([]uint32{0}, rows[entry]{}),
		"blocks of two shelves":      one([]uint32{0, 16}, low, far),
		"no shelf":                   {},
		"too many blocks":            one(numbers, all...),
		"shelves in the wrong order": {[]uint32{1, 0}, []blocks[entry]{blocksOf([]uint32{16}, far), near}},
		"blocks of another shelf":    {[]uint32{0, 2}, []blocks[entry]{near, blocksOf([]uint32{16}, far)}},
		"an empty shelf of two":      {[]uint32{0, 1}, []blocks[entry]{near, {}}},
	} {
		_, err := reload(t, f)
		require.ErrorIs(t, err, wire.ErrMalformed, name)
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

// countingStore counts the bytes of segments that are written.
type countingStore struct {
	store.Store
	bytes int
}

func (s *countingStore) Commit(ctx context.Context, changes ...store.Change) error {
	for _, c := range changes {
		for path, sealed := range c.Put {
			s.bytes += len(path) + len(sealed)
		}
	}
	return s.Store.Commit(ctx, changes...)
}

// A change of one row writes its block, its shelf and little more, however many rows there are.
func TestAChangeWritesLittle(t *testing.T) {
	var all []entry
	for i := range uint32(16_000) {
		all = append(all, entry{i, 0})
	}
	backend := &countingStore{Store: store.NewMemory()}
	s, err := state.New(state.ID{1}, part{Map[entry]{}.PutAll(all)}, part{}, part{})
	require.NoError(t, err)
	v := openVault[part](t, backend)
	require.NoError(t, v.Create(t.Context(), s, nil))
	backend.bytes = 0
	require.NoError(t, v.Update(t.Context(), s.ID(), func(tx *state.Tx[spaceWith[part]]) error {
		tx.Set(tx.Value().WithState(part{tx.Value().State().m.Put(entry{7_000, 1})}))
		return nil
	}))
	require.Positive(t, backend.bytes)
	require.Less(t, backend.bytes, 2_000)
}

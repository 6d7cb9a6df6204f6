package state_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// rob seizes all bytes of a database's files, and the key of the vault.
func rob(t *testing.T, path string, backend store.Store) state.Thief {
	var raw []byte
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		b, err := os.ReadFile(path + suffix)
		if err != nil {
			require.ErrorIs(t, err, os.ErrNotExist)
		}
		raw = append(raw, b...)
	}
	ids, err := backend.List(t.Context(), store.Vault, state.ID{}, 1)
	require.NoError(t, err)
	row, err := backend.Load(t.Context(), store.Vault, ids[0])
	require.NoError(t, err)
	key := make([]byte, state.KeySize)
	key[0] = 1 // testKey
	return state.Rob(raw, key, state.Database(row), row.Head.Version)
}

// evidence is everything that was ever stored of a message: the thief has a recording of it, and lacks only keys.
type evidence struct {
	id   state.ID
	head store.Head
	item store.Item
	text string
}

// converse lets messages come in, records them as they are sealed, and reads them.
func converse(t *testing.T, backend store.Store, v *state.Vault[toy], at state.ID, n int) (all []evidence) {
	ctx := t.Context()
	for i := range n {
		text := fmt.Sprintf("message %d to %v", i, at)
		require.NoError(t, v.Update(ctx, at, func(tx *state.Tx[toy]) error {
			s := tx.Value()
			tx.Set(s.WithState(s.State().with(uint64(i))).WithEvals(s.Evals().next()))
			tx.Deliver([]byte(text))
			return nil
		}))
		row, err := backend.Load(ctx, store.Spaces, at)
		require.NoError(t, err)
		items, err := backend.Items(ctx, store.Spaces, at, store.Inbox, row.Inbox[len(row.Inbox)-1].Seq)
		require.NoError(t, err)
		all = append(all, evidence{at, row.Head, items[0], text})
	}
	return all
}

// opened counts the messages that a thief reads.
func opened(t *testing.T, thief state.Thief, all []evidence) (n int) {
	for _, e := range all {
		if text := thief.Opens(store.Spaces, e.id, e.head, e.item); text != nil {
			require.Equal(t, e.text, string(text))
			n++
		}
	}
	return n
}

// G34: Forget reaches the file. Whoever has all its bytes, the key, and recordings of everything that was ever stored opens all
// messages before, and none that was taken out after.
func TestG34ForgetReachesTheFile(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "trefoil.db")
	backend, closeAll := openFile(t, path)
	defer closeAll()
	v := openToys(t, backend, state.Options{})
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), nil))
	require.NoError(t, v.Create(ctx, newToy(t, id(2)), push(7)))
	all := converse(t, backend, v, id(1), 20)
	require.Len(t, drained(t, v, id(1)), 20)
	require.Equal(t, 20, opened(t, rob(t, path, backend), all), "the thief knows how")

	for round := 1; round <= 3; round++ {
		before, err := v.Load(ctx, id(1))
		require.NoError(t, err)
		require.NoError(t, v.Forget(ctx))
		thief := rob(t, path, backend)
		require.Equal(t, 1, thief.Keys())
		require.Zero(t, opened(t, thief, all), "round %d", round)
		log, err := os.Stat(path + "-wal")
		require.NoError(t, err)
		require.Zero(t, log.Size())

		again := openToys(t, backend, state.Options{})
		for _, vault := range []*state.Vault[toy]{v, again} {
			s, err := vault.Load(ctx, id(1))
			require.NoError(t, err)
			require.True(t, s.Equal(before))
		}
		more := converse(t, backend, v, id(1), 5)
		require.Equal(t, 5, opened(t, rob(t, path, backend), more))
		require.Len(t, drained(t, v, id(1)), 5)
		all = append(all, more...)
	}
}

// What is held when Forget is called is there afterwards, in its place and order, in all kinds.
func TestForgetKeepsWhatIsHeld(t *testing.T) {
	ctx := t.Context()
	backend := store.NewMemory()
	v := openToys(t, backend, state.Options{})
	other, err := state.Open[toySession](ctx, backend, testKey(t, 1), state.Options{})
	require.NoError(t, err)
	one, err := state.NewOne(id(9), counter{n: 5})
	require.NoError(t, err)
	require.NoError(t, other.Create(ctx, one, nil))
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), nil))
	var want []string
	for n := range 200 {
		want = append(want, fmt.Sprint("text ", n))
		require.NoError(t, v.Update(ctx, id(1), func(tx *state.Tx[toy]) error {
			tx.Send(fmt.Sprint("to ", n%3), []byte(want[n]))
			tx.Deliver([]byte(want[n]))
			return push(uint64(n))(tx)
		}))
	}
	for n := range 70 {
		_, err := v.Receive(ctx, id(1), frame(n+201), inOrder)
		require.NoError(t, err)
	}
	before, err := backend.Load(ctx, store.Spaces, id(1))
	require.NoError(t, err)
	value, err := v.Load(ctx, id(1))
	require.NoError(t, err)

	require.NoError(t, v.Forget(ctx))
	after, err := backend.Load(ctx, store.Spaces, id(1))
	require.NoError(t, err)
	require.Equal(t, before.Outbox, after.Outbox)
	require.Equal(t, before.Inbox, after.Inbox)
	require.Equal(t, before.Retained, after.Retained)
	for i := range before.Parts {
		require.NotEqual(t, state.DataKey(before.Parts[i]), state.DataKey(after.Parts[i]))
	}
	again, err := v.Load(ctx, id(1))
	require.NoError(t, err)
	require.True(t, again.Equal(value))
	_, err = other.Load(ctx, id(9))
	require.NoError(t, err)
	require.Equal(t, want, drained(t, v, id(1)))
	require.Len(t, sent(t, v, id(1)), 200)
	r, err := v.Receive(ctx, id(1), frame(200), inOrder)
	require.NoError(t, err)
	require.Len(t, r.Acknowledge, 70)
}

// Forget goes on where it was interrupted, wherever that was, and until then everything opens.
func TestForgetInterrupted(t *testing.T) {
	ctx := t.Context()
	done := false
	for n := 1; !done; n++ {
		backend := store.NewMemory()
		v := openToys(t, backend, state.Options{})
		for i := range byte(3) {
			require.NoError(t, v.Create(ctx, newToy(t, id(i+1)), push(uint64(i))))
			converse(t, backend, v, id(i+1), 2)
		}
		calls := 0
		failing := &failAfter{Store: backend, n: n, calls: &calls}
		w, err := state.Open[toy](ctx, failing, testKey(t, 1), state.Options{})
		if err != nil {
			continue
		}
		done = w.Forget(ctx) == nil
		for _, vault := range []*state.Vault[toy]{v, openToys(t, backend, state.Options{})} {
			for i := range byte(3) {
				require.NoError(t, vault.Update(ctx, id(i+1), push(1)), "call %d", n)
			}
		}
		require.NoError(t, v.Forget(ctx))
		vault, err := backend.Load(ctx, store.Vault, listed(t, backend, store.Vault)[0])
		require.NoError(t, err)
		require.Equal(t, 1, dataKeys(t, vault))
		for i := range byte(3) {
			require.Len(t, drained(t, v, id(i+1)), 2)
		}
	}
}

// dataKeys returns how many keys the store's own row holds.
func dataKeys(t *testing.T, row store.Row) int {
	key := make([]byte, state.KeySize)
	key[0] = 1
	return state.Rob(row.Parts[1], key, state.Database(row), row.Head.Version).Keys()
}

func listed(t *testing.T, s store.Store, k store.Kind) []state.ID {
	ids, err := s.List(t.Context(), k, state.ID{}, 99)
	require.NoError(t, err)
	return ids
}

var errOff = errors.New("the store is off")

// failAfter is a store that fails for good after some commits.
type failAfter struct {
	store.Store
	n     int
	calls *int
}

func (f *failAfter) Commit(ctx context.Context, changes ...store.Change) error {
	if *f.calls++; *f.calls > f.n {
		return errOff
	}
	return f.Store.Commit(ctx, changes...)
}

// Nothing is sealed under a key that was removed, by whichever vault, however many forget at once.
func TestForgetBesideWriters(t *testing.T) {
	ctx := t.Context()
	backend := store.NewMemory()
	first := openToys(t, backend, state.Options{})
	require.NoError(t, first.Create(ctx, newToy(t, id(1)), nil))
	const rounds = 40
	errs := make(chan error, 8)
	for range 4 {
		v := openToys(t, backend, state.Options{})
		go func() {
			for n := range rounds {
				if err := v.Update(ctx, id(1), push(uint64(n))); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range 2 {
		v := openToys(t, backend, state.Options{})
		go func() {
			for range 10 {
				if err := v.Forget(ctx); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range 6 {
		require.NoError(t, <-errs)
	}
	require.NoError(t, first.Forget(ctx))
	s, err := first.Load(ctx, id(1))
	require.NoError(t, err)
	require.Len(t, s.State().all(), 4*rounds)
}

// A damaged row keeps its key; the others are sealed anew, and when it is deleted the key goes.
func TestForgetBesideDamage(t *testing.T) {
	ctx := t.Context()
	backend := store.NewMemory()
	v := openToys(t, backend, state.Options{})
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), push(1)))
	require.NoError(t, v.Create(ctx, newToy(t, id(2)), push(1)))
	row, err := backend.Load(ctx, store.Spaces, id(1))
	require.NoError(t, err)
	parts := [][]byte{row.Parts[0][:50], nil, nil}
	next := store.Head{Version: row.Head.Version + 1, Sealed: row.Head.Sealed}
	require.NoError(t, backend.Commit(ctx, store.Change{Kind: store.Spaces, ID: id(1), Base: row.Head, Next: next, Parts: parts}))

	for range 3 {
		err = v.Forget(ctx)
		require.ErrorIs(t, err, state.ErrCorrupt)
		require.ErrorContains(t, err, id(1).String())
		vault, err := backend.Load(ctx, store.Vault, listed(t, backend, store.Vault)[0])
		require.NoError(t, err)
		require.Equal(t, 2, dataKeys(t, vault), "keys do not pile up")
	}
	require.NoError(t, v.Update(ctx, id(2), push(2)))
	require.NoError(t, v.Delete(ctx, id(1)))
	require.NoError(t, v.Forget(ctx))
	vault, err := backend.Load(ctx, store.Vault, listed(t, backend, store.Vault)[0])
	require.NoError(t, err)
	require.Equal(t, 1, dataKeys(t, vault))
}

// The data key is replaced by itself when it is old, with a commit that is made then, once.
func TestDataKeyAges(t *testing.T) {
	ctx := t.Context()
	now := time.UnixMilli(1_795_000_000_000)
	backend := store.NewMemory()
	o := state.Options{Now: func() time.Time { return now }}
	v := openToys(t, backend, o)
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), nil))
	name := func() [8]byte {
		row, err := backend.Load(ctx, store.Spaces, id(1))
		require.NoError(t, err)
		return state.DataKey(row.Head.Sealed)
	}
	first := name()
	now = now.Add(23 * time.Hour)
	require.NoError(t, v.Update(ctx, id(1), push(1)))
	require.Equal(t, first, name())
	now = now.Add(2 * time.Hour)
	require.NoError(t, v.Update(ctx, id(1), push(2)))
	second := name()
	require.NotEqual(t, first, second)
	require.NoError(t, openToys(t, backend, o).Update(ctx, id(1), push(3)))
	require.Equal(t, second, name())

	o.ForgetEvery = -1
	now = now.Add(100 * time.Hour)
	require.NoError(t, openToys(t, backend, o).Update(ctx, id(1), push(4)))
	require.Equal(t, second, name())
}

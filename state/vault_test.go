package state_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// push appends an entry and moves the cursor.
func push(n uint64) func(*state.Tx[toy]) error {
	return func(tx *state.Tx[toy]) error {
		s := tx.Value()
		tx.Set(s.WithState(s.State().with(n)).WithEvals(s.Evals().next()))
		return nil
	}
}

func TestCreateLoadUpdateDelete(t *testing.T) {
	ctx := t.Context()
	backend := store.NewMemory()
	v := openToys(t, backend, state.Options{})
	_, err := v.Load(ctx, id(1))
	require.ErrorIs(t, err, state.ErrNotFound)
	require.ErrorIs(t, v.Update(ctx, id(1), push(1)), state.ErrNotFound, "G2: Update never creates")
	require.ErrorIs(t, v.Delete(ctx, id(1)), state.ErrNotFound)

	require.NoError(t, v.Create(ctx, newToy(t, id(1)), push(5)))
	require.ErrorIs(t, v.Create(ctx, newToy(t, id(1)), nil), state.ErrExists, "G2: Create never overwrites")
	for n := range uint64(20) {
		require.NoError(t, v.Update(ctx, id(1), push(n)))
	}
	s, err := v.Load(ctx, id(1))
	require.NoError(t, err)
	require.Len(t, s.State().all(), 21)
	require.EqualValues(t, 21, s.Evals().n)

	fresh, err := openToys(t, backend, state.Options{}).Load(ctx, id(1))
	require.NoError(t, err)
	require.True(t, fresh.Equal(s), "G1: decode after encode is the identity")

	ids, err := v.List(ctx)
	require.NoError(t, err)
	require.Equal(t, []state.ID{id(1)}, ids)
	require.NoError(t, v.Delete(ctx, id(1)))
	_, err = v.Load(ctx, id(1))
	require.ErrorIs(t, err, state.ErrNotFound)
}

// G3: an error from the caller's function, an ended context and a step backwards change nothing.
func TestG3FailedUpdateChangesNothing(t *testing.T) {
	ctx := t.Context()
	backend := store.NewMemory()
	v := openToys(t, backend, state.Options{})
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), push(1)))
	before, err := backend.Load(ctx, store.Spaces, id(1))
	require.NoError(t, err)
	first, err := v.Load(ctx, id(1))
	require.NoError(t, err)

	boom := errors.New("boom")
	require.ErrorIs(t, v.Update(ctx, id(1), func(tx *state.Tx[toy]) error {
		tx.Send("to", []byte("never"))
		_ = push(2)(tx)
		return boom
	}), boom)
	require.ErrorIs(t, v.Update(ctx, id(1), func(tx *state.Tx[toy]) error {
		tx.Set(newToy(t, id(1)))
		return nil
	}), state.ErrStale, "a stale copy")
	require.ErrorIs(t, v.Update(ctx, id(1), func(tx *state.Tx[toy]) error {
		tx.Set(newToy(t, id(1)))
		return nil
	}), errBackwards, "and what the part said of it")
	require.ErrorIs(t, v.Update(ctx, id(1), func(tx *state.Tx[toy]) error {
		other, err := state.New(id(2), first.State(), first.Template(), first.Evals())
		tx.Set(other)
		return err
	}), state.ErrStale, "another space")
	ended, cancel := context.WithCancel(ctx)
	cancel()
	require.ErrorIs(t, v.Update(ended, id(1), push(2)), context.Canceled)

	after, err := backend.Load(ctx, store.Spaces, id(1))
	require.NoError(t, err)
	require.Equal(t, before, after)
	require.NoError(t, v.Update(ctx, id(1), func(*state.Tx[toy]) error { return nil }))
	after, err = backend.Load(ctx, store.Spaces, id(1))
	require.NoError(t, err)
	require.Equal(t, before, after, "an update of nothing writes nothing")
}

// G3: two vaults on one store stand for two processes. Whoever commits second runs again on the fresh value, and what it
// computed before is not sent.
func TestG3LoserRunsAgain(t *testing.T) {
	ctx := t.Context()
	backend := store.NewMemory()
	a, b := openToys(t, backend, state.Options{}), openToys(t, backend, state.Options{})
	require.NoError(t, a.Create(ctx, newToy(t, id(1)), nil))
	runs := 0
	require.NoError(t, a.Update(ctx, id(1), func(tx *state.Tx[toy]) error {
		runs++
		if runs == 1 {
			require.NoError(t, b.Update(ctx, id(1), push(100)))
		}
		tx.Send("to", []byte{byte(len(tx.Value().State().all()))})
		return push(200)(tx)
	}))
	require.Equal(t, 2, runs)
	s, err := b.Load(ctx, id(1))
	require.NoError(t, err)
	require.Equal(t, []uint64{100, 200}, s.State().all())
	require.Equal(t, []string{"to:\x01"}, sent(t, b, id(1)), "only the second run's frame")
}

// sent empties an outbox.
func sent(t *testing.T, v *state.Vault[toy], id state.ID) (frames []string) {
	_, err := v.Flush(t.Context(), id, func(_ context.Context, o state.Outgoing) state.Delivery {
		frames = append(frames, o.To+":"+string(o.Data))
		return state.Delivered()
	})
	require.NoError(t, err)
	return frames
}

// G3: 64 writers in two vaults lose no update.
func TestG3ConcurrentWriters(t *testing.T) {
	ctx := t.Context()
	backend := store.NewMemory()
	vaults := []*state.Vault[toy]{openToys(t, backend, state.Options{}), openToys(t, backend, state.Options{Cache: 1})}
	require.NoError(t, vaults[0].Create(ctx, newToy(t, id(1)), nil))
	var wg sync.WaitGroup
	const writers, each = 64, 10
	for w := range writers {
		wg.Go(func() {
			for n := range each {
				if err := vaults[w%2].Update(ctx, id(1), push(uint64(w*each+n))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	s, err := vaults[0].Load(ctx, id(1))
	require.NoError(t, err)
	require.Len(t, s.State().all(), writers*each)
	require.EqualValues(t, writers*each, s.Evals().n)
	seen := make(map[uint64]bool)
	for _, v := range s.State().all() {
		require.False(t, seen[v])
		seen[v] = true
	}
}

// counting counts the bytes handed to a store.
type counting struct {
	store.Store
	written int
	changes []store.Change
}

func (c *counting) Commit(ctx context.Context, changes ...store.Change) error {
	for _, ch := range changes {
		if ch.Action() == store.Assert {
			continue
		}
		c.changes = append(c.changes, ch)
		c.written += changeSize(ch)
	}
	return c.Store.Commit(ctx, changes...)
}

// changeSize returns the number of bytes that a change hands to its store.
func changeSize(ch store.Change) (n int) {
	n = 8 + len(ch.Next.Sealed)
	for _, p := range ch.Parts {
		n += len(p)
	}
	for path, b := range ch.Put {
		n += len(path) + len(b)
	}
	for _, path := range ch.Drop {
		n += len(path)
	}
	for _, items := range [][]store.Item{ch.Outbox, ch.Inbox} {
		for _, it := range items {
			n += 8 + len(it.Data)
		}
	}
	for _, f := range ch.Frames {
		n += 32 + 8 + len(f.Data)
	}
	return n
}

// A save writes what changed: the last block with its sum, the list of blocks, the head. The untouched parts and the
// other blocks stay as they are, also when the value was loaded by somebody else in between.
func TestWritesOnlyWhatChanged(t *testing.T) {
	ctx := t.Context()
	backend := &counting{Store: store.NewMemory()}
	v := openToys(t, backend, state.Options{})
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), nil))
	appendOne := func(v *state.Vault[toy]) store.Change {
		require.NoError(t, v.Update(ctx, id(1), func(tx *state.Tx[toy]) error {
			tx.Set(tx.Value().WithState(tx.Value().State().with(3)))
			return nil
		}))
		return backend.changes[len(backend.changes)-1]
	}
	for range 5*blockSize + 1 {
		appendOne(v)
	}
	for name, vault := range map[string]*state.Vault[toy]{"cached": v, "loaded": openToys(t, backend, state.Options{})} {
		last := appendOne(vault)
		require.NotNil(t, last.Parts[0], name)
		require.Nil(t, last.Parts[1], name)
		require.Nil(t, last.Parts[2], name)
		require.Len(t, last.Put, 2, name)
		require.Contains(t, last.Put, "state/5", name)
		require.Contains(t, last.Put, "state/5/sum", name)
		require.Empty(t, last.Drop, name)
	}
	// Fewer blocks: what is no longer listed is dropped.
	require.NoError(t, v.Update(ctx, id(1), func(tx *state.Tx[toy]) error {
		all := tx.Value().State().all()
		wide := list{[]state.Segment[block]{newBlock(all)}}
		tx.Set(tx.Value().WithState(wide))
		return nil
	}))
	last := backend.changes[len(backend.changes)-1]
	require.Len(t, last.Put, 2)
	require.Len(t, last.Drop, 10)
}

// A segment that was stored elsewhere under the same name is not taken for the one that is stored here.
func TestSegmentOfAnotherSpace(t *testing.T) {
	ctx := t.Context()
	backend := store.NewMemory()
	v := openToys(t, backend, state.Options{})
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), push(1)))
	require.NoError(t, v.Create(ctx, newToy(t, id(2)), push(2)))
	one, err := v.Load(ctx, id(1))
	require.NoError(t, err)
	require.NoError(t, v.Update(ctx, id(2), func(tx *state.Tx[toy]) error {
		tx.Set(tx.Value().WithState(one.State()))
		return nil
	}))
	two, err := openToys(t, backend, state.Options{}).Load(ctx, id(2))
	require.NoError(t, err)
	require.Equal(t, []uint64{1}, two.State().all())
}

// A cached value is used only while the store says that it is the stored one.
func TestCacheIsChecked(t *testing.T) {
	ctx := t.Context()
	backend := store.NewMemory()
	a, b := openToys(t, backend, state.Options{}), openToys(t, backend, state.Options{})
	require.NoError(t, a.Create(ctx, newToy(t, id(1)), nil))
	require.NoError(t, b.Update(ctx, id(1), push(1)))
	s, err := a.Load(ctx, id(1))
	require.NoError(t, err)
	require.Len(t, s.State().all(), 1)

	// The same version again, of a row that was deleted and made anew: still told apart.
	require.NoError(t, b.Delete(ctx, id(1)))
	require.ErrorIs(t, b.Create(ctx, newToy(t, id(1)), nil), state.ErrDeleted)
	require.NoError(t, b.Revive(ctx, newToy(t, id(1)), push(7)))
	require.NoError(t, b.Update(ctx, id(1), push(8)))
	s, err = a.Load(ctx, id(1))
	require.NoError(t, err)
	require.Equal(t, []uint64{7, 8}, s.State().all())
}

func TestSessionsAndSpacesAreApart(t *testing.T) {
	ctx := t.Context()
	backend := store.NewMemory()
	spaces := openToys(t, backend, state.Options{})
	sessions, err := state.Open[state.One[counter]](context.Background(), backend, testKey(t, 1), state.Options{})
	require.NoError(t, err)
	require.NoError(t, spaces.Create(ctx, newToy(t, id(1)), nil))
	_, err = sessions.Load(ctx, id(1))
	require.ErrorIs(t, err, state.ErrNotFound)
	one, err := state.NewOne(id(1), counter{n: 3})
	require.NoError(t, err)
	require.NoError(t, sessions.Create(ctx, one, nil))
	require.NoError(t, sessions.Update(ctx, id(1), func(tx *state.Tx[state.One[counter]]) error {
		tx.Set(tx.Value().With(tx.Value().Part().next()))
		return nil
	}))
	require.ErrorIs(t, sessions.Update(ctx, id(1), func(tx *state.Tx[state.One[counter]]) error {
		tx.Set(one)
		return nil
	}), state.ErrStale)
	got, err := sessions.Load(ctx, id(1))
	require.NoError(t, err)
	require.EqualValues(t, 4, got.Part().n)
}

// device is a part that is stored as a kind of its own.
type device struct{ counter }

func (device) StoredAs() store.Kind { return store.Devices }
func (device) Decode(d *state.Decoder) (device, error) {
	c, err := counter{}.Decode(d)
	return device{c}, err
}
func (d device) Succeeds(prev device) error { return d.counter.Succeeds(prev.counter) }

// Values of one part are of the kind that the part says.
func TestDevicesAndSessionsAreApart(t *testing.T) {
	ctx := t.Context()
	backend := store.NewMemory()
	_, sessions := pair(t, backend)
	devices, err := state.Open[state.One[device]](ctx, backend, testKey(t, 1), state.Options{})
	require.NoError(t, err)
	own, err := state.NewOne(id(1), device{counter{n: 5}})
	require.NoError(t, err)
	require.NoError(t, devices.Create(ctx, own, nil))
	ids, err := sessions.List(ctx)
	require.NoError(t, err)
	require.Empty(t, ids)
	require.ErrorIs(t, sessions.Delete(ctx, id(1)), state.ErrNotFound)
	got, err := devices.Load(ctx, id(1))
	require.NoError(t, err)
	require.True(t, got.Equal(own))
}

func TestOptionsAreChecked(t *testing.T) {
	_, err := state.Open[toy](context.Background(), nil, testKey(t, 1), state.Options{})
	require.Error(t, err)
	_, err = state.Open[toy](context.Background(), store.NewMemory(), state.Key{}, state.Options{})
	require.Error(t, err)
	_, err = state.Open[toy](context.Background(), store.NewMemory(), testKey(t, 1), state.Options{Cache: -1})
	require.Error(t, err)
}

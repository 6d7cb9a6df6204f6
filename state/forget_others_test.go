package state_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/state/storetest"
)

// keysOf returns how many data keys a store holds.
func keysOf(t *testing.T, s store.Store) int {
	row, err := s.Load(t.Context(), store.Vault, listed(t, s, store.Vault)[0])
	require.NoError(t, err)
	return dataKeys(t, row)
}

// drawKey puts a new data key before the one in use, as a Forget does that is interrupted after that.
func drawKey(t *testing.T, s store.Store) {
	before := keysOf(t, s)
	require.ErrorIs(t, openToys(t, &failAfter{Store: s, n: 1, calls: new(int)}, state.Options{}).Forget(t.Context()), errOff)
	require.Equal(t, before+1, keysOf(t, s))
}

// What was sealed anew before another vault drew a key is sealed anew once more: its key goes with the old ones.
func TestForgetBesideAnother(t *testing.T) {
	ctx := t.Context()
	backend := store.NewMemory()
	others := meanwhile{"Commit", 3, func() { drawKey(t, backend) }} // the first draws, the second seals a row
	first := openToys(t, backend, state.Options{})
	for n := range byte(3) {
		require.NoError(t, first.Create(ctx, newToy(t, id(n+1)), push(1)))
	}
	require.NoError(t, openToys(t, storetest.Fail(backend, others.decide), state.Options{}).Forget(ctx))
	require.Equal(t, 1, keysOf(t, backend))
	again := openToys(t, backend, state.Options{})
	for n := range byte(3) {
		_, err := again.Load(ctx, id(n+1))
		require.NoError(t, err)
	}
}

// A row that was written under a key that another vault drew meanwhile is no damage, and all keys but that one go.
func TestForgetBesideANewerKey(t *testing.T) {
	ctx := t.Context()
	backend := store.NewMemory()
	others := meanwhile{method: "Load", do: func() {
		drawKey(t, backend)
		require.NoError(t, openToys(t, backend, state.Options{ForgetEvery: -1}).Update(ctx, id(1), push(2)))
	}}
	first := openToys(t, backend, state.Options{})
	require.NoError(t, first.Create(ctx, newToy(t, id(1)), push(1)))
	v := openToys(t, storetest.Fail(backend, others.decide), state.Options{})
	others.n = 2 // the first is of the store's own row, the second of the value
	require.NoError(t, v.Forget(ctx))
	require.Negative(t, others.n)
	require.Equal(t, 1, keysOf(t, backend))
	s, err := v.Load(ctx, id(1))
	require.NoError(t, err)
	require.Len(t, s.State().all(), 2)
}

// What is counted and described is what a row holds under the key as it is then, although the key was replaced twice meanwhile.
func TestLookingBesideForget(t *testing.T) {
	ctx := t.Context()
	for name, look := range map[string]func(*state.Vault[toy]) error{
		"Head": func(v *state.Vault[toy]) error {
			_, err := v.Pending(ctx, id(1))
			return err
		},
		"Load": func(v *state.Vault[toy]) error {
			got, err := v.Inspect(ctx, id(1))
			require.Empty(t, got.Problems)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			backend := store.NewMemory()
			other := openToys(t, backend, state.Options{})
			require.NoError(t, other.Create(ctx, newToy(t, id(1)), push(1)))
			forget := func(storetest.Call) storetest.Fault { return storetest.None }
			v := openToys(t, storetest.Fail(backend, func(c storetest.Call) storetest.Fault { return forget(c) }), state.Options{})
			require.NoError(t, other.Forget(ctx))
			calls := 0
			forget = func(c storetest.Call) storetest.Fault {
				// The row was read under the second key; before the store's own row is read there is a third.
				if calls++; calls == 2 {
					require.Equal(t, "Load", c.Method)
					require.NoError(t, other.Forget(ctx))
				}
				return storetest.None
			}
			require.NoError(t, look(v))
			require.Equal(t, 3, calls)
		})
	}
}

// A damaged row keeps every key that its head, its parts and its segments are sealed under: whoever repairs it finds it whole.
func TestForgetKeepsKeysOfDamage(t *testing.T) {
	for name, c := range map[string]struct{ before, between func(*state.Tx[toy]) error }{
		// The head is sealed under the newer key, and everything else under the older one.
		"parts": {
			func(*state.Tx[toy]) error { return nil },
			func(tx *state.Tx[toy]) error { tx.Deliver([]byte("text")); return nil },
		},
		// A segment that is full is left from before, and all parts are new.
		"segments": {
			func(tx *state.Tx[toy]) error {
				l := tx.Value().State()
				for n := range uint64(blockSize) {
					l = l.with(n)
				}
				tx.Set(tx.Value().WithState(l))
				return nil
			},
			func(tx *state.Tx[toy]) error {
				tx.Set(tx.Value().WithTemplate(tx.Value().Template().with("name")))
				return push(9)(tx)
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			backend := store.NewMemory()
			v := openToys(t, backend, state.Options{})
			require.NoError(t, v.Create(ctx, newToy(t, id(1)), c.before))
			drawKey(t, backend)
			require.NoError(t, v.Update(ctx, id(1), c.between))
			want, err := v.Load(ctx, id(1))
			require.NoError(t, err)

			var sound []byte
			tamper(t, backend, func(_ store.Row, c *store.Change) { sound, c.Parts[2] = c.Parts[2], c.Parts[2][:40] })
			require.ErrorIs(t, openToys(t, backend, state.Options{}).Forget(ctx), state.ErrCorrupt)
			require.Equal(t, 3, keysOf(t, backend), "two for the damaged row, and the new one")
			tamper(t, backend, func(_ store.Row, c *store.Change) { c.Parts[2] = sound })
			got, err := openToys(t, backend, state.Options{}).Load(ctx, id(1))
			require.NoError(t, err)
			require.True(t, got.Equal(want))
		})
	}
}

// Items and retained frames that do not fit in one commit with what comes before them follow in the next.
func TestForgetLargeThings(t *testing.T) {
	ctx := t.Context()
	backend := store.NewMemory()
	v := openToys(t, backend, state.Options{})
	large := func(n byte, size int) []byte { return bytes.Repeat([]byte{n}, size<<10) }
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), func(tx *state.Tx[toy]) error {
		tx.Send("t", large(0, 600))
		for n := range byte(10) { // of which four go with the first, and one more into its commit
			tx.Send("t", large(n, 100))
		}
		return nil
	}))
	retain := func(*state.Tx[toy], state.Frame) error { return errNotYet }
	for n := range byte(10) {
		_, err := v.Receive(ctx, id(1), state.Frame{Data: large(n, 100)}, retain)
		require.NoError(t, err)
	}
	require.NoError(t, v.Forget(ctx))
	require.Equal(t, 1, keysOf(t, backend))
	again := openToys(t, backend, state.Options{})
	require.Len(t, sent(t, again, id(1)), 11)
	require.NoError(t, again.Update(ctx, id(1), func(tx *state.Tx[toy]) error { tx.RetryRetained(); return nil }))
	ack, err := again.Retry(ctx, id(1), func(*state.Tx[toy], state.Frame) error { return nil })
	require.NoError(t, err)
	require.Len(t, ack, 10)
}

// There is a bound of data keys, beyond which no key is drawn: a store with more could not be opened.
func TestDataKeysAreBounded(t *testing.T) {
	ctx := t.Context()
	backend := store.NewMemory()
	v := openToys(t, backend, state.Options{})
	for n := range byte(63) {
		require.NoError(t, v.Create(ctx, newToy(t, id(n+1)), nil))
		row, err := backend.Load(ctx, store.Spaces, id(n+1))
		require.NoError(t, err)
		damage := store.Change{Kind: store.Spaces, ID: id(n + 1), Base: row.Head, Parts: [][]byte{row.Parts[0][:20], nil, nil}}
		damage.Next = store.Head{Version: row.Head.Version + 1, Sealed: row.Head.Sealed}
		require.NoError(t, backend.Commit(ctx, damage))
		require.ErrorIs(t, v.Forget(ctx), state.ErrCorrupt)
	}
	require.Equal(t, 64, keysOf(t, backend))
	require.ErrorContains(t, v.Forget(ctx), "64 data keys")
	require.NoError(t, openToys(t, backend, state.Options{}).Create(ctx, newToy(t, id(100)), nil))
}

// stubborn refuses what is made from the heads that it shows, for rows of spaces.
type stubborn struct {
	store.Store
	refusals int
}

func (s *stubborn) Commit(ctx context.Context, changes ...store.Change) error {
	last := len(changes) - 1
	if changes[last].Kind != store.Spaces || changes[last].Action() == store.Create {
		return s.Store.Commit(ctx, changes...)
	}
	if s.refusals++; s.refusals > 99 {
		panic("it does not end")
	}
	return &store.ChangeError{Index: last, Err: store.ErrConflict}
}

// G35: Forget steps over a row whose head the store shows and does not accept.
func TestForgetBesideRefusedHead(t *testing.T) {
	ctx := t.Context()
	v := openToys(t, &stubborn{Store: store.NewMemory()}, state.Options{})
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), nil))
	require.ErrorIs(t, v.Forget(ctx), state.ErrCorrupt)
}

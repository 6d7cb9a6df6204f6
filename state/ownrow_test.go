package state_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// shifting is a store in the place of which another one may come, and that may alter the store's own row.
type shifting struct {
	store.Store
	alter func(store.Row)
}

func (s *shifting) Load(ctx context.Context, k store.Kind, id store.ID) (store.Row, error) {
	row, err := s.Store.Load(ctx, k, id)
	if err == nil && k == store.Vault && s.alter != nil {
		s.alter(row)
	}
	return row, err
}

// G35: another store in the place of the one that was opened, of the same key, or an empty one, is found at the next commit.
func TestG35AnotherStoreInItsPlace(t *testing.T) {
	ctx := t.Context()
	other := store.NewMemory()
	require.NoError(t, openToys(t, other, state.Options{}).Create(ctx, newToy(t, id(2)), nil))
	for _, next := range []store.Store{other, store.NewMemory()} {
		s := &shifting{Store: store.NewMemory()}
		v := openToys(t, s, state.Options{})
		require.NoError(t, v.Create(ctx, newToy(t, id(1)), nil))
		s.Store = next
		require.ErrorIs(t, v.Create(ctx, newToy(t, id(3)), nil), store.ErrReplaced)
		ids, err := next.List(ctx, store.Spaces, state.ID{}, 9)
		require.NoError(t, err)
		require.NotContains(t, ids, id(3))
	}
}

// G1: what the store's own row says in clear is covered by its head: no byte of it can be altered.
func TestG1OwnRowIsCovered(t *testing.T) {
	s := &shifting{Store: store.NewMemory()}
	v := openToys(t, s, state.Options{})
	require.NoError(t, v.Forget(t.Context())) // so that it names the one before
	key := testKey(t, 1)
	n := 0
	s.alter = func(row store.Row) { n = len(row.Parts[0]) }
	openToys(t, s, state.Options{})
	require.Positive(t, n)
	for i := range n {
		s.alter = func(row store.Row) { row.Parts[0][i] ^= 1 }
		_, err := state.Open[toy](t.Context(), s, key, state.Options{})
		require.Error(t, err, "byte %d", i)
	}
}

// A source that is too long is refused; what was read before an error of the reader is taken out.
func TestLongSourceAndReaderThatFails(t *testing.T) {
	ctx := t.Context()
	v := openToys(t, store.NewMemory(), state.Options{})
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), nil))
	r, err := v.Receive(ctx, id(1), state.Frame{Source: string(make([]byte, state.MaxAddress+1)), Data: []byte("1")}, inOrder)
	require.NoError(t, err)
	require.Equal(t, state.Receipt{Verdict: state.Discard, Reason: state.ErrTooLarge}, r)

	for n := range 2 {
		_, err := v.Receive(ctx, id(1), frame(n), inOrder)
		require.NoError(t, err)
	}
	require.ErrorIs(t, v.Drain(ctx, id(1), func(_ context.Context, in state.Incoming) error {
		if string(in.Data()) == "1" {
			return errBroken
		}
		return nil
	}), errBroken)
	require.Equal(t, []string{"1"}, drained(t, v, id(1)))
}

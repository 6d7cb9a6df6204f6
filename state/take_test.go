package state_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/sqlstore"
	"github.com/trefoil-im/trefoil/state/store"
)

// G4: an item leaves the inbox in the commit that writes the rows made of it, and of two who try one does.
func TestTake(t *testing.T) {
	ctx := t.Context()
	s, closeAll := openFile(t, filepath.Join(t.TempDir(), "trefoil.db"))
	defer closeAll()
	v, other := openToys(t, s, state.Options{}), openToys(t, s, state.Options{})
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), func(tx *state.Tx[toy]) error {
		tx.Deliver([]byte("first"))
		tx.Deliver([]byte("second"))
		return nil
	}))
	items, err := other.Inbox(ctx, id(1), 0)
	require.NoError(t, err)
	require.Len(t, items, 2)
	again, err := other.Inbox(ctx, id(1), items[0].Seq)
	require.NoError(t, err)
	require.Equal(t, "second", string(again[0].Data()))

	rows := 0
	take := func(tx *state.Tx[toy]) error {
		if tx.Take(items[0].Seq) {
			require.False(t, tx.Take(items[0].Seq), "twice in one commit")
			tx.InCommit(sqlstore.Rows(func(context.Context, *sqlstore.Tx) error { rows++; return nil }))
		}
		return nil
	}
	require.NoError(t, v.Update(ctx, id(1), take))
	require.NoError(t, other.Update(ctx, id(1), take))
	require.Equal(t, 1, rows)
	left, err := v.Inbox(ctx, id(1), 0)
	require.NoError(t, err)
	require.Len(t, left, 1)
	none, err := v.Inbox(ctx, id(2), 0)
	require.NoError(t, err)
	require.Empty(t, none)
}

// A frame that was not sent is replaced by others in one commit; one that was sent cannot be.
func TestWithdraw(t *testing.T) {
	ctx := t.Context()
	v := openToys(t, store.NewMemory(), state.Options{})
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), func(tx *state.Tx[toy]) error {
		require.Zero(t, tx.Waiting("later"))
		tx.Send("later", []byte("plain"))
		require.Equal(t, 1, tx.Waiting("later"))
		require.Zero(t, tx.Waiting("now"))
		return nil
	}))
	var sent []string
	replace := func(tx *state.Tx[toy], seq uint64) error {
		if tx.Withdraw(seq) {
			require.Zero(t, tx.Waiting("later"))
			tx.Send("now", []byte("sealed"))
		}
		return nil
	}
	var last uint64
	send := func(ctx context.Context, out state.Outgoing) state.Delivery {
		last = out.Seq
		if out.To == "later" {
			require.NoError(t, v.Update(ctx, id(1), func(tx *state.Tx[toy]) error { return replace(tx, out.Seq) }))
		} else {
			sent = append(sent, string(out.Data))
		}
		return state.Delivered()
	}
	_, err := v.Flush(ctx, id(1), send)
	require.NoError(t, err)
	require.Equal(t, []string{"sealed"}, sent)
	require.NoError(t, v.Update(ctx, id(1), func(tx *state.Tx[toy]) error { return replace(tx, last) }))
	_, err = v.Flush(ctx, id(1), send)
	require.NoError(t, err)
	require.Len(t, sent, 1)
}

// An event that is kept lies in the inbox in the commit that it belongs to, in the order in which things happened.
func TestKeep(t *testing.T) {
	ctx := t.Context()
	v := openToys(t, store.NewMemory(), state.Options{Keep: func(_ state.ID, e state.Event) []byte {
		if _, ok := e.(state.SendRejected); ok {
			return []byte("rejected")
		}
		return nil
	}})
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), func(tx *state.Tx[toy]) error {
		tx.Send("nowhere", []byte("frame"))
		return nil
	}))
	_, err := v.Flush(ctx, id(1), func(context.Context, state.Outgoing) state.Delivery { return state.Rejected("too long") })
	require.NoError(t, err)
	require.NoError(t, v.Update(ctx, id(1), func(tx *state.Tx[toy]) error {
		tx.Deliver([]byte("before"))
		tx.Emit(state.SendRejected{})
		tx.Emit(state.ForgetFailed{})
		tx.Deliver([]byte("after"))
		return nil
	}))
	var read []string
	require.NoError(t, v.Drain(ctx, id(1), func(_ context.Context, in state.Incoming) error {
		read = append(read, string(in.Data()))
		return nil
	}))
	require.Equal(t, []string{"rejected", "before", "rejected", "after"}, read)
}

package state_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/secret/secrettest"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/inspect"
	"github.com/trefoil-im/trefoil/state/store"
)

// What can be looked at says how much there is, and nothing of what it says.
func TestLookingIn(t *testing.T) {
	ctx := t.Context()
	backend := store.NewMemory()
	v := openToys(t, backend, state.Options{})
	words := []byte("quixotic zephyrs")
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), func(tx *state.Tx[toy]) error {
		tx.Deliver(words)
		for n := range 3 {
			tx.Send([]string{"T3LLING-MAILB0X", "AN0THER-MAILB0X"}[n%2], words)
		}
		return nil
	}))
	_, err := v.Receive(ctx, id(1), frame(5), inOrder)
	require.NoError(t, err)
	require.NoError(t, v.Update(ctx, id(1), push(9)))

	_, err = v.Pending(ctx, id(2))
	require.ErrorIs(t, err, state.ErrNotFound)
	_, err = v.Inspect(ctx, id(2))
	require.ErrorIs(t, err, state.ErrNotFound)
	pending, err := v.Pending(ctx, id(1))
	require.NoError(t, err)
	require.Equal(t, inspect.Pending{Outbox: 3, Inbox: 1, Retained: 1}, pending)
	got, err := v.Inspect(ctx, id(1))
	require.NoError(t, err)
	require.Equal(t, pending, got.Pending)
	require.Equal(t, uint64(3), got.Version)
	require.Empty(t, got.Problems)
	require.Len(t, got.Parts, 3)
	require.Equal(t, 2, got.Parts[0].Segments, "a block and its sum")
	require.Len(t, got.Lanes, 2)
	require.Equal(t, []uint64{1, 2}, []uint64{got.Lanes[0].First, got.Lanes[1].First})
	require.Equal(t, 2, got.Lanes[0].Frames)
	require.Greater(t, got.Retained, len(frame(5).Data))

	secrets := [][]byte{toyKey, words, []byte("T3LLING-MAILB0X"), []byte("AN0THER-MAILB0X")}
	secrettest.Check(t, got, secrets...)
	secrettest.Check(t, v.Stats(), secrets...)
	secrettest.Check(t, v, secrets...)

	stats := v.Stats()
	require.Equal(t, inspect.Stats{Commits: 3, Retained: 1}, stats)
	require.Len(t, sent(t, v, id(1)), 3)
	require.Equal(t, uint64(3), v.Stats().Sent)
}

// Inspect looks at rows that Load refuses, and names what is wrong with them.
func TestInspectDamage(t *testing.T) {
	ctx := t.Context()
	fresh := func(t *testing.T) (*store.Memory, *state.Vault[toy]) {
		backend := store.NewMemory()
		v := openToys(t, backend, state.Options{})
		require.NoError(t, v.Create(ctx, newToy(t, id(1)), func(tx *state.Tx[toy]) error {
			tx.Send("t", []byte("frame"))
			return push(1)(tx)
		}))
		return backend, v
	}
	for name, c := range map[string]struct {
		damage func(*store.Row)
		want   string
	}{
		"head":    {func(r *store.Row) { r.Head.Sealed[40] ^= 1 }, "head does not authenticate"},
		"part":    {func(r *store.Row) { r.Parts[1][40] ^= 1 }, "template does not authenticate"},
		"segment": {func(r *store.Row) { delete(r.Segments, "state/0/sum") }, "state/0/sum is missing"},
		"left":    {func(r *store.Row) { r.Segments["x"] = []byte("x") }, "1 records that nothing lists"},
		"outbox":  {func(r *store.Row) { r.Outbox = nil }, "0 outbox stored, not 1"},
	} {
		t.Run(name, func(t *testing.T) {
			backend, _ := fresh(t)
			v := openToys(t, altered{backend, c.damage}, state.Options{})
			got, err := v.Inspect(ctx, id(1))
			require.NoError(t, err)
			require.Len(t, got.Problems, 1, got)
			require.Contains(t, got.Problems[0], c.want)
			require.Contains(t, got.String(), c.want)
			_, err = v.Load(ctx, id(1))
			require.ErrorIs(t, err, state.ErrCorrupt)
		})
	}
}

// altered is a store whose spaces look otherwise when they are loaded.
type altered struct {
	store.Store
	damage func(*store.Row)
}

func (d altered) Load(ctx context.Context, k store.Kind, id state.ID) (store.Row, error) {
	row, err := d.Store.Load(ctx, k, id)
	if k == store.Spaces && err == nil {
		d.damage(&row)
	}
	return row, err
}

// Options.Log gets every event, each as one record.
func TestEventsAreLogged(t *testing.T) {
	ctx := t.Context()
	var out bytes.Buffer
	var events recorded
	v := openToys(t, store.NewMemory(), state.Options{Events: events.add, Log: slog.New(slog.NewTextHandler(&out, nil))})
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), func(tx *state.Tx[toy]) error {
		tx.Send("t", toyKey)
		return nil
	}))
	_, err := v.Receive(ctx, id(1), frame(5), inOrder)
	require.NoError(t, err)
	_, err = v.Flush(ctx, id(1), func(context.Context, state.Outgoing) state.Delivery { return state.Rejected("too hot") })
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 2)
	require.Equal(t, recorded{"state.FrameUnread retain", "state.SendRejected"}, events)
	require.Contains(t, lines[0], "level=INFO")
	require.Contains(t, lines[1], "level=WARN")
	require.Contains(t, lines[1], fmt.Sprintf("event=state.SendRejected id=%v", id(1)))
	require.Empty(t, secrettest.Hit(out.String(), toyKey))
}

package state_test

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden is everything that a store holds of one space.
type golden struct {
	VaultID  state.ID
	Vault    store.Row
	Row      store.Row
	Outbox   []store.Item
	Inbox    []store.Item
	Retained []store.FrameRecord
}

// golden files are named for the day on which their format was fixed. Until the first tag they may be written anew with
// -update; from then on a new format gets a new file, and the old ones must go on loading.
const goldenFile = "testdata/golden/space-2026-11-21.json"

// G28: stored bytes are what they were, and they load.
func TestG28Golden(t *testing.T) {
	ctx := t.Context()
	cryptotest.SetGlobalRandom(t, 1)
	backend := store.NewMemory()
	options := state.Options{Now: func() time.Time { return time.UnixMilli(1_795_000_000_000) }}
	v := openToys(t, backend, options)
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), push(1)))
	for n := range uint64(6) {
		require.NoError(t, v.Update(ctx, id(1), push(n)))
	}
	require.NoError(t, v.Update(ctx, id(1), func(tx *state.Tx[toy]) error {
		tx.Set(tx.Value().WithTemplate(set{[]string{"a", "b"}}))
		tx.Send("topic", []byte("outgoing"))
		tx.Deliver([]byte("incoming"))
		return nil
	}))
	_, err := v.Receive(ctx, id(1), frame(99), inOrder)
	require.NoError(t, err)
	want, err := v.Load(ctx, id(1))
	require.NoError(t, err)

	var g golden
	g.Row, err = backend.Load(ctx, store.Spaces, id(1))
	require.NoError(t, err)
	vault, err := backend.List(ctx, store.Vault, state.ID{}, 1)
	require.NoError(t, err)
	g.VaultID = vault[0]
	g.Vault, err = backend.Load(ctx, store.Vault, g.VaultID)
	require.NoError(t, err)
	for _, it := range g.Row.Outbox {
		items, err := backend.Items(ctx, store.Spaces, id(1), store.Outbox, it.Seq)
		require.NoError(t, err)
		g.Outbox = append(g.Outbox, items...)
	}
	for _, it := range g.Row.Inbox {
		items, err := backend.Items(ctx, store.Spaces, id(1), store.Inbox, it.Seq)
		require.NoError(t, err)
		g.Inbox = append(g.Inbox, items...)
	}
	for _, f := range g.Row.Retained {
		records, err := backend.Frames(ctx, store.Spaces, id(1), f.Hash)
		require.NoError(t, err)
		g.Retained = append(g.Retained, records...)
	}
	got, err := json.MarshalIndent(g, "", "\t")
	require.NoError(t, err)
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(goldenFile), 0o755))
		require.NoError(t, os.WriteFile(goldenFile, append(got, '\n'), 0o644))
	}
	file, err := os.ReadFile(goldenFile)
	require.NoError(t, err)
	require.Equal(t, string(file), string(got)+"\n", "what is written now differs from the golden file")

	var stored golden
	require.NoError(t, json.Unmarshal(file, &stored))
	old := store.NewMemory()
	head := stored.Row.Head
	// The row goes in as one change whose version is the recorded one.
	require.NoError(t, (&replay{old}).put(ctx, id(1), stored), "row %d", head.Version)
	w := openToys(t, old, options)
	s, err := w.Load(ctx, id(1))
	require.NoError(t, err)
	require.True(t, s.Equal(want))
	require.Equal(t, []string{"topic:outgoing"}, sent(t, w, id(1)))
	require.Equal(t, []string{"incoming"}, drained(t, w, id(1)))
	r, err := w.Receive(ctx, id(1), frame(99), inOrder)
	require.NoError(t, err)
	require.ErrorIs(t, r.Reason, state.ErrRetained)
}

// replay writes a recorded row into a backend, by way of as many empty versions as it takes.
type replay struct{ store.Store }

func (r *replay) put(ctx context.Context, id state.ID, g golden) error {
	vault := store.Change{Kind: store.Vault, ID: g.VaultID, Next: g.Vault.Head, Parts: g.Vault.Parts}
	if err := r.Commit(ctx, vault); err != nil {
		return err
	}
	var base store.Head
	for base.Version+1 < g.Row.Head.Version {
		next := store.Head{Version: base.Version + 1, Sealed: []byte("filler")}
		if err := r.Commit(ctx, store.Change{Kind: store.Spaces, ID: id, Base: base, Next: next, Parts: g.Row.Parts}); err != nil {
			return err
		}
		base = next
	}
	return r.Commit(ctx, store.Change{
		Kind: store.Spaces, ID: id, Base: base, Next: g.Row.Head, Parts: g.Row.Parts, Put: g.Row.Segments,
		Outbox: g.Outbox, Inbox: g.Inbox, Frames: g.Retained,
	})
}

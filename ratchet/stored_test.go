package ratchet_test

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/wire/wiretest"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/ratchettest"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// golden is a space as it was stored in January 2026, and an envelope that it can read.
type golden struct {
	VaultID  string
	Vault    store.Row
	Row      store.Row
	Envelope []byte
	Index    uint32
	Members  int
}

var update = flag.Bool("update", false, "write the golden files anew")

const goldenPath = "testdata/space-2026-01.json"

// G28: a space that was stored by an earlier build is loaded, reads on, and goes through the store unchanged.
func TestStoredSpace(t *testing.T) {
	ctx := context.Background()
	key, err := state.NewKey(make([]byte, 32))
	require.NoError(t, err)
	open := func(s store.Store) *state.Vault[ratchet.Space] {
		v, err := state.Open[ratchet.Space](ctx, s, key, state.Options{})
		require.NoError(t, err)
		return v
	}
	if *update {
		g := ratchettest.NewGroup(t, 4, ratchettest.Small)
		p := g.Peers[0]
		skipped := g.Send(g.Peers[2], "read later")
		g.Deliver(g.Send(g.Peers[2], "read"), p)
		g.Now = g.Now.Add(60 * time.Hour)
		g.Send(g.Peers[1], "lost")
		for range 9 {
			g.Deliver(g.Send(g.Peers[1], ""), g.Peers[2])
		}
		g.Deliver(g.Send(g.Peers[2], "unreadable yet"), p)
		backend := store.NewMemory()
		require.NoError(t, open(backend).Create(ctx, p.Space, nil))
		row, err := backend.Load(ctx, store.Spaces, p.Space.ID())
		require.NoError(t, err)
		id := p.Space.ID()
		vaults, err := backend.List(ctx, store.Vault, store.ID{}, 1)
		require.NoError(t, err)
		vault, err := backend.Load(ctx, store.Vault, vaults[0])
		require.NoError(t, err)
		b, err := json.MarshalIndent(struct {
			ID string
			golden
		}{id.String(), golden{vaults[0].String(), vault, row, skipped, 1, 4}}, "", "\t")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(goldenPath, append(b, '\n'), 0o644))
	}
	raw, err := os.ReadFile(goldenPath)
	require.NoError(t, err)
	var g struct {
		ID string
		golden
	}
	require.NoError(t, json.Unmarshal(raw, &g))
	id, err := store.ParseID(g.ID)
	require.NoError(t, err)
	backend := store.NewMemory()
	vaultID, err := store.ParseID(g.VaultID)
	require.NoError(t, err)
	require.NoError(t, backend.Commit(ctx,
		store.Change{Kind: store.Vault, ID: vaultID, Next: g.Vault.Head, Parts: g.Vault.Parts},
		store.Change{Kind: store.Spaces, ID: id, Next: g.Row.Head, Parts: g.Row.Parts, Put: g.Row.Segments},
	))
	s, err := open(backend).Load(ctx, id)
	require.NoError(t, err)
	index := ratchet.Info(s).Index
	require.EqualValues(t, g.Index, index)
	require.Len(t, ratchet.Members(s), g.Members)
	ratchettest.Stored(t, s)
	_, m, err := ratchet.Decrypt(s, ratchettest.Day0, g.Envelope)
	require.NoError(t, err)
	require.Equal(t, "read later", string(m.Plaintext))
}

// What lies in a vault's inbox is exact.
func FuzzMessage(f *testing.F) {
	g := ratchettest.NewGroup(f, 2, ratchettest.Small)
	_, m, err := ratchet.Decrypt(g.Peers[1].Space, g.Now, g.Send(g.Peers[0], "text"))
	require.NoError(f, err)
	seed, err := m.MarshalBinary()
	require.NoError(f, err)
	wiretest.Fuzz(f, ratchet.ParseMessage, func(m ratchet.Message) []byte {
		b, _ := m.MarshalBinary()
		return b
	}, seed)
}

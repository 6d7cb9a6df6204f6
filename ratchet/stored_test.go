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
		g := newGroup(t, 4, fast)
		p := g.peers[0]
		skipped := g.send(g.peers[2], "read later")
		g.deliver(g.send(g.peers[2], "read"), p)
		g.now = g.now.Add(60 * time.Hour)
		g.send(g.peers[1], "lost")
		for range 9 {
			g.deliver(g.send(g.peers[1], ""), g.peers[2])
		}
		g.deliver(g.send(g.peers[2], "unreadable yet"), p)
		backend := store.NewMemory()
		require.NoError(t, open(backend).Create(ctx, p.space, nil))
		row, err := backend.Load(ctx, store.Spaces, p.space.ID())
		require.NoError(t, err)
		id := p.space.ID()
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
	id, err := state.ParseID(g.ID)
	require.NoError(t, err)
	backend := store.NewMemory()
	vaultID, err := state.ParseID(g.VaultID)
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
	stored(t, s)
	_, m, err := ratchet.Decrypt(s, day0, g.Envelope)
	require.NoError(t, err)
	require.Equal(t, "read later", string(m.Plaintext))
}

// What lies in a vault's inbox is exact.
func FuzzMessage(f *testing.F) {
	g := newGroup(f, 2, fast)
	_, m, err := ratchet.Decrypt(g.peers[1].space, g.now, g.send(g.peers[0], "text"))
	require.NoError(f, err)
	seed, err := m.MarshalBinary()
	require.NoError(f, err)
	wiretest.Fuzz(f, ratchet.ParseMessage, func(m ratchet.Message) []byte {
		b, _ := m.MarshalBinary()
		return b
	}, seed)
}

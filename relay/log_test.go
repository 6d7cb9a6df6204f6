package relay_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/trefoil-im/trefoil/relay/api"
)

// A client that keeps the last root it saw finds every registration that it is shown in the log, and the log as it was in
// every later one.
func TestLogProves(t *testing.T) {
	w := inMemory(t)
	var heads []api.LogHead
	p := w.person(1)
	for n := range 7 {
		if n%2 == 0 {
			p.publish(p.newDevice())
		} else {
			p.revoke(0)
		}
		head, err := w.r.Directory.Log(t.Context())
		require.NoError(t, err)
		require.Equal(t, uint64(n+2), head.Size)
		heads = append(heads, head)

		found, err := w.r.Directory.Lookup(t.Context(), p.address(), 0)
		require.NoError(t, err)
		leaf := tlog.RecordHash(api.LeafRecord(p.address(), found.Version, found.Registration))
		proof, err := w.r.Directory.Inclusion(t.Context(), found.Leaf, head.Size)
		require.NoError(t, err)
		require.NoError(t, tlog.CheckRecord(hashes(proof), int64(head.Size), tlog.Hash(head.Root), int64(found.Leaf), leaf))
		leaf[0]++
		require.Error(t, tlog.CheckRecord(hashes(proof), int64(head.Size), tlog.Hash(head.Root), int64(found.Leaf), leaf))
		for _, older := range heads {
			proof, err := w.r.Directory.Consistency(t.Context(), older.Size, head.Size)
			require.NoError(t, err)
			require.NoError(t, tlog.CheckTree(hashes(proof), int64(head.Size), tlog.Hash(head.Root), int64(older.Size), tlog.Hash(older.Root)))
		}
	}
	all, err := w.r.Directory.Leaves(t.Context(), 0, 100)
	require.NoError(t, err)
	require.Len(t, all, 8)
	require.Equal(t, uint64(8), all[7].Version)
	for _, bad := range [][2]uint64{{9, 8}, {8, 8}, {0, 9}} {
		_, err := w.r.Directory.Inclusion(t.Context(), bad[0], bad[1])
		require.ErrorIs(t, err, api.ErrNotFound)
	}
	for _, bad := range [][2]uint64{{9, 8}, {0, 8}, {1, 9}} {
		_, err := w.r.Directory.Consistency(t.Context(), bad[0], bad[1])
		require.ErrorIs(t, err, api.ErrNotFound)
	}
}

// hashes returns a proof as package tlog takes it.
func hashes(proof []api.Hash) (out []tlog.Hash) {
	for _, h := range proof {
		out = append(out, tlog.Hash(h))
	}
	return out
}

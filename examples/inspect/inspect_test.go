package main

import (
	"bytes"
	"database/sql"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/secret/secrettest"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// The sample shows how much there is and nothing of what was said.
func TestSample(t *testing.T) {
	var out, errs bytes.Buffer
	require.Equal(t, statusFine, run(t.Context(), nil, &out, &errs), errs.String())
	require.Contains(t, out.String(), "outbox: 3 frames for one destination from number 1 on")
	require.Contains(t, out.String(), "1 values, 0 damaged; 3 frames to be sent")
	require.Empty(t, secrettest.Hit(out.String(), []byte(words)))
}

// A file of one's own is looked into with its key, and what is damaged is named.
func TestLookInto(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	path, keyFile, wrong := filepath.Join(dir, "trefoil.db"), filepath.Join(dir, "key.hex"), filepath.Join(dir, "wrong.hex")
	b := make([]byte, state.KeySize)
	require.NoError(t, os.WriteFile(wrong, []byte(hex.EncodeToString(b)), 0o600))
	b[0] = 1
	require.NoError(t, os.WriteFile(keyFile, fmt.Appendf(nil, "%x\n", b), 0o600))
	key, err := state.NewKey(b)
	require.NoError(t, err)
	var id state.ID
	require.NoError(t, withStore(ctx, path, func(s store.Store) error {
		vault, err := state.Open[ratchet.Space](ctx, s, key, state.Options{})
		require.NoError(t, err)
		space, err := ratchet.NewSpace(time.Now(), rules.Policy{}, nil)
		require.NoError(t, err)
		id = space.ID()
		return vault.Create(ctx, space, nil)
	}))
	look := func(args ...string) (status int, out string) {
		var stdout, stderr bytes.Buffer
		status = run(ctx, args, &stdout, &stderr)
		return status, stdout.String() + stderr.String()
	}
	status, out := look("-key", keyFile, path)
	require.Equal(t, statusFine, status, out)
	require.Contains(t, out, "spaces "+id.String())

	status, out = look("-key", wrong, path)
	require.Equal(t, statusDamaged, status)
	require.Contains(t, out, state.ErrWrongKey.Error())
	status, _ = look("-key", keyFile, filepath.Join(dir, "none.db"))
	require.Equal(t, statusDamaged, status)
	require.NoFileExists(t, filepath.Join(dir, "none.db"))
	for _, args := range [][]string{{path}, {"-key", keyFile}, {"-key", keyFile, path, path}, {"-x"}} {
		status, _ = look(args...)
		require.Equal(t, statusUsage, status, args)
	}

	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	_, err = db.ExecContext(ctx, "UPDATE trefoil_spaces SET evals = zeroblob(100)")
	require.NoError(t, err)
	require.NoError(t, db.Close())
	status, out = look("-key", keyFile, path)
	require.Equal(t, statusDamaged, status)
	require.Contains(t, out, "PROBLEM:")
	require.Contains(t, out, "1 values, 1 damaged")
}

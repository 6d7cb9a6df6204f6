package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/state/storetest"
)

// All handles on a place share its file: bbolt opens it once. What is read here was written to the file, since bbolt maps it.
func TestStore(t *testing.T) {
	storetest.Run(t, func(tb testing.TB) storetest.Backend {
		// Nothing is lost here but by a bug, so that syncs would only cost time.
		db, err := bolt.Open(filepath.Join(tb.TempDir(), "test.bolt"), 0o600, &bolt.Options{NoSync: true})
		require.NoError(tb, err)
		tb.Cleanup(func() { require.NoError(tb, db.Close()) })
		return func(testing.TB) store.Store { return NewStore(db) }
	})
}

func TestExample(t *testing.T) { require.NoError(t, run()) }

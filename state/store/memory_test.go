package store_test

import (
	"testing"

	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/state/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, func(testing.TB) storetest.Backend {
		m := store.NewMemory()
		return func(testing.TB) store.Store { return m }
	})
}

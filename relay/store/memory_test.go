package store_test

import (
	"testing"

	"github.com/trefoil-im/trefoil/relay/relaytest"
	"github.com/trefoil-im/trefoil/relay/store"
)

func TestMemory(t *testing.T) {
	relaytest.Run(t, func(testing.TB) relaytest.Backend {
		m := store.NewMemory()
		return func(testing.TB) store.Store { return m }
	})
}

package state_test

import (
	"testing"

	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, func(testing.TB) storetest.Backend {
		m := state.NewMemory()
		return func(testing.TB) state.Store { return m }
	})
}

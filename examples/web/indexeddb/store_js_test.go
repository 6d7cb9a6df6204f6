package indexeddb

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/state/storetest"
)

// The store passes the conformance kit. It runs in a browser: the test of examples/web sees to that.
func TestStore(t *testing.T) {
	databases := 0
	storetest.Run(t, func(testing.TB) storetest.Backend {
		databases++
		name := fmt.Sprintf("conformance %d", databases)
		return func(tb testing.TB) store.Store {
			s, err := Open(tb.Context(), name)
			require.NoError(tb, err)
			tb.Cleanup(s.Close)
			return s
		}
	})
}

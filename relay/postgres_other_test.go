//go:build !unix

package relay_test

import (
	"testing"

	"github.com/trefoil-im/trefoil/relay/store"
)

// serverStores are none where the tests start no server.
var serverStores map[string]func(testing.TB) store.Store

package trefoil

import (
	"sync/atomic"

	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/state"
)

// What a Client holds lies behind any. A package that mentions a Client would know the types of its vaults otherwise, and the compiler
// builds every method of a generic type in each package that knows the type: thousands of functions in a program of ten lines (D195).
// For the same reason functions and not methods of Client take or return what names a vault or a transaction. .ci/run counts the
// functions of a small program.

// clientBody is what a Client holds.
type clientBody struct {
	spaces  *state.Vault[ratchet.Space]
	directs *directs
	links   *state.Vault[storedLink]
	current atomic.Pointer[run] // what Run or Sync is doing
}

// bodyOf returns what a Client holds.
func bodyOf(c *Client) *clientBody { return c.body.(*clientBody) }

package dkg

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// counting is a Store that notes how many bytes of parts and segments it is given.
type counting struct {
	*store.Memory
	written int
}

func (c *counting) Commit(ctx context.Context, changes ...store.Change) error {
	for _, change := range changes {
		for _, p := range change.Parts {
			c.written += len(p)
		}
		for _, s := range change.Put {
			c.written += len(s)
		}
	}
	return c.Memory.Commit(ctx, changes...)
}

// A save after handing out one of many indices writes a part and a block, not the ledger.
func TestTakeRewritesOneBlock(t *testing.T) {
	backend := &counting{Memory: store.NewMemory()}
	v := openVault[space](t, backend)
	e := dealt(t, NewPolynomial(), Terms{Next: 1})
	for range 2000 {
		var err error
		e, _, err = e.Issue(Public, make([]byte, 32))
		require.NoError(t, err)
	}
	require.NoError(t, v.Create(t.Context(), spaceOf(t, e), nil))
	backend.written = 0
	require.NoError(t, v.Update(t.Context(), spaceID, func(tx *state.Tx[space]) error {
		next, _, err := issueFrom(tx.Value(), Public, make([]byte, 32))
		tx.Set(next)
		return err
	}))
	require.NotZero(t, backend.written)
	require.Less(t, backend.written, 8<<10)
}

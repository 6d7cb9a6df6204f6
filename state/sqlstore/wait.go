package sqlstore

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/trefoil-im/trefoil/state/store"
)

// turn is the longest pause between two looks at a lock that another process holds. SQLite itself waits longer and longer, up to
// 100 ms, so that who has waited long hardly ever meets the moment between two commits of a busy process. This is about as
// long as a commit takes on a fast disk, and random, so that all who wait have the same chance.
const turn = 2 * time.Millisecond

// begin begins a transaction. It waits for the lock of another process as long as the context allows, ten seconds at most.
func (c *conn) begin(ctx context.Context, text string) error {
	return c.waiting(ctx, func() error {
		_, err := c.exec(ctx, text)
		return err
	})
}

// waiting runs f until it does not return store.ErrBusy, or the fault of that name. The connection is in order after that
// error: nothing was begun.
func (c *conn) waiting(ctx context.Context, f func() error) error {
	failed := c.failed
	return waiting(ctx, c.patience, c.fault, func() error {
		c.failed = failed
		return f()
	})
}

// waiting runs f until it does not return store.ErrBusy, or the fault of that name, or has done so for as long as is said.
func waiting(ctx context.Context, patience time.Duration, fault func(error) fault, f func() error) error {
	for start := time.Now(); ; {
		err := f()
		busy := err != nil && (errors.Is(err, store.ErrBusy) || fault(err).name == store.ErrBusy)
		if !busy || time.Since(start) > patience {
			return err
		}
		t := time.NewTimer(rand.N(turn))
		select {
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-t.C:
		}
	}
}

package worker_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/state/worker"
)

// Wake leaves a destination alone for as long as it said; Retry asks it at once, and only those of its outbox.
func TestRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCalls()
		send := func(_ context.Context, _ state.ID, o state.Outgoing) state.Delivery {
			c.note(o.To)
			return state.RetryAfter(time.Hour)
		}
		run(t, store.NewMemory(), worker.Options{}, send, func(v *state.Vault[value], w *worker.Worker[value]) {
			id := create(t, v, "one")
			w.Wake(id)
			w.Wake(create(t, v, "other"))
			synctest.Wait()
			time.Sleep(time.Minute)
			w.Wake(id)
			synctest.Wait()
			require.Equal(t, []time.Duration{0}, c.times("one"))
			w.Retry(id)
			synctest.Wait()
			require.Equal(t, []time.Duration{0, time.Minute}, c.times("one"))
			require.Equal(t, []time.Duration{0}, c.times("other"))
		})
	})
}

// A sender that ends its goroutine is reported, and its frame is sent again.
func TestSenderEndsItsGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls, failures atomic.Int32
		send := func(context.Context, state.ID, state.Outgoing) state.Delivery {
			if calls.Add(1) == 1 {
				runtime.Goexit()
			}
			return state.Delivered()
		}
		v, err := openVault(t.Context(), store.NewMemory(), state.Options{}) // one sender: it is called in the goroutine of the Flush
		require.NoError(t, err)
		w := worker.New(v, send, worker.Options{Failed: func(state.ID, error) { failures.Add(1) }})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()
		id := create(t, v, "somewhere")
		w.Wake(id)
		time.Sleep(time.Minute)
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
		p, err := v.Pending(context.Background(), id)
		require.NoError(t, err)
		require.Zero(t, p.Outbox)
		require.EqualValues(t, 1, failures.Load())
		require.EqualValues(t, 2, calls.Load())
	})
}

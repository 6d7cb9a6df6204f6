package worker_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/state/storetest"
	"github.com/trefoil-im/trefoil/state/worker"
)

// calls records when which destination was asked.
type calls struct {
	mu    sync.Mutex
	begun time.Time
	of    map[string][]time.Duration
}

func (c *calls) note(to string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.of[to] = append(c.of[to], time.Since(c.begun))
}

func (c *calls) times(to string) []time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.of[to]
}

func newCalls() *calls { return &calls{begun: time.Now(), of: make(map[string][]time.Duration)} }

// create stores a value with a frame for each destination in its outbox.
func create(t *testing.T, v *state.Vault[value], to ...string) state.ID {
	one, err := state.NewOne(state.NewID(), nothing{})
	require.NoError(t, err)
	require.NoError(t, v.Create(t.Context(), one, func(tx *state.Tx[value]) error {
		for _, to := range to {
			tx.Send(to, []byte("frame"))
		}
		return nil
	}))
	return one.ID()
}

// run runs a worker while test does something.
func run(t *testing.T, s store.Store, o worker.Options, send worker.Sender, test func(*state.Vault[value], *worker.Worker[value])) {
	v, err := openVault(t.Context(), s, state.Options{Senders: 2, SendTime: 10 * time.Second})
	require.NoError(t, err)
	w := worker.New(v, send, o)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()
	test(v, w)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
}

// Each destination is left alone for as long as it said, longer each time; and one that blocks holds up itself only.
func TestG35EachDestinationHasItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCalls()
		send := func(ctx context.Context, _ state.ID, o state.Outgoing) state.Delivery {
			c.note(o.To)
			switch o.To {
			case "busy":
				return state.RetryAfter(time.Hour)
			case "down":
				return state.Delivery{}
			case "stuck":
				<-ctx.Done()
				return state.Delivery{}
			}
			return state.Delivered()
		}
		run(t, store.NewMemory(), worker.Options{}, send, func(v *state.Vault[value], w *worker.Worker[value]) {
			id := create(t, v, "stuck", "busy", "down", "alive")
			w.Wake(id)
			synctest.Wait()
			require.Equal(t, []time.Duration{0}, c.times("alive"))
			time.Sleep(50 * time.Minute)
			require.Len(t, c.times("busy"), 1)
			down := c.times("down")
			require.Greater(t, len(down), 8)
			for n := 1; n < len(down); n++ {
				least := min(time.Second<<(n-1), 5*time.Minute)
				gap := down[n] - down[n-1]
				require.GreaterOrEqual(t, gap, least, n)
				require.LessOrEqual(t, gap, least*5/4+11*time.Second, n) // a Flush may be waiting for the one that is stuck
			}
			time.Sleep(30 * time.Minute)
			require.Len(t, c.times("busy"), 2)
		})
	})
}

// What nobody told the worker of is found within the time of a scan, and what it was told of is sent at once, also while other
// outboxes are stuck.
func TestWokenAndScanned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCalls()
		send := func(ctx context.Context, _ state.ID, o state.Outgoing) state.Delivery {
			c.note(o.To)
			if o.To == "stuck" {
				<-ctx.Done()
			}
			return state.Delivered()
		}
		run(t, store.NewMemory(), worker.Options{Outboxes: 4, Scan: time.Minute}, send, func(v *state.Vault[value], w *worker.Worker[value]) {
			synctest.Wait()
			for range 3 {
				w.Wake(create(t, v, "stuck"))
			}
			synctest.Wait()
			create(t, v, "quiet")
			w.Wake(create(t, v, "told"))
			w.Wake(state.NewID()) // there is no such value
			synctest.Wait()
			require.Equal(t, []time.Duration{0}, c.times("told"))
			require.Empty(t, c.times("quiet"))
			time.Sleep(time.Minute)
			synctest.Wait()
			require.Equal(t, []time.Duration{time.Minute}, c.times("quiet"))
		})
	})
}

// A store that fails is reported and asked again, later each time, and ends nothing.
func TestFailingStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		broken, failed := false, []string{}
		s := storetest.Fail(store.NewMemory(), func(call storetest.Call) storetest.Fault {
			mu.Lock()
			defer mu.Unlock()
			if broken {
				return storetest.Before
			}
			return storetest.None
		})
		o := worker.Options{Scan: time.Hour, Failed: func(id state.ID, err error) {
			mu.Lock()
			defer mu.Unlock()
			if !errors.Is(err, storetest.ErrFault) {
				panic(err)
			}
			failed = append(failed, fmt.Sprint(id == state.ID{}))
		}}
		c := newCalls()
		send := func(_ context.Context, _ state.ID, o state.Outgoing) state.Delivery {
			c.note(o.To)
			return state.Delivered()
		}
		run(t, s, o, send, func(v *state.Vault[value], w *worker.Worker[value]) {
			synctest.Wait()
			id := create(t, v, "a")
			mu.Lock()
			broken = true
			mu.Unlock()
			w.Wake(id)
			time.Sleep(10 * time.Second)
			mu.Lock()
			require.GreaterOrEqual(t, len(failed), 3)
			require.LessOrEqual(t, len(failed), 5)
			require.NotContains(t, failed, "true")
			broken = false
			mu.Unlock()
			require.Empty(t, c.times("a"))
			time.Sleep(10 * time.Second)
			require.Len(t, c.times("a"), 1)
		})
	})
}

package state_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// shared returns two vaults on one store, each with the clock of its own: one is years ahead.
func shared(t *testing.T) (a, b *state.Vault[toy]) {
	backend := store.NewMemory()
	o := state.Options{Shared: true, SendTime: 10 * time.Second}
	a = flushable(t, backend, o)
	o.Now = func() time.Time { return time.Now().AddDate(30, 0, 0) }
	return a, openToys(t, backend, o)
}

// G7: of two processes on one store one sends, for as long as it goes on, and the other leaves the outbox alone.
func TestG7OneProcessSends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := shared(t)
		post(t, a, 1, 20, "x")
		var got []string
		slow := func(_ context.Context, o state.Outgoing) state.Delivery {
			time.Sleep(9 * time.Second)
			got = append(got, string(o.Data))
			return state.Delivered()
		}
		done := make(chan error)
		go func() {
			_, err := a.Flush(t.Context(), id(1), slow)
			done <- err
		}()
		synctest.Wait()
		for range 30 {
			again, err := b.Flush(t.Context(), id(1), func(context.Context, state.Outgoing) state.Delivery {
				panic("it has no lease")
			})
			require.NoError(t, err)
			require.Positive(t, again)
			require.LessOrEqual(t, again, 20*time.Second)
			time.Sleep(min(again, 5*time.Second))
		}
		require.NoError(t, <-done)
		require.Equal(t, numbers(1, 20), got)
		require.Zero(t, a.Stats().Fenced)
		post(t, a, 21, 21, "x")
		require.Equal(t, []string{"x:21"}, sent(t, b, id(1)), "it was given back")
	})
}

// G35, G7: a process that stands still is relieved after twice the time that one send may take. When it goes on it has nothing
// to say any more: it takes nothing out of the outbox and sends nothing.
func TestG35ProcessThatStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := shared(t)
		post(t, a, 1, 4, "x")
		var mu sync.Mutex
		var got []string
		note := func(who string, o state.Outgoing) {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, who+string(o.Data))
		}
		noted := func() []string {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(got)
		}
		done := make(chan time.Duration)
		go func() {
			again, err := a.Flush(t.Context(), id(1), func(_ context.Context, o state.Outgoing) state.Delivery {
				if string(o.Data) == "2" {
					time.Sleep(time.Hour) // and heeds no context
				}
				note("a", o)
				return state.Delivered()
			})
			assert.NoError(t, err)
			done <- again
		}()
		synctest.Wait()
		waited := time.Duration(0)
		for tries := 0; ; tries++ {
			require.Less(t, tries, 3)
			again, err := b.Flush(t.Context(), id(1), func(_ context.Context, o state.Outgoing) state.Delivery {
				note("b", o)
				if string(o.Data) == "3" {
					return state.RetryAfter(time.Minute)
				}
				return state.Delivered()
			})
			require.NoError(t, err)
			if waited == 20*time.Second {
				require.Equal(t, time.Minute, again)
				break
			}
			waited += again
			time.Sleep(again)
		}
		require.Equal(t, 20*time.Second, waited)
		require.Equal(t, []string{"a1", "b2", "b3"}, noted())
		post(t, b, 5, 5, "x")
		require.Equal(t, 20*time.Second, <-done)
		require.Equal(t, []string{"a1", "b2", "b3", "a2"}, noted(), "it finishes what it had begun")
		require.Equal(t, uint64(1), a.Stats().Fenced)
		require.Equal(t, []string{"x:3", "x:4", "x:5"}, sent(t, b, id(1)))
	})
}

// Clocks decide nothing: neither one that jumps nor one that is years off takes a lease from a holder, or keeps one. What
// counts is for how long its beat was seen to stand still.
func TestLeaseHeedsNoClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend := store.NewMemory()
		now := time.Now()
		clock := func() time.Time { return now }
		v := flushable(t, backend, state.Options{Shared: true, SendTime: time.Second, Now: clock})
		post(t, v, 1, 2, "x")
		inside := 0
		_, err := v.Flush(t.Context(), id(1), func(context.Context, state.Outgoing) state.Delivery {
			for n := range 5 {
				now = now.AddDate(10*(n-2), 0, 0)
				other := openToys(t, backend, state.Options{Shared: true, SendTime: time.Millisecond, Now: clock})
				again, err := other.Flush(t.Context(), id(1), func(context.Context, state.Outgoing) state.Delivery { panic("no lease") })
				require.NoError(t, err)
				require.Equal(t, 2*time.Second, again, "as long as its holder says")
				inside++
			}
			return state.Delivered()
		})
		require.NoError(t, err)
		require.Equal(t, 10, inside)
	})
}

// A lease goes with its value, and comes again with it.
func TestLeaseOfDeletedValue(t *testing.T) {
	backend := store.NewMemory()
	v := flushable(t, backend, state.Options{Shared: true})
	for round := range 3 {
		post(t, v, 1, 1, "x")
		require.Equal(t, []string{"x:1"}, sent(t, v, id(1)))
		held, err := backend.List(t.Context(), store.Leases, state.ID{}, 10)
		require.NoError(t, err)
		require.Len(t, held, 1)
		require.NoError(t, v.Delete(t.Context(), id(1)))
		held, err = backend.List(t.Context(), store.Leases, state.ID{}, 10)
		require.NoError(t, err)
		require.Empty(t, held)
		require.NoError(t, v.Revive(t.Context(), newToy(t, id(1)), nil), fmt.Sprint("round ", round))
	}
	require.Empty(t, sent(t, v, id(1)))
}

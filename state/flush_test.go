package state_test

import (
	"context"
	"fmt"
	"math/rand/v2"
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

// network records what was handed to it, by destination; those that are dead block until their context ends.
type network struct {
	mu   sync.Mutex
	got  map[string][]string
	dead map[string]bool
}

func (n *network) send(ctx context.Context, o state.Outgoing) state.Delivery {
	n.mu.Lock()
	dead := n.dead[o.To]
	if !dead {
		if n.got == nil {
			n.got = make(map[string][]string)
		}
		n.got[o.To] = append(n.got[o.To], string(o.Data))
	}
	n.mu.Unlock()
	if !dead {
		return state.Delivered()
	}
	<-ctx.Done()
	return state.Delivery{}
}

func (n *network) received(to string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.got[to])
}

// post puts frames with the numbers from first to last into the outbox of id(1), for each destination.
func post(t *testing.T, v *state.Vault[toy], first, last int, to ...string) {
	require.NoError(t, v.Update(t.Context(), id(1), func(tx *state.Tx[toy]) error {
		for n := first; n <= last; n++ {
			for _, to := range to {
				tx.Send(to, fmt.Append(nil, n))
			}
		}
		return nil
	}))
}

func numbers(first, last int) (out []string) {
	for n := first; n <= last; n++ {
		out = append(out, fmt.Sprint(n))
	}
	return out
}

// flushable is a vault with one value on a store.
func flushable(t *testing.T, s store.Store, o state.Options) *state.Vault[toy] {
	v := openToys(t, s, o)
	require.NoError(t, v.Create(t.Context(), newToy(t, id(1)), nil))
	return v
}

// G35, G7: whatever some destinations say, the others get everything, and each gets it in order.
func TestG35DeadAndSlowDestinations(t *testing.T) {
	for _, senders := range []int{1, 3} {
		t.Run(fmt.Sprint(senders, " senders"), func(t *testing.T) {
			const seed = 11
			random := rand.New(rand.NewPCG(seed, 0))
			v := flushable(t, store.NewMemory(), state.Options{Senders: senders})
			post(t, v, 1, 30, "dead", "a", "slow", "b")
			var mu sync.Mutex
			got := make(map[string][]string)
			calls := make(map[string]int)
			send := func(_ context.Context, o state.Outgoing) state.Delivery {
				mu.Lock()
				defer mu.Unlock()
				calls[o.To]++
				switch {
				case o.To == "dead":
					return state.RetryAfter(time.Hour)
				case o.To == "slow" && random.IntN(2) == 0:
					return state.Delivery{}
				}
				got[o.To] = append(got[o.To], string(o.Data))
				return state.Delivered()
			}
			for flushes := 0; len(got["slow"]) < 30; flushes++ {
				require.Less(t, flushes, 1000, "seed %d", seed)
				before := calls["slow"]
				again, err := v.Flush(t.Context(), id(1), send)
				require.NoError(t, err)
				require.Equal(t, flushes+1, calls["dead"], "once in each Flush")
				require.Equal(t, numbers(1, 30), got["a"])
				require.Equal(t, numbers(1, 30), got["b"])
				require.Equal(t, numbers(1, len(got["slow"])), got["slow"])
				require.Positive(t, calls["slow"]-before)
				if len(got["slow"]) < 30 {
					require.Equal(t, time.Second, again, "the zero Delivery is no end")
				}
			}
			again, err := v.Flush(t.Context(), id(1), send)
			require.NoError(t, err)
			require.Equal(t, time.Hour, again)
			pending, err := v.Pending(t.Context(), id(1))
			require.NoError(t, err)
			require.Equal(t, 30, pending.Outbox)
		})
	}
}

// G27, G35: a destination that blocks holds up neither the others nor what is written meanwhile, and is given up after a time.
func TestG27BlockedDestination(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := flushable(t, store.NewMemory(), state.Options{Senders: 2, SendTime: 7 * time.Second})
		n := &network{dead: map[string]bool{"dead": true}}
		post(t, v, 1, 3, "dead", "a", "b")
		begun := time.Now()
		done := make(chan time.Duration)
		go func() {
			again, err := v.Flush(t.Context(), id(1), n.send)
			assert.NoError(t, err)
			done <- again
		}()
		synctest.Wait()
		require.Equal(t, numbers(1, 3), n.received("a"))
		require.Equal(t, numbers(1, 3), n.received("b"))
		post(t, v, 4, 5, "a", "dead")
		synctest.Wait()
		require.Equal(t, numbers(1, 5), n.received("a"), "while the other one blocks")
		require.Equal(t, time.Second, <-done)
		require.Equal(t, 7*time.Second, time.Since(begun))
	})
	synctest.Test(t, func(t *testing.T) {
		v := flushable(t, store.NewMemory(), state.Options{})
		n := &network{dead: map[string]bool{"dead": true}}
		post(t, v, 1, 3, "dead", "a")
		_, err := v.Flush(t.Context(), id(1), n.send)
		require.NoError(t, err)
		require.Equal(t, numbers(1, 3), n.received("a"), "one sender goes on after a time")
	})
}

// What the network has taken is taken out of the outbox, even if the caller gives up meanwhile.
func TestFlushThatIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend := store.NewMemory()
		v := flushable(t, backend, state.Options{Senders: 2})
		post(t, v, 1, 2, "a", "b")
		ctx, cancel := context.WithCancel(t.Context())
		both := make(chan struct{})
		_, err := v.Flush(ctx, id(1), func(sending context.Context, o state.Outgoing) state.Delivery {
			if o.To == "a" {
				<-both // are being sent
				cancel()
				return state.Delivered()
			}
			close(both)
			<-sending.Done()
			return state.Delivered()
		})
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, []string{"a:2", "b:2"}, sent(t, openToys(t, backend, state.Options{}), id(1)))
	})
}

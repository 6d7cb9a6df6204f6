package state_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/state/storetest"
)

// meanwhile is what somebody else does before the nth call of a method of a store from now on.
type meanwhile struct {
	method string
	n      int
	do     func()
}

func (m *meanwhile) decide(c storetest.Call) storetest.Fault {
	if c.Method == m.method {
		if m.n--; m.n == 0 {
			m.do()
		}
	}
	return storetest.None
}

// G7: what two vaults that know nothing of each other send at once, both take out of the outbox, and the row stays whole.
func TestSentByTwo(t *testing.T) {
	backend, v := filled(t)
	other := openToys(t, backend, state.Options{})
	var twice []string
	_, err := v.Flush(t.Context(), id(1), func(_ context.Context, o state.Outgoing) state.Delivery {
		twice = append(twice, o.To+":"+string(o.Data))
		require.Equal(t, []string{"t:one", "t:two", "t:three"}, sent(t, other, id(1)))
		return state.Delivered()
	})
	require.NoError(t, err)
	require.Equal(t, []string{"t:one"}, twice)
	_, err = openToys(t, backend, state.Options{}).Load(t.Context(), id(1))
	require.NoError(t, err)
}

// G35: what somebody else has sent, or given up, while it was looked for is neither missed nor reported as damaged.
func TestGoneMeanwhile(t *testing.T) {
	ctx := t.Context()
	now := time.UnixMilli(1_795_000_000_000)
	var events recorded
	var others meanwhile
	backend := store.NewMemory()
	v := openToys(t, storetest.Fail(backend, others.decide), state.Options{Events: events.add, Now: func() time.Time { return now }})
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), nil))
	fill(t, v)
	other := openToys(t, backend, state.Options{Now: func() time.Time { return now.Add(8 * 24 * time.Hour) }, ForgetEvery: -1})

	reader := openToys(t, backend, state.Options{Now: func() time.Time { return now }})

	others = meanwhile{"Items", 1, func() { require.Len(t, sent(t, other, id(1)), 3) }}
	events = nil
	require.Empty(t, sent(t, v, id(1)))

	retry := func(method string, n int, do func()) {
		require.NoError(t, v.Update(ctx, id(1), func(tx *state.Tx[toy]) error { tx.RetryRetained(); return nil }))
		others = meanwhile{method, n, func() {
			do()
			row, err := backend.Load(ctx, store.Spaces, id(1))
			require.NoError(t, err)
			require.Empty(t, row.Retained)
		}}
		_, err := v.Retry(ctx, id(1), inOrder)
		require.NoError(t, err)
		require.LessOrEqual(t, others.n, 0)
		require.Empty(t, events)
	}
	retry("Frames", 1, func() { // somebody reads them
		for range 9 {
			require.NoError(t, reader.Update(ctx, id(1), push(0)))
		}
		require.NoError(t, reader.Update(ctx, id(1), func(tx *state.Tx[toy]) error { tx.RetryRetained(); return nil }))
		ack, err := reader.Retry(ctx, id(1), inOrder)
		require.NoError(t, err)
		require.Len(t, ack, 3)
	})
	for n := range 3 {
		_, err := v.Receive(ctx, id(1), frame(20+n), inOrder)
		require.NoError(t, err)
	}
	events = nil
	retry("Head", 2, func() { // their time is over; the first look finds them, and the second is that of the transaction
		_, err := other.Retry(ctx, id(1), inOrder)
		require.NoError(t, err)
	})
}

// G27: when the store fails, what is being sent then is broken off.
func TestFailureEndsSends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		broken := false
		backend := storetest.Fail(store.NewMemory(), func(c storetest.Call) storetest.Fault {
			if broken && c.Method == "Commit" {
				return storetest.Before
			}
			return storetest.None
		})
		v := openToys(t, backend, state.Options{Senders: 2, SendTime: time.Minute})
		require.NoError(t, v.Create(ctx, newToy(t, id(1)), func(tx *state.Tx[toy]) error {
			tx.Send("slow", nil)
			tx.Send("fast", nil)
			return nil
		}))
		broken = true
		begun := time.Now()
		_, err := v.Flush(ctx, id(1), func(ctx context.Context, o state.Outgoing) state.Delivery {
			if o.To == "slow" {
				<-ctx.Done()
				return state.RetryAfter(time.Second)
			}
			return state.Delivered()
		})
		require.ErrorIs(t, err, storetest.ErrFault)
		require.Zero(t, time.Since(begun))
	})
}

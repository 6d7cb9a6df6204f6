package state_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// G7: first in, first out; a frame leaves only on a receipt and is the same bytes each time.
func TestG7Outbox(t *testing.T) {
	ctx := t.Context()
	backend := store.NewMemory()
	var events recorded
	v := openToys(t, backend, state.Options{Outbox: 200, Events: events.add})
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), func(tx *state.Tx[toy]) error {
		tx.Send("first", []byte("created"))
		return nil
	}))
	for n := range 150 {
		require.NoError(t, v.Update(ctx, id(1), func(tx *state.Tx[toy]) error {
			tx.Send("t", fmt.Append(nil, n))
			return nil
		}))
	}
	fill := func(n int) error {
		return v.Update(ctx, id(1), func(tx *state.Tx[toy]) error {
			for range n {
				tx.Send("t", []byte("more"))
			}
			return push(1)(tx)
		})
	}
	before, err := v.Load(ctx, id(1))
	require.NoError(t, err)
	require.ErrorIs(t, fill(50), state.ErrFull, "back-pressure")
	after, err := v.Load(ctx, id(1))
	require.NoError(t, err)
	require.True(t, before.Equal(after))
	require.NoError(t, fill(49))

	var tries []string
	again, err := v.Flush(ctx, id(1), func(_ context.Context, o state.Outgoing) state.Delivery {
		tries = append(tries, string(o.Data))
		if len(tries) == 3 {
			return state.RetryAfter(time.Minute)
		}
		return state.Delivered()
	})
	require.NoError(t, err)
	require.Equal(t, time.Minute, again)
	again, err = openToys(t, backend, state.Options{Events: events.add}).Flush(ctx, id(1), func(_ context.Context, o state.Outgoing) state.Delivery {
		tries = append(tries, string(o.Data))
		if string(o.Data) == "5" {
			return state.Rejected("too hot")
		}
		return state.Delivered()
	})
	require.NoError(t, err)
	require.Zero(t, again)
	require.Equal(t, []string{"created", "0", "1", "1", "2", "3", "4", "5", "6"}, tries[:9])
	require.Len(t, tries, 1+150+49+1)
	require.Equal(t, recorded{"state.SendRejected"}, events)
	require.Empty(t, sent(t, v, id(1)))

	require.Error(t, v.Update(ctx, id(1), func(tx *state.Tx[toy]) error {
		tx.Send(strings.Repeat("x", state.MaxAddress+1), nil)
		return nil
	}))
}

// G27: a network that blocks stalls its own outbox only. The value goes on, and so do other spaces.
func TestG27BlockedNetwork(t *testing.T) {
	ctx := t.Context()
	v := openToys(t, store.NewMemory(), state.Options{})
	for n := range byte(2) {
		require.NoError(t, v.Create(ctx, newToy(t, id(n+1)), func(tx *state.Tx[toy]) error {
			tx.Send("t", []byte{n})
			return nil
		}))
	}
	blocked, release, done := make(chan bool), make(chan bool), make(chan error)
	go func() {
		_, err := v.Flush(ctx, id(1), func(context.Context, state.Outgoing) state.Delivery {
			blocked <- true
			<-release
			return state.Delivered()
		})
		done <- err
	}()
	<-blocked
	require.NoError(t, v.Update(ctx, id(1), push(1)))
	_, err := v.Receive(ctx, id(1), frame(7), inOrder)
	require.NoError(t, err)
	require.Equal(t, []string{"t:\x01"}, sent(t, v, id(2)))
	impatient, cancel := context.WithCancel(ctx)
	cancel()
	_, err = v.Flush(impatient, id(1), nil)
	require.ErrorIs(t, err, context.Canceled, "a second Flush waits its turn")
	close(release)
	require.NoError(t, <-done)
}

// G4: what was read stays until its reader has it.
func TestG4Inbox(t *testing.T) {
	ctx := t.Context()
	backend := store.NewMemory()
	v := openToys(t, backend, state.Options{Inbox: 2})
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), nil))
	for n := range 2 {
		_, err := v.Receive(ctx, id(1), frame(n), inOrder)
		require.NoError(t, err)
	}
	r, err := v.Receive(ctx, id(1), frame(2), inOrder)
	require.ErrorIs(t, err, state.ErrFull)
	require.Equal(t, state.Stop, r.Verdict, "not acknowledged: it comes again")

	seqs := make(map[uint64]int)
	require.ErrorIs(t, v.Drain(ctx, id(1), func(_ context.Context, in state.Incoming) error {
		seqs[in.Seq]++
		return errBroken
	}), errBroken)
	v = openToys(t, backend, state.Options{})
	require.NoError(t, v.Drain(ctx, id(1), func(_ context.Context, in state.Incoming) error {
		seqs[in.Seq]++
		return nil
	}))
	require.Equal(t, map[uint64]int{1: 2, 2: 1}, seqs)
	_, err = v.Receive(ctx, id(1), frame(2), inOrder)
	require.NoError(t, err)
	require.Equal(t, []string{"2"}, drained(t, v, id(1)))
}

// G11: deleting takes everything along.
func TestG11Delete(t *testing.T) {
	ctx := t.Context()
	backend := store.NewMemory()
	v := openToys(t, backend, state.Options{})
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), nil))
	for _, n := range []int{0, 5} {
		_, err := v.Receive(ctx, id(1), frame(n), inOrder)
		require.NoError(t, err)
	}
	require.NoError(t, v.Delete(ctx, id(1)))
	require.NoError(t, v.Revive(ctx, newToy(t, id(1)), nil))
	require.Empty(t, sent(t, v, id(1)))
	require.Empty(t, drained(t, v, id(1)))
	for _, n := range []int{0, 5} {
		records, err := backend.Frames(ctx, store.Spaces, id(1), hash(n))
		require.NoError(t, err)
		require.Empty(t, records)
	}
}

// G6: neither queue shows what it holds to the store.
func TestG6QueuesAreSealed(t *testing.T) {
	ctx := t.Context()
	backend := &counting{Store: store.NewMemory()}
	v := openToys(t, backend, state.Options{})
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), nil))
	_, err := v.Receive(ctx, id(1), state.Frame{Source: "mailbox of the peer", Data: []byte("00000000000000000000000000000007")}, inOrder)
	require.NoError(t, err)
	require.NoError(t, v.Update(ctx, id(1), func(tx *state.Tx[toy]) error {
		tx.Send("a telling address", []byte("outgoing frame"))
		tx.Deliver([]byte("the plaintext"))
		return nil
	}))
	var all []byte
	for _, c := range backend.changes {
		for _, it := range append(c.Outbox, c.Inbox...) {
			all = append(all, it.Data...)
		}
		for _, f := range c.Frames {
			all = append(all, f.Data...)
		}
	}
	require.NotEmpty(t, all)
	for _, s := range []string{"mailbox of the peer", "0000000007", "telling", "outgoing", "plaintext"} {
		require.NotContains(t, string(all), s)
	}
}

// What a transaction was given may be used for something else at once.
func TestBuffersAreUsedAgain(t *testing.T) {
	v := openToys(t, store.NewMemory(), state.Options{})
	require.NoError(t, v.Create(t.Context(), newToy(t, id(1)), func(tx *state.Tx[toy]) error {
		buffer := []byte("first")
		tx.Send("t", buffer)
		tx.Deliver(buffer)
		copy(buffer, "other")
		return nil
	}))
	require.Equal(t, []string{"t:first"}, sent(t, v, id(1)))
	require.Equal(t, []string{"first"}, drained(t, v, id(1)))
}

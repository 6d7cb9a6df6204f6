package state_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// commits returns the number of commits that f makes.
func (c *counting) commits(f func()) int {
	before := len(c.changes)
	f()
	return len(c.changes) - before
}

func verdicts(receipts []state.Receipt) string {
	var out []string
	for _, r := range receipts {
		out = append(out, r.Verdict.String())
	}
	return strings.Join(out, " ")
}

// G8: many frames are received in one commit, each with the outcome that it has alone.
func TestG8ReceiveAll(t *testing.T) {
	ctx := t.Context()
	backend := &counting{Store: store.NewMemory()}
	v := openToys(t, backend, state.Options{})
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), nil))
	frames := []state.Frame{
		frame(0), frame(1), frame(0), frame(3), {Data: []byte("rubbish")}, frame(3), {Data: []byte("broken")},
		{Data: make([]byte, state.MaxFrame+1)}, frame(2),
	}
	var receipts []state.Receipt
	made := backend.commits(func() {
		var err error
		receipts, err = v.ReceiveAll(ctx, id(1), frames, inOrder)
		require.NoError(t, err)
	})
	require.Equal(t, "read read discard retain discard retain stop discard read", verdicts(receipts))
	require.ErrorIs(t, receipts[2].Reason, state.ErrSeen)
	require.ErrorIs(t, receipts[3].Reason, errNotYet)
	require.ErrorIs(t, receipts[5].Reason, state.ErrRetained)
	require.ErrorIs(t, receipts[6].Reason, errBroken)
	require.ErrorIs(t, receipts[7].Reason, state.ErrTooLarge)
	require.Equal(t, [][32]byte{hash(3)}, receipts[8].Acknowledge, "what was retained follows")
	require.LessOrEqual(t, made, 3, "one commit for all, two for the retained one")
	require.Equal(t, []string{"0", "1", "2", "3"}, drained(t, v, id(1)))

	receipts, err := v.ReceiveAll(ctx, id(1), frames[:4], inOrder)
	require.NoError(t, err)
	require.Equal(t, "discard discard discard discard", verdicts(receipts))
	receipts, err = v.ReceiveAll(ctx, id(1), nil, inOrder)
	require.NoError(t, err)
	require.Empty(t, receipts)
	receipts, err = v.ReceiveAll(ctx, id(7), frames[:2], inOrder)
	require.ErrorIs(t, err, state.ErrNotFound)
	require.Equal(t, "stop stop", verdicts(receipts))
}

// G8: receiving many frames at once or one after the other comes to the same, in any order, with bounds reached on the way.
func TestReceiveAllIsReceive(t *testing.T) {
	ctx := t.Context()
	options := state.Options{Retained: 9, RetainedSource: 6}
	once, singly := openToys(t, store.NewMemory(), options), openToys(t, store.NewMemory(), options)
	var frames []state.Frame
	for i := range 150 {
		n := i * 67 % 150 // each once
		if i%5 == 0 {
			n = i / 5 // or in order
		}
		frames = append(frames, state.Frame{Source: fmt.Sprint("s", n%3), Data: fmt.Append(nil, n)})
	}
	for _, v := range []*state.Vault[toy]{once, singly} {
		require.NoError(t, v.Create(ctx, newToy(t, id(1)), nil))
	}
	for len(frames) > 0 {
		chunk := frames[:min(len(frames), 1+len(frames)%7)]
		frames = frames[len(chunk):]
		for _, f := range chunk {
			_, err := singly.Receive(ctx, id(1), f, inOrder)
			require.NoError(t, err)
		}
		receipts, err := once.ReceiveAll(ctx, id(1), chunk, inOrder)
		require.NoError(t, err)
		require.Len(t, receipts, len(chunk))
	}
	got, want := drained(t, once, id(1)), drained(t, singly, id(1))
	require.Equal(t, want[:len(got)], got, "in the order of their numbers")
	require.NotEmpty(t, got)
}

// G7: frames for which there is no room in the inbox are not dealt with, and those before them are.
func TestReceiveAllFull(t *testing.T) {
	ctx := t.Context()
	v := openToys(t, store.NewMemory(), state.Options{Inbox: 3})
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), nil))
	var frames []state.Frame
	for n := range 5 {
		frames = append(frames, frame(n))
	}
	receipts, err := v.ReceiveAll(ctx, id(1), frames, inOrder)
	require.NoError(t, err)
	require.Equal(t, "read read read stop retain", verdicts(receipts))
	require.ErrorIs(t, receipts[3].Reason, state.ErrFull)
	require.Equal(t, []string{"0", "1", "2"}, drained(t, v, id(1)))
	_, err = v.Receive(ctx, id(1), frame(3), inOrder)
	require.NoError(t, err)
	require.Equal(t, []string{"3", "4"}, drained(t, v, id(1)))
}

// A frame whose change is not allowed holds up only itself, even if those after it would hide what it did.
func TestReceiveAllRefusedChange(t *testing.T) {
	ctx := t.Context()
	v := openToys(t, store.NewMemory(), state.Options{})
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), push(0)))
	open := func(tx *state.Tx[toy], f state.Frame) error {
		switch string(f.Data) {
		case "back":
			tx.Set(newToy(t, id(1)))
			return nil
		case "far":
			tx.Send(strings.Repeat("x", state.MaxAddress+1), nil)
			return nil
		case "other":
			tx.Set(newToy(t, id(2)))
			return nil
		}
		tx.Deliver(f.Data)
		return push(1)(tx)
	}
	receipts, err := v.ReceiveAll(ctx, id(1), []state.Frame{
		{Data: []byte("a")}, {Data: []byte("back")}, {Data: []byte("far")}, {Data: []byte("other")}, {Data: []byte("b")},
	}, open)
	require.NoError(t, err)
	require.Equal(t, "read stop stop stop read", verdicts(receipts))
	require.ErrorIs(t, receipts[1].Reason, state.ErrStale)
	_, err = v.Receive(ctx, id(1), state.Frame{Data: []byte("back")}, open)
	require.ErrorIs(t, err, state.ErrStale)
	require.Equal(t, []string{"a", "b"}, drained(t, v, id(1)))
}

// G7, G35: a destination that does not take its frames does not stop the others, and its own keep their order.
func TestG35DeadDestination(t *testing.T) {
	ctx := t.Context()
	v := openToys(t, store.NewMemory(), state.Options{})
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), func(tx *state.Tx[toy]) error {
		for n := range 300 {
			tx.Send([]string{"dead", "alive"}[n%2], fmt.Append(nil, n))
		}
		return nil
	}))
	var tries, delivered []string
	dead := true
	flush := func() {
		_, err := v.Flush(ctx, id(1), func(_ context.Context, o state.Outgoing) state.Delivery {
			tries = append(tries, o.To)
			if o.To == "dead" && dead {
				return state.RetryAfter(9)
			}
			delivered = append(delivered, string(o.Data))
			return state.Delivered()
		})
		require.NoError(t, err)
	}
	flush()
	require.Len(t, delivered, 150)
	require.Len(t, tries, 151, "it is asked once")
	dead = false
	flush()
	require.Len(t, delivered, 300)
	for i, text := range delivered {
		require.Equal(t, fmt.Sprint(2*(i%150)+1-i/150), text)
	}
}

// Up to 128 frames, and 8 MiB, go into one commit.
func TestChunksOfReceiveAll(t *testing.T) {
	backend := &counting{Store: store.NewMemory()}
	v := openToys(t, backend, state.Options{})
	require.NoError(t, v.Create(t.Context(), newToy(t, id(1)), nil))
	for want, sizes := range map[int][]int{1: slices.Repeat([]int{1}, 128), 2: slices.Repeat([]int{2}, 129), 3: {5 << 20, 3 << 20, 1, 8 << 20}} {
		var frames []state.Frame
		for i, size := range sizes {
			frames = append(frames, state.Frame{Source: fmt.Sprint(want, i), Data: make([]byte, size)})
		}
		require.Equal(t, want, backend.commits(func() {
			_, err := v.ReceiveAll(t.Context(), id(1), frames, func(*state.Tx[toy], state.Frame) error { return nil })
			require.NoError(t, err)
		}))
	}
}

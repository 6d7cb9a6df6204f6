package state_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

var (
	errNotYet  = state.NewOutcome(state.Retain, "toy: number to come")
	errRubbish = state.NewOutcome(state.Discard, "toy: no number")
	errBroken  = errors.New("toy: reader broken")
)

// inOrder reads frames "n" in the order of n: a frame that comes too early is retained, each one read makes the next
// readable.
func inOrder(tx *state.Tx[toy], f state.Frame) error {
	n, err := strconv.ParseUint(string(f.Data), 10, 64)
	if string(f.Data) == "broken" {
		return errBroken
	}
	if err != nil {
		return fmt.Errorf("frame: %w", errRubbish)
	}
	s := tx.Value()
	if n != s.Evals().n {
		return errNotYet
	}
	tx.Set(s.WithState(s.State().with(n)).WithEvals(s.Evals().next()))
	tx.Deliver(f.Data)
	tx.Send("acks", f.Data)
	tx.RetryRetained()
	return nil
}

func frame(n int) state.Frame { return state.Frame{Source: "peer", Data: []byte(fmt.Sprint(n))} }

func hash(n int) [32]byte { return frame(n).Hash() }

// drained empties an inbox.
func drained(t *testing.T, v *state.Vault[toy], id state.ID) (got []string) {
	require.NoError(t, v.Drain(t.Context(), id, func(_ context.Context, in state.Incoming) error {
		got = append(got, string(in.Data()))
		return nil
	}))
	return got
}

// recorded collects events.
type recorded []string

func (r *recorded) add(_ state.ID, e state.Event) {
	text := fmt.Sprintf("%T", e)
	if unread, ok := e.(state.FrameUnread); ok {
		text += " " + unread.Verdict.String()
	}
	*r = append(*r, text)
}

// G8: each verdict does what it says.
func TestG8Verdicts(t *testing.T) {
	ctx := t.Context()
	backend := store.NewMemory()
	var events recorded
	v := openToys(t, backend, state.Options{Events: events.add})
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), nil))

	r, err := v.Receive(ctx, id(1), frame(1), inOrder)
	require.NoError(t, err)
	require.Equal(t, state.Retain, r.Verdict)
	require.ErrorIs(t, r.Reason, errNotYet)
	s, err := v.Load(ctx, id(1))
	require.NoError(t, err)
	require.True(t, s.Equal(newToy(t, id(1))), "a failed frame changes no state")

	r, err = v.Receive(ctx, id(1), frame(1), inOrder)
	require.NoError(t, err)
	require.Equal(t, state.Retain, r.Verdict, "not acknowledged before it is read")
	require.ErrorIs(t, r.Reason, state.ErrRetained)

	r, err = v.Receive(ctx, id(1), state.Frame{Data: []byte("rubbish")}, inOrder)
	require.NoError(t, err)
	require.Equal(t, state.Discard, r.Verdict)
	require.ErrorIs(t, r.Reason, errRubbish)

	before, err := backend.Load(ctx, store.Spaces, id(1))
	require.NoError(t, err)
	r, err = v.Receive(ctx, id(1), state.Frame{Data: []byte("broken")}, inOrder)
	require.ErrorIs(t, err, errBroken)
	require.Equal(t, state.Stop, r.Verdict)
	after, err := backend.Load(ctx, store.Spaces, id(1))
	require.NoError(t, err)
	require.Equal(t, before, after)

	r, err = v.Receive(ctx, id(1), frame(0), inOrder)
	require.NoError(t, err)
	require.Equal(t, state.Receipt{Verdict: state.Read, Acknowledge: [][32]byte{hash(1)}}, r, "the retained frame follows")
	require.Equal(t, []string{"0", "1"}, drained(t, v, id(1)))
	require.Equal(t, []string{"acks:0", "acks:1"}, sent(t, v, id(1)))
	require.Equal(t, recorded{"state.FrameUnread retain", "state.FrameUnread discard"}, events)

	r, err = v.Receive(ctx, id(1), state.Frame{Data: make([]byte, state.MaxFrame+1)}, inOrder)
	require.NoError(t, err)
	require.ErrorIs(t, r.Reason, state.ErrTooLarge)
}

// G9: what was read, and what was settled, is not looked at again, also not by another vault after a restart.
func TestG9Replay(t *testing.T) {
	ctx := t.Context()
	backend := store.NewMemory()
	v := openToys(t, backend, state.Options{})
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), nil))
	for _, f := range []state.Frame{frame(0), {Data: []byte("rubbish")}} {
		_, err := v.Receive(ctx, id(1), f, inOrder)
		require.NoError(t, err)
	}
	for _, again := range []*state.Vault[toy]{v, openToys(t, backend, state.Options{})} {
		for _, f := range []state.Frame{frame(0), {Data: []byte("rubbish")}} {
			r, err := again.Receive(ctx, id(1), f, func(*state.Tx[toy], state.Frame) error {
				t.Error("opened again")
				return nil
			})
			require.NoError(t, err)
			require.Equal(t, state.Receipt{Verdict: state.Discard, Reason: state.ErrSeen}, r)
		}
	}
	require.Equal(t, []string{"0"}, drained(t, v, id(1)))
}

// G8: a long backlog in reverse order is read as soon as its beginning comes, and each frame is reported for
// acknowledgement once.
func TestG8Backlog(t *testing.T) {
	ctx := t.Context()
	v := openToys(t, store.NewMemory(), state.Options{})
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), nil))
	const n = 100
	for i := n; i > 0; i-- {
		r, err := v.Receive(ctx, id(1), frame(i), inOrder)
		require.NoError(t, err)
		require.Equal(t, state.Retain, r.Verdict)
	}
	r, err := v.Receive(ctx, id(1), frame(0), inOrder)
	require.NoError(t, err)
	require.Len(t, r.Acknowledge, n)
	var want []string
	for i := range n + 1 {
		want = append(want, fmt.Sprint(i))
		require.True(t, i == 0 || slices.Contains(r.Acknowledge, hash(i)))
	}
	require.Equal(t, want, drained(t, v, id(1)))
}

// What was learned in an Update is part of its commit: the retry is made by whoever comes next, in whatever process.
func TestLearnedInUpdate(t *testing.T) {
	ctx := t.Context()
	backend := store.NewMemory()
	v := openToys(t, backend, state.Options{})
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), nil))
	_, err := v.Receive(ctx, id(1), frame(1), inOrder)
	require.NoError(t, err)
	settled, err := v.Retry(ctx, id(1), inOrder)
	require.NoError(t, err)
	require.Empty(t, settled, "nothing was learned")

	require.NoError(t, v.Update(ctx, id(1), func(tx *state.Tx[toy]) error {
		tx.Set(tx.Value().WithEvals(tx.Value().Evals().next()))
		tx.RetryRetained()
		return nil
	}))
	settled, err = openToys(t, backend, state.Options{}).Retry(ctx, id(1), inOrder)
	require.NoError(t, err)
	require.Equal(t, [][32]byte{hash(1)}, settled)
	require.Equal(t, []string{"1"}, drained(t, v, id(1)))
}

// G8: what an opener puts into the transaction is committed with a frame that is retained or settled, once: trying a
// retained frame again in vain changes nothing.
func TestG8NotesOfAFailedFrame(t *testing.T) {
	ctx := t.Context()
	v := openToys(t, store.NewMemory(), state.Options{})
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), nil))
	note := func(tx *state.Tx[toy], f state.Frame) error {
		if string(f.Data) == "go" {
			tx.RetryRetained()
			return errRubbish
		}
		tx.Set(tx.Value().WithTemplate(tx.Value().Template().with(fmt.Sprint(tx.Value().Template().names, string(f.Data)))))
		tx.Send("t", f.Data)
		return errNotYet
	}
	for _, f := range []string{"a", "go"} {
		_, err := v.Receive(ctx, id(1), state.Frame{Data: []byte(f)}, note)
		require.NoError(t, err)
	}
	s, err := v.Load(ctx, id(1))
	require.NoError(t, err)
	require.Equal(t, []string{"[]a"}, s.Template().names)
	require.Equal(t, []string{"t:a"}, sent(t, v, id(1)))
}

// A retry that cannot be finished leaves the frame that was received dealt with, and is made up for later.
func TestRetryThatStops(t *testing.T) {
	ctx := t.Context()
	v := openToys(t, store.NewMemory(), state.Options{})
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), nil))
	_, err := v.Receive(ctx, id(1), frame(1), inOrder)
	require.NoError(t, err)
	r, err := v.Receive(ctx, id(1), frame(0), func(tx *state.Tx[toy], f state.Frame) error {
		if string(f.Data) == "1" {
			return errBroken
		}
		return inOrder(tx, f)
	})
	require.ErrorIs(t, err, errBroken)
	require.Equal(t, state.Read, r.Verdict)
	r, err = v.Receive(ctx, id(1), state.Frame{Data: []byte("rubbish")}, inOrder)
	require.NoError(t, err)
	require.Equal(t, [][32]byte{hash(1)}, r.Acknowledge)
}

// retainedTexts returns what the retained frames hold that came from the sources a to c.
func retainedTexts(t *testing.T, backend store.Store) (out []string) {
	row, err := backend.Load(t.Context(), store.Spaces, id(1))
	require.NoError(t, err)
	for _, f := range row.Retained {
		for n := range 100 {
			for _, source := range []string{"a", "b", "c"} {
				if (state.Frame{Source: source, Data: fmt.Append(nil, n)}).Hash() == f.Hash {
					out = append(out, fmt.Sprint(n))
				}
			}
		}
	}
	return out
}

// G8: nobody gets hold of a frame by posting a copy: what becomes of the copy says nothing about the frame.
func TestG8CopiedFrame(t *testing.T) {
	ctx := t.Context()
	v := openToys(t, store.NewMemory(), state.Options{RetainedSource: 2})
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), nil))
	receive := func(source string, n int) state.Receipt {
		r, err := v.Receive(ctx, id(1), state.Frame{Source: source, Data: fmt.Append(nil, n)}, inOrder)
		require.NoError(t, err)
		return r
	}
	for _, n := range []int{1, 50, 51} { // the thief's copy comes first and is given up for others of its own
		require.Equal(t, state.Retain, receive("thief", n).Verdict)
	}
	require.Equal(t, state.Retain, receive("peer", 1).Verdict)
	require.NotEqual(t, state.Frame{Source: "ab", Data: []byte("c")}.Hash(), state.Frame{Source: "a", Data: []byte("bc")}.Hash())
	r := receive("peer", 0)
	require.Equal(t, state.Read, r.Verdict)
	require.Equal(t, [][32]byte{frame(1).Hash()}, r.Acknowledge)
	require.Equal(t, []string{"0", "1"}, drained(t, v, id(1)))
}

// G25, G29: retained frames are bounded in number, for each source and in time. What is given up is reported, is not
// acknowledged, and is received anew when it comes again.
func TestG25RetainedAreBounded(t *testing.T) {
	ctx := t.Context()
	now := time.UnixMilli(1_000_000)
	var events recorded
	options := state.Options{
		Retained: 5, RetainedSource: 3, RetainedFor: time.Hour,
		Now: func() time.Time { return now }, Events: events.add,
	}
	for name, reopen := range map[string]bool{"one vault": false, "a new vault each time": true} {
		t.Run(name, func(t *testing.T) {
			events = nil
			backend := store.NewMemory()
			v := openToys(t, backend, options)
			require.NoError(t, v.Create(ctx, newToy(t, id(1)), nil))
			receive := func(source, data string) []string {
				if reopen {
					v = openToys(t, backend, options)
				}
				r, err := v.Receive(ctx, id(1), state.Frame{Source: source, Data: []byte(data)}, inOrder)
				require.NoError(t, err)
				require.Equal(t, state.Receipt{Verdict: state.Retain, Reason: errNotYet}, r, "nothing is acknowledged")
				return retainedTexts(t, backend)
			}
			receive("b", "20")
			receive("a", "10")
			receive("a", "11")
			require.Equal(t, []string{"20", "10", "11", "12"}, receive("a", "12"))
			require.Equal(t, []string{"20", "11", "12", "13"}, receive("a", "13"), "without the oldest of its source")
			receive("b", "21")
			require.Equal(t, []string{"11", "12", "13", "21", "30"}, receive("c", "30"), "without the oldest of all")
			require.Equal(t, []string{"12", "13", "21", "30", "31"}, receive("c", "31"))
			require.Equal(t, []string{"13", "21", "30", "31", "11"}, receive("a", "11"), "it came again")
			now = now.Add(time.Hour + time.Millisecond)
			require.Equal(t, []string{"14"}, receive("a", "14"), "the time of all others is over")
			require.Equal(t, 9, strings.Count(strings.Join(events, " "), "state.FrameGivenUp"))

			// One that expires while it waits is given up by the retry.
			now = now.Add(2 * time.Hour)
			r, err := v.Receive(ctx, id(1), frame(0), inOrder)
			require.NoError(t, err)
			require.Empty(t, r.Acknowledge)
			require.Equal(t, []string{"0"}, drained(t, v, id(1)))
			require.Empty(t, retainedTexts(t, backend))
		})
	}
}

// G25, G29: retained frames are bounded in bytes as well, in all and for each source; one that is longer than a bound is not
// retained at all, and comes again.
func TestG25RetainedBytesAreBounded(t *testing.T) {
	ctx := t.Context()
	options := state.Options{RetainedBytes: 100, RetainedBytesSource: 60}
	for name, reopen := range map[string]bool{"one vault": false, "a new vault each time": true} {
		t.Run(name, func(t *testing.T) {
			backend := store.NewMemory()
			v := openToys(t, backend, options)
			require.NoError(t, v.Create(ctx, newToy(t, id(1)), nil))
			// receive returns how many frames are retained then.
			receive := func(source string, first byte, size int) int {
				if reopen {
					v = openToys(t, backend, options)
				}
				data := append([]byte{first}, bytes.Repeat([]byte("0"), size-1)...)
				r, err := v.Receive(ctx, id(1), state.Frame{Source: source, Data: data}, never)
				require.NoError(t, err)
				require.Equal(t, state.Receipt{Verdict: state.Retain, Reason: errNotYet}, r)
				row, err := backend.Load(ctx, store.Spaces, id(1))
				require.NoError(t, err)
				return len(row.Retained)
			}
			require.Equal(t, 1, receive("a", '1', 20))
			require.Equal(t, 2, receive("a", '2', 20))
			require.Equal(t, 3, receive("a", '3', 20))
			require.Equal(t, 3, receive("a", '4', 10), "without the oldest of its source")
			require.Equal(t, 2, receive("a", '5', 45), "without as many as it takes")
			require.Equal(t, 3, receive("b", '6', 45))
			require.Equal(t, 3, receive("c", '7', 1), "without the oldest of all")
			require.Equal(t, 3, receive("d", '8', 61), "it is too long to be retained")
			require.Equal(t, 3, receive("d", '8', 61), "and is looked at again")
		})
	}
	_, err := state.Open[toy](context.Background(), store.NewMemory(), testKey(t, 1), state.Options{RetainedBytes: -1})
	require.Error(t, err)
}

// never can read nothing yet.
func never(*state.Tx[toy], state.Frame) error { return errNotYet }

// G25: settled frames are remembered up to a bound.
func TestG25SettledAreBounded(t *testing.T) {
	ctx := t.Context()
	backend := store.NewMemory()
	v := openToys(t, backend, state.Options{Acknowledged: 3})
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), nil))
	for n := range 10 {
		_, err := v.Receive(ctx, id(1), frame(n), inOrder)
		require.NoError(t, err)
	}
	known := 0
	for n := range 10 {
		if rec, err := backend.Frames(ctx, store.Spaces, id(1), hash(n)); err == nil && len(rec) > 0 {
			known++
			require.GreaterOrEqual(t, n, 7)
		}
	}
	require.Equal(t, 3, known)
}

package state_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// shelf is a part that keeps account of the frames that it cannot read: names of those to be tried.
type shelf struct{ ready [][32]byte }

var _ state.Keeper = shelf{}

func (s shelf) Ready() [][32]byte { return s.ready }

func (s shelf) Encode(e *state.Encoder) {
	e.Uint32(uint32(len(s.ready)))
	for _, h := range s.ready {
		e.Fixed(h[:])
	}
}

func (shelf) Decode(d *state.Decoder) (s shelf, err error) {
	for range d.Count(100, 32) {
		s.ready = append(s.ready, [32]byte(d.Fixed(32)))
	}
	return s, d.Err()
}

func (s shelf) Succeeds(shelf) error { return nil }

var errLater = state.NewOutcome(state.Retain, "toy: later")

// The vault of a keeper tries the frames that it names, and no others; gives up those that the opener names and no others, in the
// same commit; and forgets what it gave up, so that it is received anew.
func TestKeeper(t *testing.T) {
	ctx, id := t.Context(), state.NewID()
	now := time.UnixMilli(1_800_000_000_000)
	v, err := state.Open[state.One[shelf]](ctx, store.NewMemory(), testKey(t, 1), state.Options{
		Now: func() time.Time { return now }, Retained: 1, RetainedSource: 1, ForgetEvery: -1,
	})
	require.NoError(t, err)
	first, err := state.NewOne(id, shelf{})
	require.NoError(t, err)
	require.NoError(t, v.Create(ctx, first, nil))

	frame := func(text string) state.Frame { return state.Frame{Source: "a", Data: []byte(text)} }
	tried := map[string]int{}
	readable := false
	open := func(tx *state.Tx[state.One[shelf]], f state.Frame) error {
		tried[string(f.Data)]++
		switch text := string(f.Data); {
		case text == "give up one":
			tx.Forget(frame("one").Hash())
			return nil
		case text == "finish two":
			got, ok, err := tx.Retained(frame("two").Hash())
			if err != nil || !ok || string(got.Data) != "two" {
				return state.ErrCorrupt
			}
			tx.Finish(frame("two").Hash())
			return nil
		case text == "three is ready":
			readable = true
			tx.Set(tx.Value().With(shelf{[][32]byte{frame("three").Hash()}}))
			return nil
		case text == "three" && readable:
			tx.Set(tx.Value().With(shelf{}))
			return nil
		case text == "no room":
			tx.Forget(f.Hash())
		}
		return errLater
	}
	receive := func(text string) state.Receipt {
		r, err := v.Receive(ctx, id, frame(text), open)
		require.NoError(t, err)
		return r
	}
	retained := func() int {
		p, err := v.Pending(ctx, id)
		require.NoError(t, err)
		return p.Retained
	}
	for _, text := range []string{"one", "two", "three"} {
		require.Equal(t, state.Retain, receive(text).Verdict)
	}
	now = now.Add(365 * 24 * time.Hour)
	_, err = v.Retry(ctx, id, open)
	require.NoError(t, err)
	require.Equal(t, 3, retained(), "no bound of the vault's own, in number or time")

	require.Equal(t, state.Read, receive("give up one").Verdict)
	require.Equal(t, 2, retained())
	require.Equal(t, state.Retain, receive("one").Verdict)
	require.Equal(t, 2, tried["one"], "it is received anew")
	require.Equal(t, 3, retained())

	require.Equal(t, [][32]byte{frame("two").Hash()}, receive("finish two").Acknowledge)
	require.ErrorIs(t, receive("two").Reason, state.ErrSeen)

	require.Equal(t, [][32]byte{frame("three").Hash()}, receive("three is ready").Acknowledge)
	require.Equal(t, map[string]int{"one": 2, "two": 1, "three": 2, "give up one": 1, "finish two": 1, "three is ready": 1}, tried)

	require.Equal(t, state.Retain, receive("no room").Verdict)
	require.Equal(t, state.Retain, receive("no room").Verdict)
	require.Equal(t, 2, tried["no room"])
	require.Equal(t, 1, retained())
}

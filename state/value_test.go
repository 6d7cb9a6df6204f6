package state_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/secret/secrettest"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// G1: the zero value and values with nil parts are refused wherever a value goes in.
func TestG1OnlyWholeValues(t *testing.T) {
	ctx := t.Context()
	v := openToys(t, store.NewMemory(), state.Options{})
	var zero toy
	require.ErrorIs(t, v.Create(ctx, zero, nil), state.ErrIncomplete)
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), nil))
	require.ErrorIs(t, v.Update(ctx, id(1), func(tx *state.Tx[toy]) error {
		tx.Set(toy{})
		return nil
	}), state.ErrIncomplete)

	_, err := state.New(state.ID{}, list{}, set{}, counter{})
	require.ErrorIs(t, err, state.ErrIncomplete, "no ID")
	_, err = state.New[*ptrPart](id(1), nil, set{}, counter{})
	require.ErrorIs(t, err, state.ErrIncomplete, "nil part")
	_, err = state.NewOne[*ptrPart](id(1), nil)
	require.ErrorIs(t, err, state.ErrIncomplete, "nil part")
	_, err = state.New(id(1), list{}, set{}, zeroPart{})
	require.ErrorIs(t, err, state.ErrIncomplete, "a part that says it is none")
	_, err = state.New(id(1), list{}, set{}, &zeroPtr{})
	require.ErrorIs(t, err, state.ErrIncomplete, "a pointer to what says it is none")
	_, err = state.NewOne(state.ID{}, set{})
	require.ErrorIs(t, err, state.ErrIncomplete, "no ID")
}

// ptrPart is a part whose type is a pointer, which can be nil.
type ptrPart struct{}

func (*ptrPart) Encode(*state.Encoder)                   {}
func (*ptrPart) Decode(*state.Decoder) (*ptrPart, error) { return new(ptrPart), nil }
func (*ptrPart) Succeeds(*ptrPart) error                 { return nil }

// zeroPart is a part whose zero value is no value.
type zeroPart struct{ n int }

func (zeroPart) Encode(*state.Encoder)                   { panic("encoded nothing") }
func (zeroPart) Decode(*state.Decoder) (zeroPart, error) { return zeroPart{1}, nil }
func (zeroPart) Succeeds(zeroPart) error                 { return nil }
func (z zeroPart) IsZero() bool                          { return z.n == 0 }

// zeroPtr is zeroPart as a pointer.
type zeroPtr struct{ n int }

func (*zeroPtr) Encode(*state.Encoder)                   { panic("encoded nothing") }
func (*zeroPtr) Decode(*state.Decoder) (*zeroPtr, error) { return &zeroPtr{1}, nil }
func (*zeroPtr) Succeeds(*zeroPtr) error                 { return nil }
func (z *zeroPtr) IsZero() bool                          { return z.n == 0 }

func TestWithKeepsTheOthers(t *testing.T) {
	s := newToy(t, id(1))
	next := s.WithState(s.State().with(7)).WithTemplate(s.Template().with("a")).WithEvals(s.Evals().next())
	require.Equal(t, id(1), next.ID())
	require.Equal(t, []uint64{7}, next.State().all())
	require.Equal(t, []string{"a"}, next.Template().names)
	require.EqualValues(t, 1, next.Evals().n)
	require.Empty(t, s.State().all(), "the value that was changed is as it was")
	require.True(t, next.WithState(s.State()).WithTemplate(s.Template()).WithEvals(s.Evals()).Equal(s))
}

func TestEqual(t *testing.T) {
	s := newToy(t, id(1))
	require.True(t, s.Equal(newToy(t, id(1))))
	require.False(t, s.Equal(newToy(t, id(2))))
	require.False(t, s.Equal(s.WithState(s.State().with(1))))
	require.False(t, s.Equal(s.WithTemplate(s.Template().with("x"))))
	require.False(t, s.Equal(s.WithEvals(s.Evals().next())))
	require.False(t, toy{}.Equal(toy{}), "nothing equals nothing")

	a, err := state.NewOne(id(1), set{[]string{"a"}})
	require.NoError(t, err)
	require.True(t, a.Equal(a.With(set{[]string{"a"}})))
	require.False(t, a.Equal(a.With(set{})))
}

// G6: values show nothing of what they hold.
func TestG6ValuesShowNothing(t *testing.T) {
	s := newToy(t, id(1))
	secrettest.Check(t, s, toyKey)
	one, err := state.NewOne(id(1), s.Evals())
	require.NoError(t, err)
	secrettest.Check(t, one, toyKey)
	raw := append(toyKey[8:], append(toyKey, toyKey[:8]...)...)
	k, err := state.NewKey(raw)
	require.NoError(t, err)
	secrettest.Check(t, k, raw)
}

// G6: what was read shows nothing on its way to the program.
func TestG6PlaintextInFlight(t *testing.T) {
	v := openToys(t, store.NewMemory(), state.Options{})
	plaintext := append([]byte("read: "), toyKey...)
	require.NoError(t, v.Create(t.Context(), newToy(t, id(1)), func(tx *state.Tx[toy]) error {
		tx.Deliver(plaintext)
		secrettest.Check(t, tx, plaintext)
		secrettest.Check(t, *tx, plaintext)
		return nil
	}))
	handed := 0
	require.NoError(t, v.Drain(t.Context(), id(1), func(_ context.Context, in state.Incoming) error {
		handed++
		secrettest.Check(t, in, plaintext)
		require.Equal(t, plaintext, in.Data())
		return nil
	}))
	require.Equal(t, 1, handed)
}

func TestIDs(t *testing.T) {
	n := state.NewID()
	got, err := store.ParseID(n.String())
	require.NoError(t, err)
	require.Equal(t, n, got)
	upper := "AA" + n.String()[2:]
	for _, bad := range []string{"", "00", n.String() + "00", n.String()[1:] + "g", upper} {
		_, err := store.ParseID(bad)
		require.Error(t, err, bad)
	}
	_, err = state.NewKey(make([]byte, 31))
	require.Error(t, err)
}

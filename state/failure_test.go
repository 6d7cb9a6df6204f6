package state_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/state/storetest"
)

// openCalls is how many calls Open makes on a store that is a vault already.
const openCalls = 1

// G4: whichever call of the store fails, before or after it was carried out, an operation is made or not made, the vault
// agrees with the backend, and the next try works. In the end everything happened once.
func TestG4EveryStoreCallFails(t *testing.T) {
	ctx := t.Context()
	for _, fault := range []storetest.Fault{storetest.Before, storetest.After} {
		for n := 1; ; n++ {
			backend := store.NewMemory()
			hit, opened := false, 0
			faulty := storetest.Fail(backend, func(c storetest.Call) storetest.Fault {
				if opened++; c.N == n+openCalls {
					hit = true
					return fault
				}
				return storetest.None
			})
			clean := openToys(t, backend, state.Options{})
			v := openToys(t, faulty, state.Options{})
			require.Equal(t, openCalls, opened)
			var wire, read []string
			// try repeats an operation until it is done, as a program does that looks after an error what is there.
			try := func(op func() error, isDone func() bool) {
				for range 3 {
					err := op()
					if err == nil {
						require.True(t, isDone())
						return
					}
					require.ErrorIs(t, err, storetest.ErrFault)
					mine, err := v.Load(ctx, id(1))
					fresh, ferr := clean.Load(ctx, id(1))
					require.Equal(t, ferr, err)
					require.True(t, err != nil || mine.Equal(fresh), "the vault agrees with the store")
					if isDone() {
						return
					}
				}
				t.Fatal("not done after three tries")
			}
			cursor := func() uint64 {
				s, err := clean.Load(ctx, id(1))
				if errors.Is(err, state.ErrNotFound) {
					return 0
				}
				require.NoError(t, err)
				return s.Evals().n
			}
			try(func() error { return v.Create(ctx, newToy(t, id(1)), push(0)) }, func() bool { return cursor() == 1 })
			for i := range 3 {
				try(func() error {
					return v.Update(ctx, id(1), func(tx *state.Tx[toy]) error {
						tx.Send("t", fmt.Append(nil, "update ", i))
						return push(0)(tx)
					})
				}, func() bool { return cursor() == uint64(i+2) })
			}
			for _, f := range []int{6, 5, 4, 4} {
				for {
					r, err := v.Receive(ctx, id(1), frame(f), inOrder)
					if err == nil {
						break
					}
					require.ErrorIs(t, err, storetest.ErrFault)
					require.NotEqual(t, state.Retain, r.Verdict, "an error never comes with a frame that is kept")
				}
			}
			for {
				if _, err := v.Flush(ctx, id(1), func(_ context.Context, o state.Outgoing) state.Delivery {
					if len(wire) == 0 || wire[len(wire)-1] != string(o.Data) {
						wire = append(wire, string(o.Data))
					}
					return state.Delivered()
				}); err == nil {
					break
				}
			}
			for last := uint64(0); ; {
				if err := v.Drain(ctx, id(1), func(_ context.Context, in state.Incoming) error {
					if in.Seq > last { // what was handed over before comes with the same number
						read, last = append(read, string(in.Data())), in.Seq
					}
					return nil
				}); err == nil {
					break
				}
			}
			require.Equal(t, []string{"update 0", "update 1", "update 2", "4", "5", "6"}, wire, "call %d", n)
			require.Equal(t, []string{"4", "5", "6"}, read, "call %d", n)
			require.EqualValues(t, 7, cursor())
			if !hit {
				require.Greater(t, n, 40, "the script makes that many calls")
				break
			}
		}
	}
}

// A commit that was carried out although the store reported an error is found out.
func TestHiddenCommit(t *testing.T) {
	ctx := t.Context()
	backend := store.NewMemory()
	v := openToys(t, storetest.Fail(backend, func(c storetest.Call) storetest.Fault {
		if c.Method == "Commit" {
			return storetest.After
		}
		return storetest.None
	}), state.Options{})
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), nil))
	require.NoError(t, v.Update(ctx, id(1), push(1)))
	s, err := v.Load(ctx, id(1))
	require.NoError(t, err)
	require.Equal(t, []uint64{1}, s.State().all())
}

// A store that fails in a commit and cannot be asked afterwards leaves the caller in doubt, and says so.
func TestUncertain(t *testing.T) {
	ctx := t.Context()
	backend := store.NewMemory()
	down := false
	faulty := storetest.Fail(backend, func(c storetest.Call) storetest.Fault {
		if c.Method == "Commit" {
			down = true
			return storetest.After
		}
		if down {
			return storetest.Before
		}
		return storetest.None
	})
	require.NoError(t, openToys(t, backend, state.Options{}).Create(ctx, newToy(t, id(1)), nil))
	v := openToys(t, faulty, state.Options{})
	err := v.Update(ctx, id(1), push(1))
	require.ErrorIs(t, err, state.ErrUncertain)
	require.ErrorIs(t, err, storetest.ErrFault)
	down = false
	s, err := v.Load(ctx, id(1))
	require.NoError(t, err)
	require.EqualValues(t, 1, s.Evals().n)
}

// After a failure that changed nothing the vault says that it is certain, also of a value that does not exist.
func TestCertain(t *testing.T) {
	ctx := t.Context()
	down := false
	v := openToys(t, storetest.Fail(store.NewMemory(), func(c storetest.Call) storetest.Fault {
		if down && c.Method == "Commit" {
			return storetest.Before
		}
		return storetest.None
	}), state.Options{})
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), nil))
	down = true
	for _, err := range []error{v.Update(ctx, id(1), push(1)), v.Create(ctx, newToy(t, id(2)), nil), v.Delete(ctx, id(1))} {
		require.ErrorIs(t, err, storetest.ErrFault)
		require.NotErrorIs(t, err, state.ErrUncertain)
	}
}

// A caller whose context ends during a commit is told the truth about it.
func TestContextEndsInCommit(t *testing.T) {
	backend := store.NewMemory()
	require.NoError(t, openToys(t, backend, state.Options{}).Create(t.Context(), newToy(t, id(1)), nil))
	for _, fault := range []storetest.Fault{storetest.Before, storetest.After} {
		ctx, cancel := context.WithCancel(t.Context())
		v := openToys(t, storetest.Fail(backend, func(c storetest.Call) storetest.Fault {
			if c.Method == "Commit" {
				defer cancel()
				return fault
			}
			return storetest.None
		}), state.Options{})
		before, err := v.Load(ctx, id(1))
		require.NoError(t, err)
		err = v.Update(ctx, id(1), push(1))
		after, lerr := v.Load(t.Context(), id(1))
		require.NoError(t, lerr)
		if fault == storetest.Before {
			require.Error(t, err)
			require.True(t, after.Equal(before))
		} else {
			// The memory store refuses an ended context, so nothing was carried out here either.
			require.Equal(t, err != nil, after.Equal(before))
		}
	}
}

// lateStore is a store in which the caller's context ends when a commit has been made, and which says only that.
type lateStore struct {
	store.Store
	cancel func()
}

func (s lateStore) Commit(ctx context.Context, changes ...store.Change) error {
	if err := s.Store.Commit(ctx, changes...); err != nil {
		return err
	}
	s.cancel()
	return ctx.Err()
}

// A commit that was made when the caller's context ended is found out about with another context.
func TestContextEndsAfterCommit(t *testing.T) {
	backend := store.NewMemory()
	require.NoError(t, openToys(t, backend, state.Options{}).Create(t.Context(), newToy(t, id(1)), nil))
	ctx, cancel := context.WithCancel(t.Context())
	v := openToys(t, lateStore{backend, cancel}, state.Options{})
	require.NoError(t, v.Update(ctx, id(1), push(1)))
	require.Error(t, ctx.Err())
}

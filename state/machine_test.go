package state_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/state/storetest"
)

// model is what a row of toys should hold.
type model struct {
	entries  []uint64
	cursor   uint64
	outbox   []string
	inbox    []string
	retained []int
	settled  map[int]bool
}

func (m model) clone() model {
	m.entries, m.outbox, m.inbox = slices.Clone(m.entries), slices.Clone(m.outbox), slices.Clone(m.inbox)
	m.retained, m.settled = slices.Clone(m.retained), maps.Clone(m.settled)
	return m
}

// read is what inOrder does with frame n when its time has come.
func (m model) read(n int) model {
	m = m.clone()
	m.entries = append(m.entries, uint64(n))
	m.cursor++
	m.outbox = append(m.outbox, "acks:"+fmt.Sprint(n))
	m.inbox = append(m.inbox, fmt.Sprint(n))
	m.settled[n] = true
	m.retained = slices.DeleteFunc(m.retained, func(r int) bool { return r == n })
	return m
}

// machine runs random operations on a vault whose store fails now and then, and compares with the model.
type machine struct {
	store  *store.Memory
	faults map[int]storetest.Fault // by number of calls from now
	calls  int
	v      *state.Vault[toy]
	clean  *state.Vault[toy]
	m      model
	next   int // for texts
}

func (x *machine) open(t *rapid.T) {
	faulty := storetest.Fail(x.store, func(storetest.Call) storetest.Fault {
		x.calls++
		return x.faults[x.calls]
	})
	v, err := state.Open[toy](context.Background(), faulty, x.key(t), state.Options{})
	require.NoError(t, err)
	x.v = v
}

func (x *machine) key(t *rapid.T) state.Key {
	k, err := state.NewKey(make([]byte, state.KeySize))
	require.NoError(t, err)
	return k
}

// holds reports whether the store holds what m says.
func (x *machine) holds(t *rapid.T, m model) bool {
	ctx := context.Background()
	s, err := x.clean.Load(ctx, id(1))
	require.NoError(t, err)
	row, err := x.store.Load(ctx, store.Spaces, id(1))
	require.NoError(t, err)
	var retained []int
	for _, rec := range row.Retained {
		for n := range 100 {
			if hash(n) == rec.Hash {
				retained = append(retained, n)
			}
		}
	}
	for n := range 40 {
		rec, err := x.store.Frames(ctx, store.Spaces, id(1), hash(n))
		require.NoError(t, err)
		if (len(rec) > 0 && rec[0].Data == nil) != m.settled[n] {
			return false
		}
	}
	return slices.Equal(s.State().all(), m.entries) && s.Evals().n == m.cursor && slices.Equal(retained, m.retained) &&
		len(row.Outbox) == len(m.outbox) && len(row.Inbox) == len(m.inbox)
}

// settle finds which of the steps of an operation was reached; without an error it must be the last one.
func (x *machine) settle(t *rapid.T, err error, steps ...model) {
	if err == nil {
		require.True(t, x.holds(t, steps[len(steps)-1]), "the operation says it was made")
		x.m = steps[len(steps)-1]
		return
	}
	require.ErrorIs(t, err, storetest.ErrFault)
	for _, m := range slices.Backward(steps) {
		if x.holds(t, m) {
			x.m = m
			return
		}
	}
	t.Fatal("the store holds part of an operation")
}

// learn is push for whom retained frames wait.
func learn(n uint64) func(*state.Tx[toy]) error {
	return func(tx *state.Tx[toy]) error {
		tx.RetryRetained()
		return push(n)(tx)
	}
}

// plan makes calls of the next operation fail.
func (x *machine) plan(t *rapid.T) {
	x.calls, x.faults = 0, map[int]storetest.Fault{}
	for range rapid.IntRange(0, 2).Draw(t, "faults") {
		x.faults[rapid.IntRange(1, 8).Draw(t, "call")] = rapid.SampledFrom([]storetest.Fault{storetest.Before, storetest.After}).Draw(t, "fault")
	}
}

// create, update, conflict, receive, retain, settle, send, drain, reopen, with crashes between any two store calls: in the
// end the vault agrees with the model (G1, G3, G4, G7, G8, G9).
func TestVaultAgreesWithModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		x := &machine{store: store.NewMemory(), m: model{settled: map[int]bool{}}}
		x.open(t)
		var err error
		x.clean, err = state.Open[toy](context.Background(), x.store, x.key(t), state.Options{Cache: 1})
		require.NoError(t, err)
		first, err := state.New(id(1), list{}, set{}, counter{})
		require.NoError(t, err)
		require.NoError(t, x.v.Create(ctx, first, nil))

		t.Repeat(map[string]func(*rapid.T){
			"create": func(t *rapid.T) {
				require.ErrorIs(t, x.clean.Create(ctx, first, nil), state.ErrExists)
			},
			"update": func(t *rapid.T) {
				x.plan(t)
				conflicts := rapid.IntRange(0, 2).Draw(t, "conflicts")
				after, steps := x.m.clone(), []model{x.m}
				x.next++
				text := fmt.Sprint("text ", x.next)
				err := x.v.Update(ctx, id(1), func(tx *state.Tx[toy]) error {
					if conflicts > 0 { // somebody else commits first
						conflicts--
						require.NoError(t, x.clean.Update(ctx, id(1), learn(77)))
						after.entries, after.cursor = append(after.entries, 77), after.cursor+1
						steps = append(steps, after.clone())
					}
					tx.Send("t", []byte(text))
					return learn(uint64(len(text)))(tx)
				})
				after = after.clone()
				after.entries, after.cursor = append(after.entries, uint64(len(text))), after.cursor+1
				after.outbox = append(after.outbox, "t:"+text)
				require.True(t, err != nil || conflicts == 0, "the function ran again after each conflict")
				x.settle(t, err, append(steps, after)...)
			},
			"receive": func(t *rapid.T) {
				x.plan(t)
				n := int(x.m.cursor) + rapid.IntRange(-3, 4).Draw(t, "distance")
				if n < 0 || n >= 40 {
					return
				}
				m := x.m
				steps := []model{m}
				switch {
				case m.settled[n] || slices.Contains(m.retained, n):
				case n == int(m.cursor):
					m = m.read(n)
					steps = append(steps, m)
				default:
					m = m.clone()
					m.retained = append(m.retained, n)
					steps = append(steps, m)
				}
				// Whatever moved the cursor has learned something, so what can be read of the retained frames follows.
				for slices.Contains(m.retained, int(m.cursor)) {
					m = m.read(int(m.cursor))
					steps = append(steps, m)
				}
				_, err := x.v.Receive(ctx, id(1), frame(n), inOrder)
				x.settle(t, err, steps...)
			},
			"flush": func(t *rapid.T) {
				x.plan(t)
				stop := rapid.IntRange(0, 5).Draw(t, "stop")
				var got []string
				_, err := x.v.Flush(ctx, id(1), func(_ context.Context, o state.Outgoing) state.Delivery {
					if len(got) == stop {
						return state.RetryAfter(1)
					}
					got = append(got, o.To+":"+string(o.Data))
					return state.Delivered()
				})
				require.True(t, len(got) <= len(x.m.outbox) && slices.Equal(x.m.outbox[:len(got)], got), "first in, first out")
				steps := []model{x.m}
				for i := range got {
					m := x.m.clone()
					m.outbox = m.outbox[i+1:]
					steps = append(steps, m)
				}
				x.settle(t, err, steps...)
			},
			"drain": func(t *rapid.T) {
				x.plan(t)
				var got []string
				err := x.v.Drain(ctx, id(1), func(_ context.Context, in state.Incoming) error {
					got = append(got, string(in.Data))
					return nil
				})
				require.True(t, len(got) <= len(x.m.inbox) && slices.Equal(x.m.inbox[:len(got)], got))
				steps := []model{x.m}
				for i := range got {
					m := x.m.clone()
					m.inbox = m.inbox[i+1:]
					steps = append(steps, m)
				}
				x.settle(t, err, steps...)
			},
			"reopen": func(t *rapid.T) { x.open(t) },
			"": func(t *rapid.T) {
				x.faults = nil
				require.True(t, x.holds(t, x.m))
				mine, err := x.v.Load(ctx, id(1))
				require.NoError(t, err)
				fresh, err := x.clean.Load(ctx, id(1))
				require.NoError(t, err)
				require.True(t, mine.Equal(fresh))
			},
		})
	})
}

// The list of reasons a vault has is closed, and each says what it means.
func TestReasons(t *testing.T) {
	for err, want := range map[error]state.Verdict{
		nil: state.Read, state.ErrSeen: state.Discard, state.ErrTooLarge: state.Discard, state.ErrRetained: state.Retain,
		fmt.Errorf("wrapped: %w", errNotYet): state.Retain, errors.New("other"): state.Stop, state.ErrFull: state.Stop,
	} {
		require.Equal(t, want, state.VerdictOf(err))
	}
	var names []string
	for _, v := range []state.Verdict{state.Read, state.Discard, state.Retain, state.Stop} {
		names = append(names, v.String())
	}
	require.Equal(t, "read discard retain stop", strings.Join(names, " "))
}

package state_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// tamper changes what lies beside the row of ID 1 by a change of the store alone, without a vault: the head stays as sealed.
func tamper(t *testing.T, backend *store.Memory, alter func(store.Row, *store.Change)) {
	row, err := backend.Load(t.Context(), store.Spaces, id(1))
	require.NoError(t, err)
	remove := store.Change{Kind: store.Spaces, ID: id(1), Base: row.Head, Delete: true}
	again := store.Change{Kind: store.Spaces, ID: id(1), Revive: true, Parts: row.Parts, Put: row.Segments}
	for _, h := range row.Outbox {
		items, err := backend.Items(t.Context(), store.Spaces, id(1), store.Outbox, h.Seq)
		require.NoError(t, err)
		again.Outbox = append(again.Outbox, items...)
	}
	for _, h := range row.Inbox {
		items, err := backend.Items(t.Context(), store.Spaces, id(1), store.Inbox, h.Seq)
		require.NoError(t, err)
		again.Inbox = append(again.Inbox, items...)
	}
	for _, f := range row.Retained {
		records, err := backend.Frames(t.Context(), store.Spaces, id(1), f.Hash)
		require.NoError(t, err)
		again.Frames = append(again.Frames, records...)
	}
	alter(row, &again)
	require.NoError(t, backend.Commit(t.Context(), remove))
	version := row.Head.Version
	for v := uint64(1); v <= version; v++ { // up to the version that the head is bound to
		c := again
		if v < version {
			c.Put, c.Outbox, c.Inbox, c.Frames = nil, nil, nil, nil
		}
		if v > 1 {
			c.Base, c.Revive = store.Head{Version: v - 1, Sealed: []byte("filler")}, false
		}
		c.Next = store.Head{Version: v, Sealed: []byte("filler")}
		if v == version {
			c.Next = row.Head
		}
		require.NoError(t, backend.Commit(t.Context(), c))
	}
}

// filled returns a vault with a value of ID 1 that has items in both queues and retained frames.
func filled(t *testing.T) (*store.Memory, *state.Vault[toy]) {
	backend := store.NewMemory()
	v := openToys(t, backend, state.Options{})
	require.NoError(t, v.Create(t.Context(), newToy(t, id(1)), nil))
	fill(t, v)
	return backend, v
}

func fill(t *testing.T, v *state.Vault[toy]) {
	require.NoError(t, v.Update(t.Context(), id(1), func(tx *state.Tx[toy]) error {
		for _, text := range []string{"one", "two", "three"} {
			tx.Send("t", []byte(text))
			tx.Deliver([]byte(text))
		}
		return push(1)(tx)
	}))
	for n := range 3 {
		_, err := v.Receive(t.Context(), id(1), frame(10+n), inOrder)
		require.NoError(t, err)
	}
}

// G7, G8: nothing of what is held can be dropped, put back or marked as done behind the vault's back.
func TestHeldThingsAreCovered(t *testing.T) {
	for name, alter := range map[string]func(store.Row, *store.Change){
		"an item of the outbox dropped": func(_ store.Row, c *store.Change) { c.Outbox = c.Outbox[1:] },
		"the last item dropped":         func(_ store.Row, c *store.Change) { c.Outbox = c.Outbox[:2] },
		"an item of the inbox dropped":  func(_ store.Row, c *store.Change) { c.Inbox = c.Inbox[:1] },
		"a retained frame dropped":      func(_ store.Row, c *store.Change) { c.Frames = c.Frames[1:] },
		"a retained frame marked done":  func(_ store.Row, c *store.Change) { c.Frames[1].Data = nil },
		"an item added": func(_ store.Row, c *store.Change) {
			c.Inbox = append(c.Inbox, store.Item{Seq: 9, Data: c.Inbox[0].Data})
		},
		"an item renumbered": func(_ store.Row, c *store.Change) { c.Outbox[2].Seq = 7 },
		"frames exchanged": func(_ store.Row, c *store.Change) {
			c.Frames[0].Seq, c.Frames[1].Seq = c.Frames[1].Seq, c.Frames[0].Seq
		},
	} {
		t.Run(name, func(t *testing.T) {
			backend, _ := filled(t)
			tamper(t, backend, alter)
			v := openToys(t, backend, state.Options{})
			_, err := v.Load(t.Context(), id(1))
			require.ErrorIs(t, err, state.ErrCorrupt)
			_, err = v.Flush(t.Context(), id(1), func(context.Context, state.Outgoing) state.Delivery {
				t.Error("sent")
				return state.Delivered()
			})
			require.ErrorIs(t, err, state.ErrCorrupt)
			_, err = v.Receive(t.Context(), id(1), frame(0), inOrder)
			require.ErrorIs(t, err, state.ErrCorrupt)
		})
	}
	backend, v := filled(t)
	tamper(t, backend, func(store.Row, *store.Change) {})
	_, err := openToys(t, backend, state.Options{}).Load(t.Context(), id(1))
	require.NoError(t, err, "the tool alone damages nothing")

	// What was taken out cannot be put back.
	var old []store.Item
	for _, h := range []uint64{1, 2, 3} {
		items, err := backend.Items(t.Context(), store.Spaces, id(1), store.Outbox, h)
		require.NoError(t, err)
		old = append(old, items...)
	}
	require.Equal(t, []string{"t:one", "t:two", "t:three"}, sent(t, v, id(1)))
	tamper(t, backend, func(_ store.Row, c *store.Change) { c.Outbox = old })
	_, err = openToys(t, backend, state.Options{}).Load(t.Context(), id(1))
	require.ErrorIs(t, err, state.ErrCorrupt)
}

// Two incarnations of one ID share nothing: items, frames and parts of the one do not open in the other.
func TestIncarnationsAreApart(t *testing.T) {
	backend, v := filled(t)
	row, err := backend.Load(t.Context(), store.Spaces, id(1))
	require.NoError(t, err)
	old := store.Change{}
	for _, h := range row.Outbox {
		items, err := backend.Items(t.Context(), store.Spaces, id(1), store.Outbox, h.Seq)
		require.NoError(t, err)
		old.Outbox = append(old.Outbox, items...)
	}
	records, err := backend.Frames(t.Context(), store.Spaces, id(1), row.Retained[0].Hash)
	require.NoError(t, err)
	require.NoError(t, v.Delete(t.Context(), id(1)))
	require.ErrorIs(t, v.Create(t.Context(), newToy(t, id(1)), nil), state.ErrDeleted, "an old value does not come back by itself")
	require.ErrorIs(t, v.Create(t.Context(), newToy(t, id(1)), nil), state.ErrNotFound)
	require.NoError(t, v.Revive(t.Context(), newToy(t, id(1)), nil))
	fill(t, v)

	var damaged recorded
	tamper(t, backend, func(_ store.Row, c *store.Change) {
		c.Outbox[0] = old.Outbox[0]
		c.Frames[0].Data = records[0].Data
	})
	w := openToys(t, backend, state.Options{Events: damaged.add})
	require.Equal(t, []string{"t:two", "t:three"}, sent(t, w, id(1)), "what is behind it goes on")
	require.Equal(t, recorded{"state.Damaged"}, damaged)
	tamper(t, backend, func(_ store.Row, c *store.Change) { c.Parts[2] = row.Parts[2] })
	_, err = openToys(t, backend, state.Options{}).Load(t.Context(), id(1))
	require.ErrorIs(t, err, state.ErrCorrupt)
}

// G35: a damaged retained frame is reported and holds up neither those behind it nor new ones.
func TestG35DamagedFrame(t *testing.T) {
	backend, _ := filled(t)
	tamper(t, backend, func(_ store.Row, c *store.Change) { c.Frames[0].Data[40] ^= 1 })
	var events recorded
	v := openToys(t, backend, state.Options{Events: events.add})
	require.NoError(t, v.Update(t.Context(), id(1), func(tx *state.Tx[toy]) error {
		for tx.Value().Evals().n < 11 {
			tx.Set(tx.Value().WithEvals(tx.Value().Evals().next()))
		}
		tx.RetryRetained()
		return nil
	}))
	ack, err := v.Retry(t.Context(), id(1), inOrder)
	require.NoError(t, err)
	require.Equal(t, [][32]byte{hash(11), hash(12)}, ack)
	require.Contains(t, events, "state.Damaged")

	// It was never acknowledged, so it comes again, and is received as if it had not come before.
	r, err := v.Receive(t.Context(), id(1), frame(10), inOrder)
	require.NoError(t, err)
	require.Equal(t, state.Retain, r.Verdict)
	require.ErrorIs(t, r.Reason, errNotYet)
	r, err = v.Receive(t.Context(), id(1), frame(10), inOrder)
	require.NoError(t, err)
	require.ErrorIs(t, r.Reason, state.ErrRetained)
	_, err = openToys(t, backend, state.Options{}).Load(t.Context(), id(1))
	require.NoError(t, err)
	_, err = v.Receive(t.Context(), id(1), frame(90), inOrder)
	require.NoError(t, err)
}

// refusing shows a head and refuses it, as a database does whose column is damaged.
type refusing struct {
	store.Store
	commits int
}

func (r *refusing) Commit(ctx context.Context, changes ...store.Change) error {
	if changes[len(changes)-1].Action() == store.Create {
		return r.Store.Commit(ctx, changes...)
	}
	r.commits++
	return &store.ChangeError{Index: len(changes) - 1, Err: store.ErrConflict}
}

// G35: a head that the store returns and does not accept is damage, and no reason to try for ever.
func TestRefusedHead(t *testing.T) {
	ctx := t.Context()
	backend := &refusing{Store: store.NewMemory()}
	v := openToys(t, backend, state.Options{})
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), nil))
	require.ErrorIs(t, v.Update(ctx, id(1), push(1)), state.ErrCorrupt)
	require.Equal(t, 2, backend.commits)
	require.ErrorIs(t, v.Delete(ctx, id(1)), state.ErrCorrupt)
	require.NoError(t, v.Create(ctx, newToy(t, id(2)), nil))
	require.ErrorIs(t, state.Batch(ctx, v.Updating(id(2), push(1)), v.Updating(id(1), push(1))), state.ErrCorrupt)
}

// undecided fails and does not know whether it has committed.
type undecided struct {
	store.Store
	make bool
}

func (u *undecided) Commit(ctx context.Context, changes ...store.Change) error {
	if changes[len(changes)-1].Action() == store.Create {
		return u.Store.Commit(ctx, changes...)
	}
	if u.make {
		_ = u.Store.Commit(ctx, changes...)
	}
	return store.ErrUndecided
}

// G4: after a commit that is not decided, a vault claims only what it sees.
func TestUndecidedCommit(t *testing.T) {
	ctx := t.Context()
	backend := &undecided{Store: store.NewMemory()}
	v := openToys(t, backend, state.Options{})
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), nil))
	require.ErrorIs(t, v.Update(ctx, id(1), push(1)), state.ErrUncertain, "it may land later")
	backend.make = true
	require.NoError(t, v.Update(ctx, id(1), push(1)), "it is there")
}

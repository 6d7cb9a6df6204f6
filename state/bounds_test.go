package state_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// G25: the queues are bounded in bytes. What does not fit comes again, and an empty queue takes an item of any length.
func TestG25QueuesAreBoundedInBytes(t *testing.T) {
	ctx := t.Context()
	const bound = 3000
	v := openToys(t, store.NewMemory(), state.Options{OutboxBytes: bound, InboxBytes: bound})
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), nil))
	long, short := bytes.Repeat([]byte("l"), 2*bound), bytes.Repeat([]byte("s"), 100)

	send := func(frames ...[]byte) error {
		return v.Update(ctx, id(1), func(tx *state.Tx[toy]) error {
			for _, f := range frames {
				tx.Send("t", f)
			}
			return nil
		})
	}
	require.ErrorIs(t, send(long, short), state.ErrFull)
	require.NoError(t, send(long))
	require.ErrorIs(t, send(short), state.ErrFull)
	require.Equal(t, []string{"t:" + string(long)}, sent(t, v, id(1)))
	n := 0
	for ; send(short) == nil; n++ {
		require.Less(t, n, bound/len(short))
	}
	require.Greater(t, n, bound/len(short)/2, "what sealing adds counts, too")
	require.ErrorIs(t, send(long), state.ErrFull)

	deliver := func(tx *state.Tx[toy], f state.Frame) error {
		tx.Deliver(f.Data)
		return nil
	}
	receipts, err := v.ReceiveAll(ctx, id(1), []state.Frame{{Data: short}, {Data: long}}, deliver)
	require.NoError(t, err)
	require.Equal(t, state.Read, receipts[0].Verdict)
	require.Equal(t, state.Receipt{Verdict: state.Stop, Reason: state.ErrFull}, receipts[1])
	require.Equal(t, []string{string(short)}, drained(t, v, id(1)))
	r, err := v.Receive(ctx, id(1), state.Frame{Data: long}, deliver)
	require.NoError(t, err)
	require.Equal(t, state.Read, r.Verdict)
	require.Equal(t, []string{string(long)}, drained(t, v, id(1)))

	require.Error(t, send(make([]byte, state.MaxFrame+1)))
}

// handing is a store that knows how many bytes one call has handed out at most, and of how many things these were.
type handing struct {
	store.Store
	most, things int
}

func (h *handing) Items(ctx context.Context, k store.Kind, id store.ID, q store.Queue, seqs ...uint64) ([]store.Item, error) {
	items, err := h.Store.Items(ctx, k, id, q, seqs...)
	n := 0
	for _, it := range items {
		n += len(it.Data)
	}
	h.note(n, len(items))
	return items, err
}

func (h *handing) Frames(ctx context.Context, k store.Kind, id store.ID, hashes ...[32]byte) ([]store.FrameRecord, error) {
	records, err := h.Store.Frames(ctx, k, id, hashes...)
	n := 0
	for _, r := range records {
		n += len(r.Data)
	}
	h.note(n, len(records))
	return records, err
}

func (h *handing) note(bytes, things int) {
	if bytes > h.most {
		h.most, h.things = bytes, things
	}
}

// G25: nobody reads more than a megabyte of a queue or of the retained frames at once, or one that is larger.
func TestG25PagesAreBounded(t *testing.T) {
	ctx := t.Context()
	for name, size := range map[string]int{"many in a page": 300 << 10, "larger than a page": 1100 << 10} {
		t.Run(name, func(t *testing.T) {
			backend := &handing{Store: store.NewMemory()}
			v := openToys(t, backend, state.Options{ForgetEvery: -1})
			require.NoError(t, v.Create(ctx, newToy(t, id(1)), nil))
			for n := range byte(5) {
				data := bytes.Repeat([]byte{n}, size)
				require.NoError(t, v.Update(ctx, id(1), func(tx *state.Tx[toy]) error {
					tx.Send("t", data)
					tx.Deliver(data)
					return nil
				}))
				_, err := v.Receive(ctx, id(1), state.Frame{Data: data}, never)
				require.NoError(t, err)
			}
			retry := func() error {
				require.NoError(t, v.Update(ctx, id(1), func(tx *state.Tx[toy]) error { tx.RetryRetained(); return nil }))
				_, err := v.Retry(ctx, id(1), never)
				return err
			}
			inspect := func() error { _, err := v.Inspect(ctx, id(1)); return err }
			index := func() error { // in a vault that has not read them yet
				_, err := openToys(t, backend, state.Options{}).Receive(ctx, id(1), frame(9), never)
				return err
			}
			for what, do := range map[string]func() error{
				"retry": retry, "index": index, "inspect": inspect,
				"discard": func() error { return v.DiscardDamaged(ctx, id(1)) },
				"forget":  func() error { return v.Forget(ctx) },
			} {
				backend.most = 0
				require.NoError(t, do())
				requirePage(t, backend, what)
			}
			backend.most = 0
			require.Len(t, drained(t, v, id(1)), 5)
			requirePage(t, backend, "drain")
			backend.most = 0
			require.Len(t, sent(t, v, id(1)), 5)
			requirePage(t, backend, "flush")
		})
	}
}

func requirePage(t *testing.T, h *handing, what string) {
	t.Helper()
	require.NotZero(t, h.most, what)
	require.True(t, h.most <= 1<<20 || h.things == 1, "%s: %d bytes of %d things at once", what, h.most, h.things)
}

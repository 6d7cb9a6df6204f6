package state_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// G35: what is damaged in a queue or among the retained frames is stepped over until it is discarded; what is not stays. So it is
// whatever byte is hit: the format, the name of the key, the nonce, the text.
func TestG35DiscardDamaged(t *testing.T) {
	ctx := t.Context()
	for _, at := range []int{1, 5, 20, 40} {
		backend, _ := filled(t)
		var frames int
		tamper(t, backend, func(row store.Row, c *store.Change) {
			c.Outbox[1].Data[at] ^= 1
			c.Frames[0].Data[at] ^= 1
			frames = len(row.Retained)
		})
		var events recorded
		v := openToys(t, backend, state.Options{Events: events.add})
		require.Equal(t, []string{"t:one", "t:three"}, sent(t, v, id(1)))
		require.Contains(t, events, "state.Damaged")
		row, err := backend.Load(ctx, store.Spaces, id(1))
		require.NoError(t, err)
		require.Len(t, row.Outbox, 1)
		require.NotEmpty(t, row.Inbox)
		inbox := len(row.Inbox)

		require.NoError(t, v.DiscardDamaged(ctx, id(1)))
		row, err = backend.Load(ctx, store.Spaces, id(1))
		require.NoError(t, err)
		require.Empty(t, row.Outbox)
		require.Len(t, row.Inbox, inbox)
		require.Len(t, row.Retained, frames-1)
		before := len(events)
		require.Empty(t, sent(t, v, id(1)))
		require.NoError(t, openToys(t, backend, state.Options{}).DiscardDamaged(ctx, id(1)))
		require.Len(t, events, before, "nothing is damaged any more")
	}
}

// G25: a value that receives nothing gives up what it retained too long as well.
func TestG25QuietVaultGivesUp(t *testing.T) {
	ctx := t.Context()
	now := time.UnixMilli(1_795_000_000_000)
	backend := &counting{Store: store.NewMemory()}
	var events recorded
	v := openToys(t, backend, state.Options{Events: events.add, Now: func() time.Time { return now }, ForgetEvery: -1})
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), nil))
	for n := range 3 {
		_, err := v.Receive(ctx, id(1), frame(n+5), inOrder)
		require.NoError(t, err)
		now = now.Add(24 * time.Hour)
	}
	require.Zero(t, backend.commits(func() {
		ack, err := v.Retry(ctx, id(1), inOrder)
		require.NoError(t, err)
		require.Empty(t, ack)
	}))
	now = now.Add(5*24*time.Hour + time.Hour) // eight days after the first, six after the last
	events = nil
	ack, err := v.Retry(ctx, id(1), inOrder)
	require.NoError(t, err)
	require.Empty(t, ack, "they come again")
	require.Equal(t, recorded{"state.FrameGivenUp", "state.FrameGivenUp"}, events)
	row, err := backend.Load(ctx, store.Spaces, id(1))
	require.NoError(t, err)
	require.Len(t, row.Retained, 1)
}

// G35: a damaged item of the inbox is stepped over, and stays damaged when everything is sealed anew, until it is discarded.
func TestG35DamagedInbox(t *testing.T) {
	ctx := t.Context()
	backend, _ := filled(t)
	tamper(t, backend, func(_ store.Row, c *store.Change) { c.Inbox[1].Data[40] ^= 1 })
	var events recorded
	v := openToys(t, backend, state.Options{Events: events.add})
	require.Equal(t, []string{"one", "three"}, drained(t, v, id(1)))
	require.NoError(t, v.Forget(ctx))
	require.Empty(t, drained(t, v, id(1)))
	require.Contains(t, events, "state.Damaged")
	p, err := v.Pending(ctx, id(1))
	require.NoError(t, err)
	require.Equal(t, 1, p.Inbox)
	require.NoError(t, v.DiscardDamaged(ctx, id(1)))
	p, err = v.Pending(ctx, id(1))
	require.NoError(t, err)
	require.Zero(t, p.Inbox)
}

// G25: what is given up because its time is over makes no room for another source, and however much it is, it goes in one call.
func TestExpiredOfManySources(t *testing.T) {
	ctx := t.Context()
	now := time.UnixMilli(1_795_000_000_000)
	backend := store.NewMemory()
	v := openToys(t, backend, state.Options{RetainedSource: 2, Now: func() time.Time { return now }, ForgetEvery: -1})
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), nil))
	receive := func(source string, n int) {
		r, err := v.Receive(ctx, id(1), state.Frame{Source: source, Data: fmt.Append(nil, n)}, inOrder)
		require.NoError(t, err)
		require.Equal(t, state.Retain, r.Verdict)
	}
	retained := func() int {
		row, err := backend.Load(ctx, store.Spaces, id(1))
		require.NoError(t, err)
		return len(row.Retained)
	}
	receive("one", 10)
	now = now.Add(4 * 24 * time.Hour)
	receive("other", 11)
	receive("other", 12)
	now = now.Add(4 * 24 * time.Hour)
	receive("other", 13)
	require.Equal(t, 2, retained(), "of the other, and none of the one")

	const many = 1100 // more than go in one commit
	var frames []state.Frame
	for n := range many {
		frames = append(frames, state.Frame{Source: fmt.Sprint(n), Data: fmt.Append(nil, 100+n)})
	}
	_, err := v.ReceiveAll(ctx, id(1), frames, inOrder)
	require.NoError(t, err)
	require.Equal(t, 2+many, retained())
	now = now.Add(8 * 24 * time.Hour)
	_, err = v.Retry(ctx, id(1), inOrder)
	require.NoError(t, err)
	require.Zero(t, retained())
}

// G25: a frame that is larger than all that may be retained drives out no other.
func TestTooLargeToRetain(t *testing.T) {
	ctx := t.Context()
	backend := store.NewMemory()
	v := openToys(t, backend, state.Options{RetainedBytes: 100})
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), nil))
	for _, f := range []state.Frame{frame(10), {Data: fmt.Appendf(nil, "%0101d", 11)}} {
		_, err := v.Receive(ctx, id(1), f, inOrder)
		require.NoError(t, err)
	}
	row, err := backend.Load(ctx, store.Spaces, id(1))
	require.NoError(t, err)
	require.Len(t, row.Retained, 1)
	require.Equal(t, hash(10), row.Retained[0].Hash)
}

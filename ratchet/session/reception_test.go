package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/state/storetest"
)

// counted is a store that counts its commits.
type counted struct {
	store.Store
	commits int
}

func (c *counted) Commit(ctx context.Context, changes ...store.Change) error {
	c.commits++
	return c.Store.Commit(ctx, changes...)
}

// through lets a resident begin again on its store as another one shows it.
func (r *resident) through(s store.Store) *resident {
	r.station.store = s
	r.station.open()
	return r.town.open(r.station)
}

// waiting returns what waits for a resident, by mailbox.
func (r *resident) waiting() (frames []state.Frame) {
	mailboxes, err := r.Mailboxes(r.t.Context())
	require.NoError(r.t, err)
	for _, m := range mailboxes {
		for _, f := range r.town.mailboxes[m] {
			frames = append(frames, state.Frame{Source: m.String(), Data: f})
		}
		delete(r.town.mailboxes, m)
	}
	return frames
}

func (r *resident) slotOf(o *resident) state.ID {
	return r.device.SlotID(o.device.Person(), o.device.Name())
}

// G8: a backlog from many senders is received in few commits, each frame with the outcome that it has alone.
func TestG8ReceiveAll(t *testing.T) {
	w := newTown(t)
	a, ann := w.arrive(2)
	b, bob := w.arrive(1)
	_, cleo := w.arrive(1)
	to, name := bob[0], string(b.devices[0].Identity().Bytes())
	oneTime := w.oneTime[name]
	delete(w.oneTime, name)
	for _, d := range ann {
		d.says("hello", b.address())
	}
	to.reads("hello", "hello")
	to.says("hello yourself", a.address())
	for _, d := range ann {
		d.reads("hello yourself")
	}
	w.oneTime[name] = oneTime // for the stranger
	const many = 140          // more than go into one commit
	for i := range many {
		ann[0].says(fmt.Sprint("first ", i), b.address())
		if i < 3 {
			ann[1].says(fmt.Sprint("second ", i), b.address())
			cleo[0].says(fmt.Sprint("stranger ", i), b.address())
		}
	}
	frames := to.waiting()
	own := to.device.Mailbox().String()
	frames = slices.Insert(frames, 1, state.Frame{Source: own, Data: []byte("\x01garbage")}, frames[0], state.Frame{Source: "nowhere", Data: frames[0].Data})
	want := map[state.Verdict]int{state.Read: many + 6, state.Discard: 3}

	backend := &counted{Store: to.store}
	to = to.through(backend)
	backend.commits = 0
	slots, receipts, err := to.ReceiveAll(t.Context(), frames)
	require.NoError(t, err)
	require.Equal(t, 2+1+2+1, backend.commits, "two chunks of the first, one of the second, the stranger's first and the rest, the device")
	got, first := map[state.Verdict]int{}, 0
	for i, r := range receipts {
		got[r.Verdict]++
		if r.Verdict == state.Read {
			require.NoError(t, r.Reason)
			require.NotZero(t, slots[i])
		}
		if slots[i] == to.slotOf(ann[0]) {
			first++
		}
	}
	require.Equal(t, want, got)
	require.Equal(t, many, first)
	require.Equal(t, []error{ErrMalformed, ErrReplayed, ErrUnverified}, classesOf(receipts[1:4]))
	for from, texts := range map[*resident]int{ann[0]: many, ann[1]: 3, cleo[0]: 3} {
		read := to.texts(to.slotOf(from))
		require.Len(t, read, texts)
		for i, text := range read {
			require.Regexp(t, fmt.Sprintf(" %d$", i), text, "in their order")
		}
	}
	stored, err := to.own.Load(t.Context(), to.Device)
	require.NoError(t, err)
	require.Empty(t, stored.Part().oneTime, "what was used is erased")
	slots, receipts, err = to.ReceiveAll(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, slots)
	require.Empty(t, receipts)
}

func classesOf(receipts []state.Receipt) (classes []error) {
	for _, r := range receipts {
		for _, class := range []error{ErrMalformed, ErrUnverified, ErrOneTimeUsed, ErrReplayed, nil} {
			if errors.Is(r.Reason, class) {
				classes = append(classes, class)
				break
			}
		}
	}
	return classes
}

// G16: a one-time pre-key serves one session, also of those that come in one call.
func TestG16ReceiveAllUsesAOneTimeKeyOnce(t *testing.T) {
	w := newTown(t)
	w.twice = true
	b, bob := w.arrive(1)
	for range 2 {
		_, stranger := w.arrive(1)
		stranger[0].says("hello", b.address())
	}
	_, receipts, err := bob[0].ReceiveAll(t.Context(), bob[0].waiting())
	require.NoError(t, err)
	require.Equal(t, []error{nil, ErrOneTimeUsed}, classesOf(receipts))

	// Nor two sessions of one device.
	_, ann := w.arrive(1)
	w.twice, w.oneTime = false, map[string][]directory.OneTimePreKey{}
	ann[0].says("hello", b.address())
	bob[0].reads("hello")
	var keys []directory.OneTimePreKey
	require.NoError(t, bob[0].own.Update(t.Context(), bob[0].Device, func(tx *state.Tx[StoredDevice]) (err error) {
		b.devices[0], keys, err = tx.Value().Part().Issue(1)
		tx.Set(tx.Value().With(b.devices[0]))
		return err
	}))
	peer, err := b.peer(t, 0, hybrid).WithOneTime(keys[0])
	require.NoError(t, err)
	for _, text := range []string{"one", "two"} {
		require.NoError(t, ann[0].sessions.Update(t.Context(), ann[0].slotOf(bob[0]), func(tx *state.Tx[Session]) error {
			tx.Set(tx.Value().With(begun(t, tx.Value().Part(), ann[0].device, peer)))
			return nil
		}))
		ann[0].says(text, b.address())
	}
	_, receipts, err = bob[0].ReceiveAll(t.Context(), bob[0].waiting())
	require.NoError(t, err)
	require.Equal(t, []error{nil, ErrOneTimeUsed}, classesOf(receipts))
}

// While the directory cannot be reached, strangers wait, and are not looked up one by one; all others are read.
func TestReceiveAllWithoutDirectory(t *testing.T) {
	w := newTown(t)
	b, bob := w.arrive(1)
	_, ann := w.arrive(1)
	ann[0].says("hello", b.address())
	bob[0].reads("hello")
	for _, text := range []string{"one", "two"} {
		_, stranger := w.arrive(1)
		stranger[0].says(text, b.address())
		ann[0].says(text, b.address())
	}
	frames := bob[0].waiting()
	w.down = errors.New("no network")
	asked := 0
	bob[0].Peers = func(ctx context.Context, who key.Address) ([]directory.Peer, error) {
		asked++
		return w.peers(ctx, who)
	}
	_, receipts, err := bob[0].ReceiveAll(t.Context(), frames)
	require.ErrorIs(t, err, w.down)
	require.Equal(t, 1, asked)
	var left []state.Frame
	for i, r := range receipts {
		if r.Verdict == state.Stop {
			require.ErrorIs(t, r.Reason, w.down)
			left = append(left, frames[i])
		}
	}
	require.Equal(t, []string{"one", "two"}, bob[0].texts(bob[0].slotOf(ann[0])))
	require.Len(t, left, 2)
	w.down = nil
	_, receipts, err = bob[0].ReceiveAll(t.Context(), left)
	require.NoError(t, err)
	require.Equal(t, []error{nil, nil}, classesOf(receipts))
}

// What was sent with the old keys of a device is read before what it sends with those that replaced them.
func TestReceiveAllOfRenewedDevice(t *testing.T) {
	w := newTown(t)
	a, ann := w.arrive(1)
	b, bob := w.arrive(1)
	ann[0].says("hello", b.address())
	bob[0].reads("hello")
	bob[0].says("hello yourself", a.address())
	ann[0].reads("hello yourself")
	ann[0].says("old keys", b.address())
	frames := bob[0].waiting()
	a.devices[0] = a.devices[0].Renew(day0)
	require.NoError(t, ann[0].own.Update(t.Context(), ann[0].Device, func(tx *state.Tx[StoredDevice]) error {
		tx.Set(tx.Value().With(a.devices[0]))
		return nil
	}))
	ann[0].says("new keys", b.address())
	frames = append(frames, bob[0].waiting()...)
	_, receipts, err := bob[0].ReceiveAll(t.Context(), frames)
	require.NoError(t, err)
	require.Equal(t, []error{nil, nil}, classesOf(receipts))
	require.Equal(t, []string{"old keys", "new keys"}, bob[0].texts(bob[0].slotOf(ann[0])))
}

// G4: whichever call of the store fails, each frame is read once when those that were not dealt with come again.
func TestG4ReceiveAllOnFailingStore(t *testing.T) {
	w := newTown(t)
	b, bob := w.arrive(1)
	_, ann := w.arrive(1)
	to, failing := bob[0], 0
	to = to.through(storetest.Fail(to.store, func(storetest.Call) storetest.Fault {
		if failing--; failing == 0 {
			return storetest.Before
		}
		return storetest.None
	}))
	ann[0].says("hello", b.address())
	to.reads("hello")
	for n := 1; ; n++ {
		_, stranger := w.arrive(1)
		ann[0].says(fmt.Sprint(n), b.address())
		stranger[0].says(fmt.Sprint(n), b.address())
		frames := to.waiting()
		failing = n
		_, receipts, err := to.ReceiveAll(t.Context(), frames)
		through := failing > 0
		failing = 0
		var left []state.Frame
		for i, r := range receipts {
			if r.Verdict == state.Stop {
				require.ErrorIs(t, r.Reason, storetest.ErrFault)
				require.Error(t, err)
				left = append(left, frames[i])
			}
		}
		_, _, err = to.ReceiveAll(t.Context(), left)
		require.NoError(t, err)
		for _, from := range []*resident{ann[0], stranger[0]} {
			require.Equal(t, []string{fmt.Sprint(n)}, to.texts(to.slotOf(from)), "call %d", n)
		}
		if through {
			require.Greater(t, n, 5)
			return
		}
	}
}

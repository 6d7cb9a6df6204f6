package session

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/box"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/frame"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/state"
)

// town is people that find each other, and a relay between their devices.
type town struct {
	t         testing.TB
	people    map[key.Address]*human
	oneTime   map[string][]directory.OneTimePreKey // by the identity of the device
	twice     bool                                 // a one-time pre-key is handed out again and again
	classic   bool                                 // no bundle is shown
	down      error
	mailboxes map[key.Address][][]byte
	now       time.Time
}

// resident is a device in a town.
type resident struct {
	*station
	*Endpoint
	town *town
}

func newTown(t testing.TB) *town {
	return &town{t: t, people: map[key.Address]*human{}, oneTime: map[string][]directory.OneTimePreKey{},
		mailboxes: map[key.Address][][]byte{}, now: day0}
}

// arrive returns the devices of a person that is registered now, each with one one-time pre-key.
func (w *town) arrive(devices int) (*human, []*resident) {
	h := newHuman(w.t, devices)
	w.people[h.address()] = h
	all := make([]*resident, devices)
	for i := range all {
		d, keys, err := h.devices[i].Issue(1)
		require.NoError(w.t, err)
		h.devices[i] = d
		w.oneTime[string(d.Identity().Bytes())] = keys
		all[i] = w.open(newStation(w.t, d))
	}
	return h, all
}

func (w *town) open(s *station) *resident {
	return &resident{s, &Endpoint{Devices: s.own, Sessions: s.sessions, Device: s.device.ID(), Peers: w.peers, Claim: w.claim,
		Now: func() time.Time { return w.now }}, w}
}

func (w *town) peers(_ context.Context, person key.Address) (peers []directory.Peer, err error) {
	h := w.people[person]
	if h == nil || w.down != nil {
		return nil, w.down
	}
	var bundles []directory.Bundle
	for _, d := range h.devices {
		if !w.classic {
			bundles = append(bundles, d.Bundle())
		}
	}
	return h.verified(w.t).Peers(bundles...)
}

func (w *town) claim(_ context.Context, p directory.Peer) (directory.Peer, error) {
	name := string(p.Identity().Bytes())
	keys := w.oneTime[name]
	if len(keys) == 0 || w.classic {
		return p, nil
	}
	if !w.twice {
		w.oneTime[name] = keys[1:]
	}
	return p.WithOneTime(keys[0])
}

// flush hands the outboxes of slots to the relay.
func (r *resident) post(slots []state.ID) {
	for _, id := range slots {
		_, err := r.sessions.Flush(r.t.Context(), id, func(_ context.Context, o state.Outgoing) state.Delivery {
			to, err := key.ParseAddress(o.To)
			require.NoError(r.t, err)
			r.town.mailboxes[to] = append(r.town.mailboxes[to], o.Data)
			return state.Delivered()
		})
		require.NoError(r.t, err)
	}
}

func (r *resident) says(text string, to ...key.Address) {
	r.t.Helper()
	slots, err := r.SendAll(r.t.Context(), []byte(text), to...)
	require.NoError(r.t, err)
	r.post(slots)
}

// fetch receives what waits, and returns the receipts and what was read.
func (r *resident) fetch() (receipts []state.Receipt, texts []string) {
	r.t.Helper()
	mailboxes, err := r.Mailboxes(r.t.Context())
	require.NoError(r.t, err)
	for _, m := range mailboxes {
		frames := r.town.mailboxes[m]
		delete(r.town.mailboxes, m)
		for _, f := range frames {
			id, receipt, err := r.Receive(r.t.Context(), state.Frame{Source: m.String(), Data: f})
			require.NoError(r.t, err)
			receipts = append(receipts, receipt)
			if id != (state.ID{}) {
				texts = append(texts, r.texts(id)...)
			}
		}
	}
	return receipts, texts
}

func (r *resident) reads(want ...string) {
	r.t.Helper()
	_, texts := r.fetch()
	require.Equal(r.t, want, texts)
}

func (r *resident) maintains() {
	r.t.Helper()
	slots, err := r.Maintain(r.t.Context())
	require.NoError(r.t, err)
	r.post(slots)
}

// One call says something to all devices of persons, one call reads whatever comes.
func TestEndpoint(t *testing.T) {
	w := newTown(t)
	a, ann := w.arrive(2)
	b, bob := w.arrive(2)
	ann[0].says("hello Bob", b.address(), a.address())
	for _, d := range []*resident{bob[0], bob[1], ann[1]} {
		d.reads("hello Bob")
	}
	for _, d := range bob {
		own, err := d.own.Load(t.Context(), d.device.ID())
		require.NoError(t, err)
		require.Empty(t, own.Part().oneTime, "what was used is erased")
	}
	bob[1].says("hello Ann", a.address(), b.address())
	for _, d := range []*resident{ann[0], ann[1], bob[0]} {
		d.reads("hello Ann")
	}
	// Another endpoint on the same store, such as another process, finds the slots of the first.
	other := w.open(ann[0].station)
	bob[0].says("again", a.address())
	other.reads("again")
	ids, err := ann[0].sessions.List(t.Context())
	require.NoError(t, err)
	require.Len(t, ids, 3, "a device's own keys are no session")
	other.maintains()
}

// Whatever anybody sends to the device's mailbox leaves nothing behind, unless it is what it claims to be.
func TestStrangersLeaveNothing(t *testing.T) {
	w := newTown(t)
	_, ann := w.arrive(1)
	b, bob := w.arrive(1)
	nobody := newHuman(t, 1) // not registered
	d := b.devices[0]
	to := b.peer(t, 0, hybrid)
	send := func(from Device, person key.Address) []byte {
		s, err := New(from, to)
		require.NoError(t, err)
		p := &party{t: t, d: from, s: s, other: to}
		p.d.person = person
		pair := p.s.Part()
		pair.person = person
		p.s = p.s.With(pair)
		p.initiate()
		return p.send("text")
	}
	var sealed [][]byte
	for _, kind := range []uint8{frame.Initiation, frame.Classic, frame.Notice} {
		b, err := box.Seal(d.inbox.Public(), []byte("\x01garbage"))
		require.NoError(t, err)
		sealed = append(sealed, frame.Frame{Kind: kind, Box: b}.Marshal())
	}
	honest := send(ann[0].device, ann[0].device.Person())
	for i, f := range append(sealed, []byte("\x01garbage"), flip(honest, 1500), honest[:len(honest)-1], send(nobody.devices[0], nobody.address()),
		send(nobody.devices[0], ann[0].device.Person())) {
		id, r, err := bob[0].Receive(t.Context(), state.Frame{Source: d.Mailbox().String(), Data: f})
		require.NoError(t, err)
		require.Equal(t, state.Discard, r.Verdict, "frame %d", i)
		require.Error(t, r.Reason)
		require.Zero(t, id)
	}
	id, r, err := bob[0].Receive(t.Context(), state.Frame{Source: newHuman(t, 1).address().String(), Data: honest})
	require.NoError(t, err)
	require.Zero(t, id)
	require.ErrorIs(t, r.Reason, ErrUnverified)

	// What cannot be judged now stays at the relay.
	w.down = errors.New("no network")
	_, r, err = bob[0].Receive(t.Context(), state.Frame{Source: d.Mailbox().String(), Data: honest})
	require.ErrorIs(t, err, w.down)
	require.Equal(t, state.Stop, r.Verdict)
	w.down = nil
	newer, _ := d.Rotate(day0.Add(rotateAfter))
	b.devices[0] = newer
	to = b.peer(t, 0, hybrid)
	id, r, err = bob[0].Receive(t.Context(), state.Frame{Source: d.Mailbox().String(), Data: send(ann[0].device, ann[0].device.Person())})
	require.NoError(t, err)
	require.Equal(t, state.Retain, r.Verdict)
	require.Zero(t, id)
	ids, err := bob[0].sessions.List(t.Context())
	require.NoError(t, err)
	require.Empty(t, ids)

	id, r, err = bob[0].Receive(t.Context(), state.Frame{Source: d.Mailbox().String(), Data: honest})
	require.NoError(t, err)
	require.Equal(t, state.Read, r.Verdict)
	require.Equal(t, []string{"text"}, bob[0].texts(id))
	// What was deleted does not come back.
	require.NoError(t, bob[0].sessions.Delete(t.Context(), id))
	for range 2 {
		id, r, err = bob[0].Receive(t.Context(), state.Frame{Source: d.Mailbox().String(), Data: honest})
		require.NoError(t, err)
		require.Zero(t, id)
		require.Equal(t, state.Discard, r.Verdict)
		require.ErrorIs(t, r.Reason, state.ErrDeleted)
	}
}

// A one-time pre-key that is handed out twice heals, although the second initiator was unknown until then.
func TestStrangerWithAUsedOneTimeKey(t *testing.T) {
	w := newTown(t)
	w.twice = true
	_, ann := w.arrive(1)
	_, cleo := w.arrive(1)
	b, bob := w.arrive(1)
	ann[0].says("Ann", b.address())
	bob[0].reads("Ann")
	cleo[0].says("Cleo", b.address())
	receipts, texts := bob[0].fetch()
	require.Empty(t, texts)
	require.ErrorIs(t, receipts[0].Reason, ErrOneTimeUsed)
	bob[0].maintains()
	cleo[0].fetch()
	cleo[0].maintains()
	bob[0].reads("Cleo")
	ids, err := bob[0].sessions.List(t.Context())
	require.NoError(t, err)
	require.Len(t, ids, 2)
}

// A message to several devices goes to all or to none.
func TestSendAllOrNone(t *testing.T) {
	w := newTown(t)
	a, ann := w.arrive(1)
	b, _ := w.arrive(2)
	ann[0].says("first", b.address())
	before := map[state.ID]Session{}
	ids, err := ann[0].sessions.List(t.Context())
	require.NoError(t, err)
	for _, id := range ids {
		before[id], err = ann[0].sessions.Load(t.Context(), id)
		require.NoError(t, err)
	}
	// The second device cannot be sent to: it has renewed its keys since, and the directory hides that it knows the suite.
	b.devices[1] = b.devices[1].Renew(day0)
	w.classic = true
	_, err = ann[0].SendAll(t.Context(), []byte("second"), b.address())
	require.ErrorIs(t, err, ErrUnverified)
	var failed *state.BatchError
	require.ErrorAs(t, err, &failed)
	for id, s := range before {
		now, err := ann[0].sessions.Load(t.Context(), id)
		require.NoError(t, err)
		require.True(t, now.Equal(s))
		require.Empty(t, ann[0].flushAll(id))
	}
	_, err = ann[0].SendAll(t.Context(), []byte("to oneself"), a.address())
	require.ErrorIs(t, err, ErrUnverified)
	_, err = ann[0].SendAll(t.Context(), []byte("to nobody"), newHuman(t, 1).address())
	require.ErrorIs(t, err, ErrUnverified)
}

// A device that renewed its keys is found in its old slot, and gets again what it has not read.
func TestEndpointOfRenewedDevice(t *testing.T) {
	w := newTown(t)
	a, ann := w.arrive(1)
	b, bob := w.arrive(1)
	ann[0].says("hello", b.address())
	bob[0].reads("hello")
	bob[0].says("hello yourself", a.address())
	ann[0].reads("hello yourself")
	ann[0].says("to the old keys", b.address())

	renewed := bob[0].device.Renew(day0)
	require.NoError(t, bob[0].own.Update(t.Context(), bob[0].Device, func(tx *state.Tx[StoredDevice]) error {
		tx.Set(tx.Value().With(renewed))
		return nil
	}))
	b.devices[0] = renewed
	bob[0].says("new keys", a.address())
	ann[0].reads("new keys")
	ann[0].maintains()
	bob[0].reads("to the old keys")
	mailboxes, err := bob[0].Mailboxes(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, len(mailboxes))
	require.True(t, slices.Contains(mailboxes, renewed.Mailbox()))
}

// A person's keys lie in the vault under their own kind, and do not change.
func TestStoredPerson(t *testing.T) {
	h := newHuman(t, 1)
	s := newStation(t, h.devices[0])
	open := func() *state.Vault[state.One[Person]] {
		v, err := state.Open[state.One[Person]](t.Context(), s.store, s.key, state.Options{})
		require.NoError(t, err)
		return v
	}
	first, err := state.NewOne(h.person().ID(), h.person())
	require.NoError(t, err)
	require.Equal(t, "person "+first.ID().String(), first.String())
	require.NoError(t, open().Create(t.Context(), first, nil))
	stored, err := open().Load(t.Context(), first.ID())
	require.NoError(t, err)
	require.True(t, stored.Equal(first))
	require.ErrorIs(t, open().Update(t.Context(), first.ID(), func(tx *state.Tx[state.One[Person]]) error {
		tx.Set(tx.Value().With(newHuman(t, 1).person()))
		return nil
	}), state.ErrStale)
	_, err = state.NewOne(first.ID(), Person{User: h.user})
	require.ErrorIs(t, err, state.ErrIncomplete)
	own, err := s.own.Load(t.Context(), s.device.ID())
	require.NoError(t, err)
	require.Equal(t, "device "+own.ID().String(), own.String())
	for _, vault := range []interface {
		List(context.Context) ([]state.ID, error)
	}{open(), s.own} {
		ids, err := vault.List(t.Context())
		require.NoError(t, err)
		require.Len(t, ids, 1)
	}
}

package session

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/double"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// station is a device with its vaults on one store.
type station struct {
	t        testing.TB
	store    store.Store
	key      state.Key
	device   Device
	own      *state.Vault[StoredDevice]
	sessions *state.Vault[Session]
	events   []state.Event
}

func newStation(t testing.TB, d Device) *station {
	key, err := state.NewKey(secret.Random(32).Expose())
	require.NoError(t, err)
	s := &station{t: t, store: store.NewMemory(), key: key, device: d}
	s.open()
	own, err := state.NewOne(d.ID(), d)
	require.NoError(t, err)
	require.NoError(t, s.own.Create(t.Context(), own, nil))
	return s
}

// open is a start of the program: everything comes from the store.
func (s *station) open() {
	var err error
	s.own, err = state.Open[StoredDevice](s.t.Context(), s.store, s.key, state.Options{})
	require.NoError(s.t, err)
	s.sessions, err = state.Open[Session](s.t.Context(), s.store, s.key, state.Options{Events: func(_ state.ID, e state.Event) {
		s.events = append(s.events, e)
	}})
	require.NoError(s.t, err)
}

func (s *station) restart() {
	s.open()
	own, err := s.own.Load(s.t.Context(), s.device.ID())
	require.NoError(s.t, err)
	require.True(s.t, own.Part().Equal(s.device))
	s.device = own.Part()
}

func (s *station) slot(peer directory.Peer) state.ID {
	first, err := New(s.device, peer)
	require.NoError(s.t, err)
	if err := s.sessions.Create(s.t.Context(), first, nil); err != nil {
		require.ErrorIs(s.t, err, state.ErrExists)
	}
	return first.ID()
}

func (s *station) initiate(id state.ID, peer directory.Peer) {
	require.NoError(s.t, s.sessions.Update(s.t.Context(), id, func(tx *state.Tx[Session]) error {
		next, err := Initiate(tx.Value(), s.device, peer)
		if err == nil {
			tx.Set(next)
		}
		return err
	}))
}

func (s *station) send(id state.ID, text string) []byte {
	require.NoError(s.t, s.sessions.Update(s.t.Context(), id, func(tx *state.Tx[Session]) error {
		next, out, err := Encrypt(tx.Value(), day0, []byte(text))
		if err == nil {
			tx.Set(next)
			tx.Send(out.To.String(), out.Frame)
		}
		return err
	}))
	return s.flush(id)
}

// lose sends messages that never arrive, without the frames around them.
func (s *station) lose(id state.ID, n int) {
	require.NoError(s.t, s.sessions.Update(s.t.Context(), id, func(tx *state.Tx[Session]) error {
		tx.Set(tx.Value().With(losing(s.t, tx.Value().Part(), n)))
		return nil
	}))
}

// flush empties the outbox and returns the last frame.
func (s *station) flush(id state.ID) []byte {
	sent := s.flushAll(id)
	if len(sent) == 0 {
		return nil
	}
	return sent[len(sent)-1]
}

func (s *station) flushAll(id state.ID) (sent [][]byte) {
	_, err := s.sessions.Flush(s.t.Context(), id, func(_ context.Context, o state.Outgoing) state.Delivery {
		sent = append(sent, o.Data)
		return state.Delivered()
	})
	require.NoError(s.t, err)
	return sent
}

func (s *station) receive(id state.ID, frame []byte) state.Receipt {
	r, err := s.sessions.Receive(s.t.Context(), id, state.Frame{Data: frame}, Opener(func() Device { return s.device }))
	require.NoError(s.t, err)
	return r
}

func (s *station) texts(id state.ID) (out []string) {
	require.NoError(s.t, s.sessions.Drain(s.t.Context(), id, func(_ context.Context, in state.Incoming) error {
		out = append(out, string(in.Data()))
		return nil
	}))
	return out
}

// G8, G9: in a vault, across restarts, with frames that come too early, twice, or forged.
func TestG8G9Vault(t *testing.T) {
	t.Parallel()
	suites(t, func(t *testing.T, f suite) {
		a, b := newHuman(t, 1), newHuman(t, 1)
		var keys []directory.OneTimePreKey
		var err error
		b.devices[0], keys, err = b.devices[0].Issue(1)
		require.NoError(t, err)
		alice, bob := newStation(t, a.devices[0]), newStation(t, b.devices[0])
		toBob, toAlice := b.peer(t, 0, f), a.peer(t, 0, f)
		if f == hybrid {
			toBob, err = toBob.WithOneTime(keys[0])
			require.NoError(t, err)
		}
		atAlice, atBob := alice.slot(toBob), bob.slot(toAlice)
		require.Equal(t, atAlice, alice.slot(toBob), "G2: one slot")
		alice.initiate(atAlice, toBob)

		first, second := alice.send(atAlice, "first"), alice.send(atAlice, "second")
		alice.restart()
		bob.restart()
		require.Equal(t, state.Read, bob.receive(atBob, second).Verdict)
		require.Equal(t, state.Discard, bob.receive(atBob, second).Verdict)
		bob.restart()
		require.Equal(t, state.Discard, bob.receive(atBob, second).Verdict)
		require.Equal(t, state.Discard, bob.receive(atBob, flip(first, len(first)-5)).Verdict)
		require.Equal(t, state.Read, bob.receive(atBob, first).Verdict)
		require.Equal(t, []string{"second", "first"}, bob.texts(atBob))
		if f == hybrid {
			require.Contains(t, bob.events, OneTimeUsed{bob.device.Identity(), 1})
		}

		alice.receive(atAlice, bob.send(atBob, "answer"))
		require.Equal(t, []string{"answer"}, alice.texts(atAlice))

		// Retained: a message too far ahead is read once the chain has moved.
		next := alice.send(atAlice, "next")
		alice.lose(atAlice, double.MaxSkip-1)
		within := alice.send(atAlice, "within reach")
		alice.lose(atAlice, 1)
		ahead := alice.send(atAlice, "too far ahead")
		require.Equal(t, state.Read, bob.receive(atBob, next).Verdict)
		require.Equal(t, state.Retain, bob.receive(atBob, ahead).Verdict)
		bob.restart()
		r := bob.receive(atBob, within)
		require.Equal(t, state.Read, r.Verdict)
		require.Len(t, r.Acknowledge, 1, "the retained one was read and may be acknowledged")
		require.Len(t, bob.texts(atBob), 3)
	})
}

// A person has several devices, each with a slot of its own.
func TestSecondDevice(t *testing.T) {
	a, b := newHuman(t, 1), newHuman(t, 2)
	alice := newStation(t, a.devices[0])
	slots := map[state.ID]bool{}
	for i, d := range b.devices {
		bob := newStation(t, d)
		toBob, toAlice := b.peer(t, i, hybrid), a.peer(t, 0, hybrid)
		id, at := alice.slot(toBob), bob.slot(toAlice)
		slots[id] = true
		alice.initiate(id, toBob)
		require.Equal(t, state.Read, bob.receive(at, alice.send(id, "to both")).Verdict)
		alice.receive(id, bob.send(at, d.String()))
		require.Equal(t, []string{d.String()}, alice.texts(id))
	}
	require.Len(t, slots, 2)
	// The two devices of one person talk to each other like any others.
	one, two := newStation(t, b.devices[0]), newStation(t, b.devices[1])
	id, at := one.slot(b.peer(t, 1, hybrid)), two.slot(b.peer(t, 0, hybrid))
	one.initiate(id, b.peer(t, 1, hybrid))
	require.Equal(t, state.Read, two.receive(at, one.send(id, "copy")).Verdict)
}

package session

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/sentlog"
	"github.com/trefoil-im/trefoil/state"
)

// A peer that lost its keys cannot tell a device that it does not know. After 30 days without an answer the device begins anew, and
// what it can send again is read.
func TestUnansweredIsBegunAnew(t *testing.T) {
	a, b := newHuman(t, 1), newHuman(t, 1)
	alice := &party{t: t, d: a.devices[0], other: b.peer(t, 0, hybrid)}
	bob := &party{t: t, d: rotated(t, b.devices[0].Restore(day0), day0.Add(keepReplaced)), other: a.peer(t, 0, hybrid)}
	for _, p := range []*party{alice, bob} {
		s, err := New(p.d, p.other)
		require.NoError(t, err)
		p.s = s
	}
	alice.initiate()
	alice.send("too old to be sent again")
	later := day0.Add(keepReplaced)
	next, out, err := Encrypt(alice.s, later.Add(-sentlog.Keep/2), []byte("text"))
	require.NoError(t, err)
	alice.s = next
	bob.refuses(out.Frame, ErrExpired)
	require.Equal(t, Tasks{Forget: true}, alice.s.Part().Due(later.Add(-time.Millisecond)))

	b.devices[0] = bob.d
	alice.other = b.peer(t, 0, hybrid)
	require.Equal(t, Tasks{Heal: true, Forget: true}, alice.s.Part().Due(later))
	frames, events := alice.maintain(later)
	require.Equal(t, []state.Event{SentAgain{bob.d.Person(), bob.d.Name(), true, 1}}, events)
	require.Equal(t, []string{"text"}, bob.takes(frames...))
	alice.reads(bob.send("answer"), "answer")
	require.Equal(t, Tasks{}, alice.s.Part().Due(later.Add(keepReplaced)), "an answered session stays")
}

// If nothing is to be sent again, nothing is begun before the next message, which uses the keys that the peer has then.
func TestUnansweredIsBegunAnewWithTheNextMessage(t *testing.T) {
	a, b := newHuman(t, 1), newHuman(t, 1)
	alice, bob, toBob := newStation(t, a.devices[0]), newStation(t, b.devices[0]), b.peer(t, 0, hybrid)
	atAlice, atBob := alice.slot(toBob), bob.slot(a.peer(t, 0, hybrid))
	alice.initiate(atAlice, toBob)
	require.NotEmpty(t, alice.send(atAlice, "nobody reads this"))
	alice.restart()
	later := day0.Add(keepReplaced)
	maintain := func() Session {
		require.NoError(t, alice.sessions.Update(t.Context(), atAlice, Maintain(alice.device, directory.Peer{}, later)))
		require.Empty(t, alice.flush(atAlice))
		s, err := alice.sessions.Load(t.Context(), atAlice)
		require.NoError(t, err)
		return s
	}
	s := maintain()
	require.False(t, s.Part().IsReady())
	require.Equal(t, Tasks{}, s.Part().Due(later.Add(keepReplaced)))
	require.True(t, maintain().Equal(s))

	require.NoError(t, alice.sessions.Update(t.Context(), atAlice, Send(alice.device, toBob, later, []byte("read this"))))
	require.Equal(t, state.Read, bob.receive(atBob, alice.flush(atAlice)).Verdict)
	require.Equal(t, []string{"read this"}, bob.texts(atBob))
	s, err := alice.sessions.Load(t.Context(), atAlice)
	require.NoError(t, err)
	require.Equal(t, 2, s.Part().Sessions())
	require.True(t, s.Part().IsReady())
}

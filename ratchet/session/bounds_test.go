package session

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/double"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/state"
)

// counting makes a station count how often a frame is opened.
func (s *station) counting(id state.ID) (receive func(frame []byte) state.Receipt, opened *int) {
	opened = new(int)
	open := Opener(func() Device { return s.device })
	return func(frame []byte) state.Receipt {
		r, err := s.sessions.Receive(s.t.Context(), id, state.Frame{Data: frame}, func(tx *state.Tx[Session], f state.Frame) error {
			*opened++
			return open(tx, f)
		})
		require.NoError(s.t, err)
		return r
	}, opened
}

// stations returns two devices in the hybrid suite that have read each other, with their slots.
func stations(t *testing.T) (alice, bob *station, atAlice, atBob state.ID, toBob directory.Peer) {
	a, b := newHuman(t, 1), newHuman(t, 1)
	toBob = b.peer(t, 0, hybrid)
	alice, bob = newStation(t, a.devices[0]), newStation(t, b.devices[0])
	atAlice, atBob = alice.slot(toBob), bob.slot(a.peer(t, 0, hybrid))
	alice.initiate(atAlice, toBob)
	bob.receive(atBob, alice.send(atAlice, "hello"))
	alice.receive(atAlice, bob.send(atBob, "hello yourself"))
	bob.receive(atBob, alice.send(atAlice, "good"))
	return alice, bob, atAlice, atBob, toBob
}

// G25: garbage in a pair's mailbox is opened once, however long the conversation goes on, and again when a session begins.
func TestG25GarbageIsOpenedOnce(t *testing.T) {
	t.Parallel()
	const garbage, turns = 2000, 25
	alice, bob, atAlice, atBob, toBob := stations(t)
	receive, opened := bob.counting(atBob)
	template := alice.send(atAlice, "never delivered")
	template[42] ^= 1 // so that none of them is the frame itself
	for n := range garbage {
		template[40], template[41] = byte(n), byte(n>>8) // of the header's nonce
		require.Equal(t, state.Retain, receive(template).Verdict)
	}
	require.Equal(t, garbage, *opened)
	*opened = 0
	for range turns {
		require.Equal(t, state.Read, receive(alice.send(atAlice, "text")).Verdict)
		alice.receive(atAlice, bob.send(atBob, "answer"))
	}
	require.Equal(t, turns, *opened)
	require.Equal(t, state.Read, receive(alice.send(atAlice, "text")).Verdict)

	alice.initiate(atAlice, toBob)
	*opened = 0
	require.Equal(t, state.Read, receive(alice.send(atAlice, "a new session")).Verdict)
	require.Equal(t, 1+garbage, *opened)
}

// A frame that is too far ahead is tried when its chain has come near enough, and no other message tries it.
func TestFarAhead(t *testing.T) {
	t.Parallel()
	alice, bob, atAlice, atBob, _ := stations(t)
	receive, opened := bob.counting(atBob)
	bob.receive(atBob, alice.send(atAlice, "text"))
	var frames [][]byte // numbers 2 and on
	for range 4 {
		frames = append(frames, alice.send(atAlice, "text"))
	}
	alice.lose(atAlice, double.MaxSkip)
	second, first := alice.send(atAlice, "text"), alice.send(atAlice, "text")
	// The first of these needs the chain to come to number 7, the second to 6.
	require.Equal(t, state.Retain, receive(first).Verdict)
	require.Equal(t, state.Retain, receive(second).Verdict)
	bob.restart()
	*opened = 0
	for i := range 3 {
		receive(frames[i])
	}
	require.Equal(t, 3, *opened)
	// The second is read, with which the chain has come far enough for the first.
	require.Len(t, receive(frames[3]).Acknowledge, 2)
	require.Equal(t, 7, *opened)
	s, err := bob.sessions.Load(t.Context(), atBob)
	require.NoError(t, err)
	require.Empty(t, s.Part().sessions.list[0].ahead.chain)
	*opened = 0
	receive(alice.send(atAlice, "on"))
	require.Equal(t, 1, *opened, "nothing waits any more")
}

// Messages that came before their session began may be further ahead than anybody knows.
func TestFarAheadBeforeTheSessionBegan(t *testing.T) {
	t.Parallel()
	a, b := newHuman(t, 1), newHuman(t, 1)
	alice, bob := newStation(t, a.devices[0]), newStation(t, b.devices[0])
	atAlice, atBob := alice.slot(b.peer(t, 0, hybrid)), bob.slot(a.peer(t, 0, hybrid))
	alice.initiate(atAlice, b.peer(t, 0, hybrid))
	var frames [][]byte
	for range 8 { // every 75th of 600
		frames = append(frames, alice.send(atAlice, "text"))
		alice.lose(atAlice, 74)
	}
	alice.lose(atAlice, double.MaxSkip+300-600-1)
	require.Equal(t, state.Retain, bob.receive(atBob, alice.send(atAlice, "text")).Verdict)
	read := 0
	for _, f := range frames {
		read += len(bob.receive(atBob, f).Acknowledge)
	}
	require.Equal(t, 1, read)
}

func TestAheadIsBounded(t *testing.T) {
	var a ahead
	for n := uint32(2 * maxAhead); n > 0; n-- {
		a = a.with(&double.AheadError{From: n, NextChain: n%2 == 0})
		a = a.with(&double.AheadError{From: n, NextChain: n%2 == 0})
	}
	require.Len(t, a.chain, maxAhead)
	require.Len(t, a.next, maxAhead)
	require.True(t, slices.IsSorted(a.chain))
	same, due := a.moved(false, 0)
	require.False(t, due)
	require.Equal(t, a, same)
	a, due = a.moved(false, 1)
	require.True(t, due)
	require.Len(t, a.chain, maxAhead-2)
	a, due = a.moved(true, 0)
	require.True(t, due, "the chain has ended")
	require.Len(t, a.chain, maxAhead)
	require.Empty(t, a.next)
	a, due = a.moved(false, ^uint32(0)-1)
	require.True(t, due)
	a, due = a.moved(true, 9)
	require.False(t, due)
	require.Empty(t, a.chain)
}

// An Opener that was made before a one-time pre-key was issued reads what was begun with it, also if the frame came first.
func TestOpenerSeesNewKeys(t *testing.T) {
	a, b := newHuman(t, 1), newHuman(t, 1)
	alice, bob := newStation(t, a.devices[0]), newStation(t, b.devices[0])
	newer, keys, err := bob.device.Issue(1)
	require.NoError(t, err)
	toBob := b.peer(t, 0, hybrid)
	atAlice, atBob := alice.slot(toBob), bob.slot(a.peer(t, 0, hybrid))
	receive, opened := bob.counting(atBob)
	alice.initiate(atAlice, toBob)
	text := alice.send(atAlice, "without")
	withKey, err := toBob.WithOneTime(keys[0])
	require.NoError(t, err)
	alice.initiate(atAlice, withKey)
	require.Equal(t, state.Retain, receive(alice.send(atAlice, "with")).Verdict)
	bob.device = newer
	require.Len(t, receive(text).Acknowledge, 1)
	require.Equal(t, []string{"without", "with"}, bob.texts(atBob))
	*opened = 0
	receive(alice.send(atAlice, "once more"))
	require.Equal(t, 1, *opened)
}

// A frame of a newer release is tried again by that release.
func TestNewerFormatWaits(t *testing.T) {
	alice, bob, atAlice, atBob, _ := stations(t)
	receive, opened := bob.counting(atBob)
	newer := alice.send(atAlice, "newer")
	newer[0]++
	require.Equal(t, state.Retain, receive(newer).Verdict)
	*opened = 0
	receive(alice.send(atAlice, "text"))
	require.Equal(t, 1, *opened)
	require.NoError(t, bob.sessions.Update(t.Context(), atBob, func(tx *state.Tx[Session]) error {
		p := tx.Value().Part() // as another release left it
		p.waits.formats = formatsKnown + 1
		p.moves++
		tx.Set(tx.Value().With(p))
		return nil
	}))
	*opened = 0
	receive(alice.send(atAlice, "text"))
	require.Equal(t, 2, *opened)
}

// G9: a slot that was cleared refuses every initiation that was recorded, and begins anew with either side.
func TestClearedSlotRefusesRecordings(t *testing.T) {
	suites(t, func(t *testing.T, f suite) {
		alice, bob := newPair(t, f)
		var recorded [][]byte
		for range 3 {
			alice.renew()
			recorded = append(recorded, alice.send("transfer 100"), alice.send("again"))
			bob.reads(recorded[len(recorded)-2], "transfer 100")
			alice.reads(bob.send("done"), "done")
		}
		before := bob.s
		bob.s = bob.s.With(bob.s.Part().Clear())
		require.NoError(t, bob.s.Part().Succeeds(before.Part()))
		require.ErrorIs(t, before.Part().Succeeds(bob.s.Part()), state.ErrStale)
		require.Zero(t, bob.s.Part().Sessions())
		require.NotEqual(t, before.Part().Mailbox(), bob.s.Part().Mailbox())
		for i, frame := range recorded {
			if f == hybrid || i%2 == 0 { // what was not read is not a repetition: its session cannot begin all the same
				bob.refuses(frame, ErrReplayed)
			}
		}
		alice.renew()
		bob.reads(alice.send("anew"), "anew")
		alice.reads(bob.send("answer"), "answer")
		bob.reads(alice.send("on"), "on")

		alice.s = alice.s.With(alice.s.Part().Clear())
		alice.initiate()
		bob.reads(alice.send("from the other side"), "from the other side")
		alice.reads(bob.send("answer"), "answer")
	})
}

// What is remembered of accepted initiations does not grow, and none of it can be repeated.
func TestSeenIsBounded(t *testing.T) {
	t.Parallel()
	suites(t, func(t *testing.T, f suite) {
		alice, bob := newPair(t, f)
		var frames [][]byte
		for range maxLate + 8 {
			alice.renew()
			frames = append(frames, alice.send("text"))
			bob.reads(frames[len(frames)-1], "text")
		}
		if f == hybrid {
			require.Len(t, bob.s.Part().sessions.seen, maxLate)
		}
		for _, frame := range frames {
			bob.refuses(frame, ErrReplayed)
		}
	})
	s := sessions{pinned: classic}
	for n := range 3 * maxSeen {
		s.seen = s.remember(initiation{ephemeral: key.Stored[key.Ephemeral](binary.BigEndian.AppendUint32(nil, uint32(n)))})
	}
	require.Len(t, s.seen, maxSeen)
}

package session

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/session/internal/double"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
	"github.com/trefoil-im/trefoil/state"
)

// G10, G15: between peers that run trefoil an initiation replaces a session only if its generation is newer; no clock
// is asked.
func TestG15Generations(t *testing.T) {
	alice, bob := started(t, hybrid)
	first := alice.send("first")
	alice.renew()
	second := alice.send("second")
	bob.reads(second, "second")
	bob.reads(first, "first")
	bob.reads(alice.send("third"), "third")
	require.Equal(t, uint64(2), bob.s.Part().sessions.generation)
	require.Equal(t, uint64(2), bob.s.Part().sessions.accepted)
	alice.reads(bob.send("answer"), "answer")
	require.False(t, alice.s.Part().sessions.list[0].awaitingReply, "the answer is in the newer session")

	// One of a generation out of reach is refused: nothing could come after it.
	far := *alice
	p := far.s.Part()
	p.sessions.generation += maxGenerationStep + 1
	far.s = far.s.With(p)
	far.renew()
	bob.refuses(far.send("far"), ErrMalformed)
	p.sessions.generation = ^uint64(0) - 1
	far.s = far.s.With(p)
	far.renew()
	bob.refuses(far.send("last"), ErrMalformed)
}

// G9, G12, G15: initiations that overtake each other are all read, in any order, each message once. Only the newest is
// sent on and says where to answer; what lies too far back is refused.
func TestOvertakenInitiation(t *testing.T) {
	alice, bob := newPair(t, hybrid)
	var texts []string
	var frames [][]byte
	for g := range 4 {
		alice.renew()
		for range 2 {
			texts = append(texts, fmt.Sprint(g))
			frames = append(frames, alice.send(fmt.Sprint(g)))
		}
	}
	newest := alice.s.Part().sessions.list[0].ephemeral
	for _, i := range []int{7, 2, 0, 5, 1, 3, 4, 6} {
		bob.reads(frames[i], texts[i])
		require.True(t, bob.s.Part().sessions.list[0].ephemeral.Equal(newest))
		_, err := parsePair(bob.s.Part().marshal())
		require.NoError(t, err)
	}
	for _, frame := range frames {
		bob.refuses(frame, ErrReplayed)
	}
	alice.reads(bob.send("answer"), "answer")
	require.False(t, alice.s.Part().sessions.list[0].awaitingReply)

	// One of the newest generation that is another one ranks below, whatever its ephemeral key.
	for range 4 {
		twin := *alice
		p := twin.s.Part()
		p.sessions.generation--
		p.sessions.list = nil
		twin.s = twin.s.With(p)
		twin.renew()
		moved := twin.s.Part()
		moved.mailbox = keypair.GenerateSigningKey()
		twin.s = twin.s.With(moved)
		other := *bob
		other.reads(twin.send("twin"), "twin")
		require.True(t, other.s.Part().sessions.list[0].ephemeral.Equal(newest))
		require.Equal(t, alice.s.Part().Mailbox(), other.s.Part().route.mailbox)
	}

	// What is overtaken by many is read, too, and what lies too far back is refused.
	alice.renew()
	late := alice.send("late")
	for range maxSessions {
		alice.renew()
		bob.reads(alice.send("newer"), "newer")
	}
	other := *bob
	other.reads(late, "late")
	p := bob.s.Part()
	p.sessions.accepted, p.sessions.generation = p.sessions.accepted+maxLate, p.sessions.generation+maxLate
	bob.s = bob.s.With(p)
	bob.refuses(late, ErrReplayed)
}

// A session is replaced at any time by either side; the old one reads what is in flight, and routing stays.
func TestReset(t *testing.T) {
	suites(t, func(t *testing.T, f suite) {
		alice, bob := settled(t, f)
		flying := alice.send("in flight")
		crossing := bob.send("crossing")
		home, away := alice.s.Part().home(), alice.s.Part().route
		alice.initiate()
		require.Equal(t, home.mailbox, alice.s.Part().Mailbox())
		require.Equal(t, away.mailbox, alice.s.Part().route.mailbox)
		renewed := alice.send("renewed")
		require.True(t, bob.reads(renewed, "renewed").Began)
		bob.reads(flying, "in flight")
		alice.reads(crossing, "crossing")
		alice.reads(bob.send("in the new one"), "in the new one")
		out := alice.sendTo("settled")
		require.Equal(t, bob.s.Part().Mailbox(), out.To)
		bob.reads(out.Frame, "settled")
		require.True(t, alice.s.Part().sessions.list[0].ephemeral.Equal(bob.s.Part().sessions.list[0].ephemeral))
		require.Equal(t, home.mailbox, bob.s.Part().route.mailbox)
	})
}

// Both sides begin at once: both initiations are accepted, nothing is lost, and both go on in the same session.
func TestBothBeginAtOnce(t *testing.T) {
	t.Parallel()
	suites(t, func(t *testing.T, f suite) {
		for round := range 8 {
			alice, bob := started(t, f)
			bob.initiate()
			a, b := []string{"a1", "a2", "a3"}, []string{"b1", "b2"}
			var fromA, fromB [][]byte
			for _, text := range a {
				fromA = append(fromA, alice.send(text))
			}
			for _, text := range b {
				fromB = append(fromB, bob.send(text))
			}
			// They cross in different orders from round to round.
			for i := range a {
				i = (i + round) % len(a)
				bob.reads(fromA[i], a[i])
				if round&1 != 0 {
					text := fmt.Sprint("between ", i)
					alice.reads(bob.send(text), text)
				}
			}
			for i := range b {
				i = (i + round) % len(b)
				alice.reads(fromB[i], b[i])
			}
			for i := range 3 {
				alice.reads(bob.send(fmt.Sprint(i)), fmt.Sprint(i))
				bob.reads(alice.send(fmt.Sprint(i)), fmt.Sprint(i))
			}
			require.True(t, alice.s.Part().sessions.list[0].ephemeral.Equal(bob.s.Part().sessions.list[0].ephemeral), "converged")
			require.False(t, alice.s.Part().sessions.list[0].awaitingReply)
		}
	})
}

// A record without the initiator's ephemeral key cannot be constructed: not by its one constructor, not from a store, not by
// import.
func TestNoSessionWithoutEphemeralKey(t *testing.T) {
	a, _ := settled(t, classic)
	alice := a.s.Part().sessions.list[0].ratchet
	for _, f := range []suite{classic, hybrid} {
		_, err := newRatchetSession(f, 1, key.PublicKey[key.Ephemeral]{}, alice)
		require.ErrorIs(t, err, ErrMalformed)
	}
	e := keypair.GenerateKey[key.Ephemeral]().Public()
	_, err := newRatchetSession(classic, 1, e, double.Ratchet{})
	require.ErrorIs(t, err, ErrMalformed)
	_, err = newRatchetSession(3, 1, e, alice)
	require.ErrorIs(t, err, ErrMalformed)

	suites(t, func(t *testing.T, f suite) {
		a, _ := settled(t, f)
		p := a.s.Part()
		p.sessions.list = slices.Clone(p.sessions.list)
		p.sessions.list[0].ephemeral = key.PublicKey[key.Ephemeral]{}
		_, err := parsePair(p.marshal())
		require.Error(t, err)
	})
	h := newHuman(t, 1)
	from := Classic{Ratchet: alice, Mailbox: keypair.GenerateSigningKey(), Inbox: keypair.GenerateKey[key.Inbox]()}
	_, err = from.Import(newHuman(t, 1).devices[0], h.peer(t, 0, classic))
	require.ErrorIs(t, err, ErrMalformed)
}

// What goes back is refused by the vault (G5 for sessions: generations, ratchets).
func TestSucceeds(t *testing.T) {
	alice, bob := settled(t, hybrid)
	before := alice.s.Part()
	alice.send("text")
	require.NoError(t, alice.s.Part().Succeeds(before))
	require.NoError(t, before.Succeeds(before))
	require.ErrorIs(t, before.Succeeds(alice.s.Part()), state.ErrStale)
	require.ErrorIs(t, bob.s.Part().Succeeds(before), state.ErrStale)
	alice.initiate()
	older := alice.s.Part()
	older.sessions.generation--
	require.ErrorIs(t, older.Succeeds(alice.s.Part()), state.ErrStale)
}

func TestSessionsAreBounded(t *testing.T) {
	t.Parallel()
	suites(t, func(t *testing.T, f suite) {
		alice, bob := settled(t, f)
		late := bob.send("held back by a relay")
		alice.initiate()
		held := alice.send("held back by a relay")
		bob.reads(alice.send("first"), "first")
		alice.reads(bob.send("answer"), "answer")
		for range 3 * maxSessions {
			alice.initiate()
			bob.reads(alice.send("again"), "again")
			alice.reads(bob.send("answer"), "answer")
		}
		require.Equal(t, maxSessions, alice.s.Part().Sessions())
		require.Equal(t, maxSessions, bob.s.Part().Sessions())
		alice.reads(bob.send("still"), "still")
		alice.refuses(late, ErrNotYet)
		bob.refuses(held, ErrReplayed)
		// An initiation by the other side is not pushed out by many of one's own.
		bob.initiate()
		for range 3 * maxSessions {
			alice.initiate()
		}
		frame := bob.send("crossing")
		alice.reads(frame, "crossing")
	})
}

// Whoever begins again and again, with or without a message, goes on reading what the other side sends.
func TestInitiateAgainAndAgain(t *testing.T) {
	suites(t, func(t *testing.T, f suite) {
		alice, bob := settled(t, f)
		for i := range 3 * maxSessions {
			alice.initiate()
			require.LessOrEqual(t, alice.s.Part().Sessions(), 2, "an initiation that nobody can answer is replaced")
			alice.reads(bob.send(fmt.Sprint(i)), fmt.Sprint(i))
		}
		for i := range 3 * maxSessions {
			alice.initiate()
			alice.send("lost")
			alice.reads(bob.send(fmt.Sprint(i)), fmt.Sprint(i))
		}
		require.LessOrEqual(t, alice.s.Part().Sessions(), maxSessions)
		bob.reads(alice.send("at last"), "at last")
		alice.reads(bob.send("answer"), "answer")
	})
}

// Both sides begin many times, and all that they sent crosses: nothing that is held is lost, and no direction is.
func TestManyCrossingInitiations(t *testing.T) {
	suites(t, func(t *testing.T, f suite) {
		alice, bob := settled(t, f)
		var fromAlice, fromBob [][]byte
		for i := range 2 * maxSessions {
			alice.initiate()
			bob.initiate()
			fromAlice = append(fromAlice, alice.send(fmt.Sprint(i)))
			fromBob = append(fromBob, bob.send(fmt.Sprint(i)))
		}
		for i := range fromAlice {
			bob.reads(fromAlice[i], fmt.Sprint(i))
			alice.reads(fromBob[i], fmt.Sprint(i))
		}
		for range 3 {
			bob.reads(alice.send("to bob"), "to bob")
			alice.reads(bob.send("to alice"), "to alice")
		}
	})
}

// An answer that a relay held back makes nobody send where the other side does not read.
func TestAnswerHeldBack(t *testing.T) {
	suites(t, func(t *testing.T, f suite) {
		alice, bob := started(t, f)
		bob.reads(alice.send("one"), "one")
		late := bob.send("held back")
		for range maxSessions {
			bob.initiate()
			bob.send("lost")
		}
		alice.reads(bob.send("two"), "two")
		alice.reads(late, "held back")
		for range 10 {
			bob.reads(alice.send("to bob"), "to bob")
			alice.reads(bob.send("to alice"), "to alice")
		}
	})
}

// G17: what a thief copied of one side opens nothing after that side has drawn a new ratchet key that the other answered on. The
// key for the next answer is drawn ahead, so the thief reads one round more.
func TestG17Recovery(t *testing.T) {
	suites(t, func(t *testing.T, f suite) {
		alice, bob := settled(t, f)
		thief := *bob
		read := func(frame []byte) bool {
			next, _, err := Decrypt(thief.s, thief.d, frame)
			if err == nil {
				thief.s = next
			}
			return err == nil
		}
		for round := range 6 {
			frame := alice.send("secret")
			require.Equal(t, round < 2, read(frame), "round %d", round)
			bob.reads(frame, "secret")
			alice.reads(bob.send("answer"), "answer")
		}
	})
}

// A device that was set back to an old copy is refused when it begins again, and put right when the other side does.
func TestSetBack(t *testing.T) {
	alice, bob := settled(t, hybrid)
	old := alice.s
	for range 2 {
		alice.renew()
		bob.reads(alice.send("newer"), "newer")
	}
	alice.s = old
	alice.renew()
	current := bob.s.Part().sessions.list[0].ephemeral
	frame := alice.send("read")
	bob.reads(frame, "read")
	bob.refuses(frame, ErrReplayed)
	require.True(t, bob.s.Part().sessions.list[0].ephemeral.Equal(current), "and nothing is sent on it")
	alice.refuses(bob.send("lost"), ErrNotYet)
	bob.initiate()
	alice.reads(bob.send("begin"), "begin")
	bob.reads(alice.send("put right"), "put right")
	alice.reads(bob.send("again"), "again")
}

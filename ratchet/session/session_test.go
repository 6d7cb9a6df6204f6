package session

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state"
)

func TestConversation(t *testing.T) {
	forms(t, func(t *testing.T, f form) {
		alice, bob := started(t, f)
		first := alice.sendTo("hello")
		require.Equal(t, bob.d.Mailbox(), first.To, "an initialization goes to the device")
		require.True(t, bob.reads(first.Frame, "hello").Began)
		answer := bob.sendTo("hi")
		require.Equal(t, alice.s.Part().Mailbox(), answer.To, "an answer goes where the initiator reads it")
		require.False(t, alice.reads(answer.Frame, "hi").Began)
		next := alice.sendTo("how are you")
		require.Equal(t, bob.s.Part().Mailbox(), next.To, "what follows goes where the responder reads it")
		bob.reads(next.Frame, "how are you")
		for i := range 20 {
			bob.reads(alice.send(fmt.Sprint(i)), fmt.Sprint(i))
			alice.reads(bob.send(fmt.Sprint(-i)), fmt.Sprint(-i))
		}
		for _, p := range []*party{alice, bob} {
			require.Equal(t, 1, p.s.Part().Sessions())
			require.Equal(t, f == hybrid, p.s.Part().IsPostQuantum())
		}
	})
}

// The initiator may send many before there is an answer, and any of them begins the session.
func TestEveryUnansweredMessageBegins(t *testing.T) {
	forms(t, func(t *testing.T, f form) {
		alice, bob := started(t, f)
		var frames [][]byte
		for i := range 5 {
			frames = append(frames, alice.send(fmt.Sprint(i)))
		}
		for n, i := range []int{3, 0, 4, 1} { // 2 is lost
			require.Equal(t, n == 0, bob.reads(frames[i], fmt.Sprint(i)).Began)
		}
		alice.reads(bob.send("answer"), "answer")
		bob.reads(alice.send("next"), "next")
		bob.reads(frames[2], "2") // or only late
	})
}

// G9: nothing is read twice: neither a message nor an initialization, whatever was begun since.
func TestG9Replay(t *testing.T) {
	forms(t, func(t *testing.T, f form) {
		alice, bob := started(t, f)
		var frames [][]byte
		keep := func(frame []byte) []byte {
			frames = append(frames, frame)
			return frame
		}
		bob.reads(keep(alice.send("1")), "1")
		bob.reads(keep(alice.send("2")), "2")
		alice.reads(bob.send("3"), "3")
		bob.reads(keep(alice.send("4")), "4")
		alice.initiate()
		bob.reads(keep(alice.send("5")), "5")
		for range 2 * maxThreads { // the first session is long gone
			alice.initiate()
			bob.reads(keep(alice.send("6")), "6")
		}
		for i, frame := range frames {
			before := bob.s
			next, _, err := Decrypt(bob.s, bob.d, frame)
			require.Error(t, err, "frame %d", i)
			require.True(t, next.Equal(before))
			if f == hybrid && i > 2 {
				require.ErrorIs(t, err, ErrReplayed)
			}
		}
	})
}

// G10, G15: between peers that run trefoil an initialization replaces a session only if its generation is newer; no clock
// is asked.
func TestG15Generations(t *testing.T) {
	alice, bob := started(t, hybrid)
	first := alice.send("first")
	alice.initiate()
	second := alice.send("second")
	bob.reads(second, "second")
	bob.reads(first, "first")
	bob.reads(alice.send("third"), "third")
	require.Equal(t, uint64(2), bob.s.Part().generation)
	require.Equal(t, uint64(2), bob.s.Part().accepted)
	alice.reads(bob.send("answer"), "answer")
	require.False(t, alice.s.Part().threads[0].unanswered, "the answer is in the newer session")

	// One of a generation out of reach is refused: nothing could come after it.
	far := *alice
	p := far.s.Part()
	p.generation += maxGenerationStep + 1
	far.s = far.s.With(p)
	far.initiate()
	bob.refuses(far.send("far"), ErrMalformed)
	p.generation = ^uint64(0) - 1
	far.s = far.s.With(p)
	far.initiate()
	bob.refuses(far.send("last"), ErrMalformed)
}

// G9, G12, G15: initializations that overtake each other are all read, in any order, each message once. Only the newest is
// sent on and says where to answer; what lies too far back is refused.
func TestOvertakenInitialization(t *testing.T) {
	alice, bob := newPair(t, hybrid)
	var texts []string
	var frames [][]byte
	for g := range 4 {
		alice.initiate()
		for range 2 {
			texts = append(texts, fmt.Sprint(g))
			frames = append(frames, alice.send(fmt.Sprint(g)))
		}
	}
	newest := alice.s.Part().threads[0].ephemeral
	for _, i := range []int{7, 2, 0, 5, 1, 3, 4, 6} {
		bob.reads(frames[i], texts[i])
		require.True(t, bob.s.Part().threads[0].ephemeral.Equal(newest))
		_, err := parsePair(bob.s.Part().marshal())
		require.NoError(t, err)
	}
	for _, frame := range frames {
		bob.refuses(frame, ErrReplayed)
	}
	alice.reads(bob.send("answer"), "answer")
	require.False(t, alice.s.Part().threads[0].unanswered)

	// One of the newest generation that is another one ranks below, whatever its ephemeral key.
	for range 4 {
		twin := *alice
		p := twin.s.Part()
		p.generation--
		p.threads = nil
		twin.s = twin.s.With(p)
		twin.initiate()
		moved := twin.s.Part()
		moved.mailbox = GenerateSigningKey()
		twin.s = twin.s.With(moved)
		other := *bob
		other.reads(twin.send("twin"), "twin")
		require.True(t, other.s.Part().threads[0].ephemeral.Equal(newest))
		require.Equal(t, alice.s.Part().Mailbox(), other.s.Part().route.mailbox)
	}

	// What is overtaken by many is refused, and pushes nothing out.
	alice.initiate()
	late := alice.send("late")
	for range maxThreads {
		alice.initiate()
		bob.reads(alice.send("newer"), "newer")
	}
	bob.refuses(late, ErrReplayed)
	p := bob.s.Part()
	p.threads, p.accepted, p.generation = p.threads[:1], p.accepted+maxLate, p.generation+maxLate
	bob.s = bob.s.With(p)
	bob.refuses(late, ErrReplayed)
}

// A message of the hybrid form travels without a box. Who puts it into one of its own reads nothing, and redirects nothing.
func TestRouteIsTheInitiators(t *testing.T) {
	alice, bob := settled(t, hybrid)
	f, err := parseFrame(alice.send("text"))
	require.NoError(t, err)
	thief := GenerateSigningKey()
	i := initiation{person: alice.d.Person(), identity: alice.d.Identity(), message: f.message,
		route: route{thief.Public().Address(), GenerateKey[Inbox]().Public()}, offer: &offer{generation: 9}}
	for name, wrapped := range map[string][]byte{"JSON": i.jsonWith(thief), "binary": i.marshal()} {
		box, err := Seal(bob.d.inbox.Public(), wrapped)
		require.NoError(t, err)
		kind := uint8(frameDeployed)
		if name == "binary" {
			kind = frameInitiation
		}
		other := *bob
		require.False(t, other.reads(frame{kind: kind, box: box}.marshal(), "text").Began, name)
		require.Equal(t, alice.s.Part().Mailbox(), other.sendTo("answer").To, name)
	}
}

// G2: the slot of a device belongs to its person. Somebody who registers it as his own has another one.
func TestG2SlotIsThePersons(t *testing.T) {
	a, b, thief := newHuman(t, 1), newHuman(t, 1), newHuman(t, 0)
	thief.devices = b.devices
	real, err := New(a.devices[0], b.peer(t, 0, hybrid))
	require.NoError(t, err)
	squatter, err := New(a.devices[0], thief.peer(t, 0, hybrid))
	require.NoError(t, err)
	require.NotEqual(t, real.ID(), squatter.ID())
	again, err := New(a.devices[0], b.peer(t, 0, deployed))
	require.NoError(t, err)
	require.Equal(t, real.ID(), again.ID())
	require.Equal(t, real.ID(), SlotID(a.devices[0], b.address(), b.devices[0].Identity()))
}

// G12, G13: a long burst that is lost, at the beginning of a session or of a chain, stops nothing, although its sender has
// no reason to turn. What turns up of it is read.
func TestG13BurstLost(t *testing.T) {
	forms(t, func(t *testing.T, f form) {
		alice, bob := started(t, f)
		late := alice.send("late")
		for range 150 {
			alice.send("lost")
		}
		bob.reads(alice.send("first"), "first")
		alice.reads(bob.send("answer"), "answer")
		for range 1000 {
			alice.send("lost")
		}
		alice.reads(bob.send("on the same chain"), "on the same chain")
		bob.reads(alice.send("still here"), "still here")
		bob.reads(late, "late")
	})
}

// A session is replaced at any time by either side; the old one reads what is in flight, and routing stays.
func TestReset(t *testing.T) {
	forms(t, func(t *testing.T, f form) {
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
		require.True(t, alice.s.Part().threads[0].ephemeral.Equal(bob.s.Part().threads[0].ephemeral))
		require.Equal(t, home.mailbox, bob.s.Part().route.mailbox)
	})
}

// Both sides begin at once: both initializations are accepted, nothing is lost, and both go on in the same session.
func TestBothBeginAtOnce(t *testing.T) {
	forms(t, func(t *testing.T, f form) {
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
			require.True(t, alice.s.Part().threads[0].ephemeral.Equal(bob.s.Part().threads[0].ephemeral), "converged")
			require.False(t, alice.s.Part().threads[0].unanswered)
		}
	})
}

// A record without the initiator's ephemeral key cannot be constructed: not by its one constructor, not from a store, not by
// import.
func TestNoSessionWithoutEphemeralKey(t *testing.T) {
	alice, _ := settledRatchets(t)
	for _, f := range []form{deployed, hybrid} {
		_, err := newThread(f, 1, PublicKey[Ephemeral]{}, alice)
		require.ErrorIs(t, err, ErrMalformed)
	}
	e := GenerateKey[Ephemeral]().Public()
	_, err := newThread(deployed, 1, e, Ratchet{})
	require.ErrorIs(t, err, ErrMalformed)
	_, err = newThread(3, 1, e, alice)
	require.ErrorIs(t, err, ErrMalformed)

	forms(t, func(t *testing.T, f form) {
		a, _ := settled(t, f)
		p := a.s.Part()
		p.threads = append([]thread(nil), p.threads...)
		p.threads[0].ephemeral = PublicKey[Ephemeral]{}
		_, err := parsePair(p.marshal())
		require.Error(t, err)
	})
	h := newHuman(t, 1)
	_, err = Import(newHuman(t, 1).devices[0], h.peer(t, 0, deployed), DeployedSession{
		Ratchet: alice, Mailbox: GenerateSigningKey(), Inbox: GenerateKey[Inbox]()})
	require.ErrorIs(t, err, ErrMalformed)
}

// G8: a failed frame changes nothing and destroys no session, and says by its verdict what becomes of it.
func TestG8FailedFramesChangeNothing(t *testing.T) {
	forms(t, func(t *testing.T, f form) {
		alice, bob := settled(t, f)
		frame := alice.send("text")
		alice.initiate()
		begin := alice.send("begin")
		for _, good := range [][]byte{frame, begin} {
			for i := 0; i < len(good); i += 1 + len(good)/97 {
				for _, bad := range [][]byte{flip(good, i), good[:i], append(good[:i:i], ^good[i])} {
					before := bob.s
					next, r, err := Decrypt(bob.s, bob.d, bad)
					require.Error(t, err)
					require.Equal(t, Received{}, r)
					require.True(t, next.Equal(before))
					require.NotEqual(t, state.Stop, state.VerdictOf(err), "%v", err)
					require.NotEqual(t, state.Read, state.VerdictOf(err))
				}
			}
		}
		bob.reads(begin, "begin")
		bob.reads(frame, "text")
	})
}

func flip(b []byte, i int) []byte {
	b = append([]byte(nil), b...)
	b[i] ^= 0x20
	return b
}

// A message that overtakes the initialization it depends on waits for it.
func TestOvertaking(t *testing.T) {
	alice, bob := settled(t, hybrid)
	alice.initiate()
	begin := alice.send("begin")
	// Bob's answer needs to be read for alice to send without the initialization.
	other := *bob
	other.reads(begin, "begin")
	alice.reads(other.send("answer"), "answer")
	early := alice.send("early")
	bob.refuses(early, ErrNotYet)
	require.Equal(t, state.Retain, state.VerdictOf(errors.Join(ErrNotYet)))
	bob.reads(begin, "begin")
}

// A failed call of any other kind changes nothing either.
func TestFailedCalls(t *testing.T) {
	alice, bob := newPair(t, hybrid)
	for name, call := range map[string]func() (Session, error){
		"nothing to send on":   func() (Session, error) { s, _, err := Encrypt(alice.s, nil); return s, err },
		"too long":             func() (Session, error) { s, _, err := Encrypt(alice.s, make([]byte, MaxPlaintext+1)); return s, err },
		"another device":       func() (Session, error) { return Initiate(alice.s, bob.d, alice.other) },
		"another peer":         func() (Session, error) { return Initiate(alice.s, alice.d, bob.other) },
		"no peer":              func() (Session, error) { return Initiate(alice.s, alice.d, Peer{}) },
		"reads with another's": func() (Session, error) { s, _, err := Decrypt(alice.s, bob.d, nil); return s, err },
		"nothing to read":      func() (Session, error) { s, _, err := Decrypt(alice.s, alice.d, nil); return s, err },
	} {
		s, err := call()
		require.Error(t, err, name)
		require.True(t, s.Equal(alice.s), name)
	}
	_, err := New(alice.d, Peer{})
	require.ErrorIs(t, err, ErrNotReady)
	_, err = state.NewOne(alice.s.ID(), Pair{})
	require.ErrorIs(t, err, state.ErrIncomplete)
	_, err = state.NewOne(alice.d.ID(), Device{})
	require.ErrorIs(t, err, state.ErrIncomplete)
	h := newHuman(t, 1)
	_, err = New(h.devices[0], h.peer(t, 0, deployed))
	require.ErrorIs(t, err, ErrNotReady, "a device has no session with itself")
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
	older.generation--
	require.ErrorIs(t, older.Succeeds(alice.s.Part()), state.ErrStale)
}

func TestThreadsAreBounded(t *testing.T) {
	forms(t, func(t *testing.T, f form) {
		alice, bob := settled(t, f)
		for range 3 * maxThreads {
			alice.initiate()
			bob.reads(alice.send("again"), "again")
		}
		require.Equal(t, maxThreads, alice.s.Part().Sessions())
		require.Equal(t, maxThreads, bob.s.Part().Sessions())
		alice.reads(bob.send("still"), "still")
		// An initialization by the other side is not pushed out by many of one's own.
		bob.initiate()
		for range 3 * maxThreads {
			alice.initiate()
		}
		frame := bob.send("crossing")
		alice.reads(frame, "crossing")
	})
}

// Values are immutable and safe to share: everybody who continues from the same one gets the same.
func TestSharedValues(t *testing.T) {
	forms(t, func(t *testing.T, f form) {
		alice, bob := settled(t, f)
		first, second := alice.send("first"), alice.send("second")
		before := bob.s.Part().marshal()
		var wait sync.WaitGroup
		for range 4 {
			wait.Go(func() {
				b := *bob
				b.reads(second, "second")
				b.reads(first, "first")
				b.send("answer")
				b.initiate()
				a := *alice
				a.reads(b.send("again"), "again")
			})
		}
		wait.Wait()
		require.Equal(t, before, bob.s.Part().marshal())
	})
}

// A device that was set back to an old copy is refused when it begins again, and put right when the other side does.
func TestSetBack(t *testing.T) {
	alice, bob := settled(t, hybrid)
	old := alice.s
	for range 2 {
		alice.initiate()
		bob.reads(alice.send("newer"), "newer")
	}
	alice.s = old
	alice.initiate()
	current := bob.s.Part().threads[0].ephemeral
	frame := alice.send("read")
	bob.reads(frame, "read")
	bob.refuses(frame, ErrReplayed)
	require.True(t, bob.s.Part().threads[0].ephemeral.Equal(current), "and nothing is sent on it")
	alice.refuses(bob.send("lost"), ErrNotYet)
	bob.initiate()
	alice.reads(bob.send("begin"), "begin")
	bob.reads(alice.send("put right"), "put right")
	alice.reads(bob.send("again"), "again")
}

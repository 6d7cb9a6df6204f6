package session

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/box"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/frame"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
	"github.com/trefoil-im/trefoil/state"
)

func TestConversation(t *testing.T) {
	suites(t, func(t *testing.T, f suite) {
		alice, bob := started(t, f)
		first := alice.sendTo("hello")
		require.Equal(t, bob.d.Mailbox(), first.To, "an initiation goes to the device")
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
	suites(t, func(t *testing.T, f suite) {
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

// G9: nothing is read twice: neither a message nor an initiation, whatever was begun since.
func TestG9Replay(t *testing.T) {
	suites(t, func(t *testing.T, f suite) {
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
		alice.renew()
		bob.reads(keep(alice.send("5")), "5")
		for range 2 * maxSessions { // the first session is long gone
			alice.renew()
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

// A message of the hybrid suite travels without a box. Who puts it into one of its own reads nothing, and redirects nothing.
func TestRouteIsTheInitiators(t *testing.T) {
	alice, bob := settled(t, hybrid)
	f, err := frame.Parse(alice.send("text"))
	require.NoError(t, err)
	thief := keypair.GenerateSigningKey()
	i := initiation{person: alice.d.Person(), identity: alice.d.Identity(), message: f.Message,
		route: route{thief.Public().Address(), keypair.GenerateKey[key.Inbox]().Public()}, offer: &offer{generation: 9}}
	wrapped, err := box.Seal(bob.d.inbox.Public(), i.jsonWith(thief))
	require.NoError(t, err)
	bob.refuses(frame.Frame{Kind: frame.Classic, Box: wrapped}.Marshal(), ErrMalformed) // it has no form in JSON
	wrapped, err = box.Seal(bob.d.inbox.Public(), i.marshal())
	require.NoError(t, err)
	require.False(t, bob.reads(frame.Frame{Kind: frame.Initiation, Box: wrapped}.Marshal(), "text").Began)
	require.Equal(t, alice.s.Part().Mailbox(), bob.sendTo("answer").To)
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
	again, err := New(a.devices[0], b.peer(t, 0, classic))
	require.NoError(t, err)
	require.Equal(t, real.ID(), again.ID())
	require.Equal(t, real.ID(), a.devices[0].SlotID(b.address(), b.devices[0].Identity()))
}

// G12, G13: a long burst that is lost, at the beginning of a session or of a chain, stops nothing, although its sender has
// no reason to turn. What turns up of it is read.
func TestG13BurstLost(t *testing.T) {
	suites(t, func(t *testing.T, f suite) {
		alice, bob := started(t, f)
		late := alice.send("late")
		alice.lose(150)
		bob.reads(alice.send("first"), "first")
		alice.reads(bob.send("answer"), "answer")
		alice.lose(1000)
		alice.reads(bob.send("on the same chain"), "on the same chain")
		bob.reads(alice.send("still here"), "still here")
		bob.reads(late, "late")
	})
}

// G8: a failed frame changes nothing and destroys no session, and says by its verdict what becomes of it.
func TestG8FailedFramesChangeNothing(t *testing.T) {
	t.Parallel()
	suites(t, func(t *testing.T, f suite) {
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

// A message that overtakes the initiation it depends on waits for it.
func TestOvertaking(t *testing.T) {
	alice, bob := settled(t, hybrid)
	alice.initiate()
	begin := alice.send("begin")
	// Bob's answer needs to be read for alice to send without the initiation.
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
		"nothing to send on": func() (Session, error) { s, _, err := Encrypt(alice.s, day0, nil); return s, err },
		"too long": func() (Session, error) {
			s, _, err := Encrypt(alice.s, day0, make([]byte, MaxPlaintext+1))
			return s, err
		},
		"another device":       func() (Session, error) { return Initiate(alice.s, bob.d, alice.other) },
		"another peer":         func() (Session, error) { return Initiate(alice.s, alice.d, bob.other) },
		"no peer":              func() (Session, error) { return Initiate(alice.s, alice.d, directory.Peer{}) },
		"reads with another's": func() (Session, error) { s, _, err := Decrypt(alice.s, bob.d, nil); return s, err },
		"nothing to read":      func() (Session, error) { s, _, err := Decrypt(alice.s, alice.d, nil); return s, err },
	} {
		s, err := call()
		require.Error(t, err, name)
		require.True(t, s.Equal(alice.s), name)
	}
	_, err := New(alice.d, directory.Peer{})
	require.ErrorIs(t, err, ErrNotReady)
	_, err = state.NewOne(alice.s.ID(), Pair{})
	require.ErrorIs(t, err, state.ErrIncomplete)
	_, err = state.NewOne(alice.d.ID(), Device{})
	require.ErrorIs(t, err, state.ErrIncomplete)
	h := newHuman(t, 1)
	_, err = New(h.devices[0], h.peer(t, 0, classic))
	require.ErrorIs(t, err, ErrNotReady, "a device has no session with itself")
	_, _, err = Decrypt(Session{}, Device{}, nil)
	require.ErrorIs(t, err, ErrNotReady, "no device has none")
}

// Values are immutable and safe to share: everybody who continues from the same one gets the same.
func TestSharedValues(t *testing.T) {
	suites(t, func(t *testing.T, f suite) {
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

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

// G10, G15: between peers that run trefoil an initialization is accepted only if its generation is newer; no clock is asked.
func TestG15Generations(t *testing.T) {
	alice, bob := started(t, hybrid)
	first := alice.send("first")
	alice.initiate()
	second := alice.send("second")
	bob.reads(second, "second")
	bob.refuses(first, ErrReplayed)
	bob.reads(alice.send("third"), "third")
	require.Equal(t, uint64(2), bob.s.Part().generation)

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

// A peer that has signed for the post-quantum form is never agreed with in a weaker one, from either side.
func TestNoFallback(t *testing.T) {
	a, b := newHuman(t, 1), newHuman(t, 1)
	weak, strong := b.peer(t, 0, deployed), b.peer(t, 0, hybrid)

	alice := &party{t: t, d: a.devices[0], other: strong}
	var err error
	alice.s, err = New(alice.d, strong)
	require.NoError(t, err)
	same, err := Initiate(alice.s, alice.d, weak)
	require.ErrorIs(t, err, ErrUnverified)
	require.True(t, same.Equal(alice.s))

	// Bob knows that alice runs trefoil: an initialization of hers in the deployed form is not hers, or stripped.
	stripped := &party{t: t, d: a.devices[0], other: weak}
	stripped.s, err = New(stripped.d, weak)
	require.NoError(t, err)
	stripped.initiate()
	bob := &party{t: t, d: b.devices[0], other: a.peer(t, 0, hybrid)}
	bob.s, err = New(bob.d, bob.other)
	require.NoError(t, err)
	bob.refuses(stripped.send("weak"), ErrUnverified)

	// Even if he did not know, he knows after her first one.
	bob.s, err = New(bob.d, a.peer(t, 0, deployed))
	require.NoError(t, err)
	alice.initiate()
	bob.reads(alice.send("strong"), "strong")
	bob.refuses(stripped.send("weak"), ErrUnverified)
	_, err = Initiate(bob.s, bob.d, a.peer(t, 0, deployed))
	require.ErrorIs(t, err, ErrUnverified)
}

// The version, the generation, both identities and every key are bound into the key of the hybrid form.
func TestEverythingIsBoundIntoTheKey(t *testing.T) {
	a, b := newHuman(t, 1), newHuman(t, 1)
	d, e := a.devices[0], GenerateKey[Ephemeral]()
	device, keys, err := b.devices[0].Issue(2)
	require.NoError(t, err)
	b.devices[0] = device
	peer, err := b.peer(t, 0, hybrid).With(keys[0])
	require.NoError(t, err)
	f, o, key, err := agreeInitiate(d, e, peer, 7)
	require.NoError(t, err)
	require.Equal(t, hybrid, f)
	same, err := agreeAccept(device, a.address(), d.Identity(), e.Public(), &o)
	require.NoError(t, err)
	require.True(t, key.Equal(same))

	other := newHuman(t, 1)
	type side struct {
		d         Device
		person    Address
		identity  PublicKey[Identity]
		ephemeral PublicKey[Ephemeral]
		offer     *offer
	}
	for name, change := range map[string]func(*side){
		"form":       func(s *side) { s.offer = nil },
		"person":     func(s *side) { s.person = other.address() },
		"identity":   func(s *side) { s.identity = other.devices[0].Identity() },
		"ephemeral":  func(s *side) { s.ephemeral = GenerateKey[Ephemeral]().Public() },
		"generation": func(s *side) { s.offer.generation++ },
		"one-time":   func(s *side) { s.offer.oneTime = 2 },
		"none":       func(s *side) { s.offer.oneTime = 0 },
		"ciphertext": func(s *side) { s.offer.ciphertext[99] ^= 1 },
		"responder":  func(s *side) { s.d.person = other.address() },
		"inbox":      func(s *side) { s.d.inbox = GenerateKey[Inbox]() },
		"mailbox":    func(s *side) { s.d.mailbox = GenerateSigningKey() },
	} {
		copied := o
		s := side{device, a.address(), d.Identity(), e.Public(), &copied}
		change(&s)
		another, err := agreeAccept(s.d, s.person, s.identity, s.ephemeral, s.offer)
		require.NoError(t, err, name)
		require.False(t, key.Equal(another), name)
	}
	_, err = agreeAccept(device.Spend(1), a.address(), d.Identity(), e.Public(), &o)
	require.ErrorIs(t, err, ErrReplayed)
}

// A one-time pre-key serves one session.
func TestOneTimePreKeyIsSpent(t *testing.T) {
	a, b := newHuman(t, 1), newHuman(t, 1)
	device, keys, err := b.devices[0].Issue(1)
	require.NoError(t, err)
	b.devices[0] = device
	start := func() *party {
		p := &party{t: t, d: a.devices[0]}
		p.other, err = b.peer(t, 0, hybrid).With(keys[0])
		require.NoError(t, err)
		p.s, err = New(p.d, p.other)
		require.NoError(t, err)
		p.initiate()
		return p
	}
	alice := start()
	bob := &party{t: t, d: device}
	bob.s, err = New(device, a.peer(t, 0, hybrid))
	require.NoError(t, err)
	first, second := alice.send("first"), alice.send("second")
	require.Equal(t, uint32(1), bob.reads(first, "first").Spent)
	bob.d = bob.d.Spend(1)
	// What repeats the same initialization is read by the session that it began.
	require.Zero(t, bob.reads(second, "second").Spent)
	again := start()
	again.initiate() // of generation 2, but with the key that was used up
	bob.refuses(again.send("again"), ErrReplayed)
}

// G15: an initialization by anybody but the device of this slot is refused, whatever it says of itself.
func TestG15SlotOfOneDevice(t *testing.T) {
	forms(t, func(t *testing.T, f form) {
		a, b, m := newHuman(t, 2), newHuman(t, 1), newHuman(t, 1)
		bob := &party{t: t, d: b.devices[0]}
		var err error
		bob.s, err = New(bob.d, a.peer(t, 0, f))
		require.NoError(t, err)
		for name, d := range map[string]Device{"another person": m.devices[0], "another device": a.devices[1]} {
			p := &party{t: t, d: d, other: b.peer(t, 0, f)}
			p.s, err = New(p.d, p.other)
			require.NoError(t, err)
			p.initiate()
			frame := p.send("text")
			claim, err := bob.d.Claim(frame)
			require.NoError(t, err)
			require.Equal(t, d.Person(), claim.Person)
			require.True(t, claim.Identity.Equal(d.Identity()), name)
			bob.refuses(frame, ErrUnverified)
			// One that lies about who it is does not agree on the key.
			liar := p.s.Part()
			liar.person, liar.self = a.address(), a.devices[0].Identity()
			_, out, err := Encrypt(p.s.With(liar), []byte("text"))
			require.NoError(t, err)
			bob.refuses(out.Frame, ErrForged)
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

// What the deployed client holds goes on here.
func TestImport(t *testing.T) {
	alice, bob := settled(t, deployed)
	flying := bob.send("in flight")
	p := alice.s.Part()
	raw, err := p.threads[0].ratchet.JSON()
	require.NoError(t, err)
	r, err := ParseRatchetJSON(raw)
	require.NoError(t, err)
	moved, err := Import(alice.d, alice.other, DeployedSession{
		Ephemeral: p.threads[0].ephemeral, Ratchet: r, Mailbox: p.mailbox, Inbox: p.inbox,
		PeerMailbox: p.route.mailbox, PeerInbox: p.route.inbox})
	require.NoError(t, err)
	alice.s = moved
	alice.reads(flying, "in flight")
	out := alice.sendTo("moved")
	require.Equal(t, bob.s.Part().Mailbox(), out.To)
	bob.reads(out.Frame, "moved")

	_, err = Import(alice.d, alice.other, DeployedSession{Ephemeral: p.threads[0].ephemeral, Ratchet: r})
	require.ErrorIs(t, err, ErrNotReady)
}

// An unanswered session of the deployed client goes on repeating its initialization.
func TestImportUnanswered(t *testing.T) {
	alice, bob := started(t, deployed)
	first := alice.send("first")
	p := alice.s.Part()
	raw, err := p.threads[0].ratchet.JSON()
	require.NoError(t, err)
	r, err := ParseRatchetJSON(raw)
	require.NoError(t, err)
	alice.s, err = Import(alice.d, alice.other, DeployedSession{
		Ephemeral: p.threads[0].ephemeral, Ratchet: r, Mailbox: p.mailbox, Inbox: p.inbox})
	require.NoError(t, err)
	require.True(t, bob.reads(alice.send("second"), "second").Began)
	bob.reads(first, "first")
	alice.reads(bob.send("answer"), "answer")
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
				for _, bad := range [][]byte{flip(good, i), good[:i], append(good[:i:i], 0xff)} {
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

// A responder tells a deployed peer once where it reads, in its first answer; what follows is the bare message.
func TestDeployedAnswers(t *testing.T) {
	alice, bob := started(t, deployed)
	bob.reads(alice.send("hello"), "hello")
	for i, says := range []string{`"type":"direct"`, `"protocol_identifier":512`, `"protocol_identifier":512`} {
		out := bob.sendTo(fmt.Sprint(i))
		require.Equal(t, alice.s.Part().Mailbox(), out.To)
		box, err := DeployedBox(out.Frame)
		require.NoError(t, err)
		plain, err := box.Open(alice.s.Part().inbox)
		require.NoError(t, err)
		require.Contains(t, string(plain), says)
		require.Equal(t, i == 0, len(plain) > 0 && string(plain[:24]) == `{"return_inbox_address":`)
		alice.reads(DeployedFrame(box), fmt.Sprint(i))
	}
	hybridAlice, _ := settled(t, hybrid)
	_, err := DeployedBox(hybridAlice.send("text"))
	require.ErrorIs(t, err, ErrMalformed)
}

// Two devices of which one learns late that the other runs trefoil go on in the stronger form, however many sessions they
// had before.
func TestUpgrade(t *testing.T) {
	a, b := newHuman(t, 1), newHuman(t, 1)
	alice := &party{t: t, d: a.devices[0], other: b.peer(t, 0, deployed)}
	bob := &party{t: t, d: b.devices[0], other: a.peer(t, 0, deployed)}
	var err error
	for _, p := range []*party{alice, bob} {
		p.s, err = New(p.d, p.other)
		require.NoError(t, err)
	}
	alice.initiate()
	bob.reads(alice.send("deployed"), "deployed")
	for range 3 {
		bob.initiate() // counted here, and never heard of there
	}
	alice.other = b.peer(t, 0, hybrid)
	alice.initiate()
	require.True(t, bob.reads(alice.send("hybrid"), "hybrid").Began)
	require.True(t, bob.s.Part().IsPostQuantum())
	alice.reads(bob.send("answer"), "answer")
	require.True(t, alice.s.Part().IsPostQuantum())
	require.ErrorIs(t, func() error { _, err := Initiate(bob.s, bob.d, bob.other); return err }(), ErrUnverified)
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

package session

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/box"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/frame"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/sentlog"
	"github.com/trefoil-im/trefoil/state"
)

// takes gives frames to one side as a vault does, which keeps what is noted of those that are not read. It returns what was read.
func (p *party) takes(frames ...[]byte) (texts []string) {
	p.t.Helper()
	for _, f := range frames {
		next, r, err := decrypt(p.s, p.d, f)
		require.NoError(p.t, next.Part().Succeeds(p.s.Part()))
		p.s = next
		if err == nil && !r.Silent {
			texts = append(texts, string(r.Plaintext()))
		}
	}
	return texts
}

// maintain does what is due, and returns what is to be sent.
func (p *party) maintain(now time.Time) (frames [][]byte, events []state.Event) {
	p.t.Helper()
	next, out, events, err := maintain(p.s.Part(), p.d, p.other, now)
	require.NoError(p.t, err)
	require.NoError(p.t, next.Succeeds(p.s.Part()))
	p.s = p.s.With(next)
	for _, o := range out {
		frames = append(frames, o.Frame)
	}
	return frames, events
}

// heals lets the reader tell the writer what it has not read, and returns what it reads then.
func (p *party) heals(writer *party, now time.Time) []string {
	p.t.Helper()
	told, _ := p.maintain(now)
	writer.takes(told...)
	again, _ := writer.maintain(now)
	return p.takes(again...)
}

// A one-time pre-key that a directory hands out twice costs the second initiator one notice: its first messages are read.
func TestOneTimeHandedOutTwice(t *testing.T) {
	ann, cleo, bob := newHuman(t, 1), newHuman(t, 1), newHuman(t, 1)
	device, keys, err := bob.devices[0].Issue(1)
	require.NoError(t, err)
	bob.devices[0] = device
	sides := func(h *human) (there, here *party) {
		peer, err := bob.peer(t, 0, hybrid).WithOneTime(keys[0])
		require.NoError(t, err)
		there = &party{t: t, d: h.devices[0], other: peer}
		here = &party{t: t, d: device, other: h.peer(t, 0, hybrid)}
		there.s, err = New(there.d, there.other)
		require.NoError(t, err)
		here.s, err = New(here.d, here.other)
		require.NoError(t, err)
		there.initiate()
		return there, here
	}
	first, atFirst := sides(ann)
	used := atFirst.reads(first.send("ann"), "ann").UsedOneTime
	second, atSecond := sides(cleo)
	atSecond.d = device.EraseOneTime(used)
	hello, again := second.send("hello"), second.send("are you there?")
	atSecond.refuses(hello, ErrOneTimeUsed)
	require.Empty(t, atSecond.takes(hello, again))
	require.Equal(t, Tasks{Tell: true}, atSecond.s.Part().Due(day0))
	told, events := atSecond.maintain(day0)
	require.Equal(t, []state.Event{Unread{cleo.address(), cleo.devices[0].Name()}}, events)
	require.Len(t, told, 1)
	require.Empty(t, second.takes(told[0]))
	require.Equal(t, Tasks{Heal: true}, second.s.Part().Due(day0))
	copies, events := second.maintain(day0)
	require.Equal(t, []state.Event{SentAgain{bob.address(), device.Name(), true, 2}}, events)
	require.Equal(t, []string{"hello", "are you there?"}, atSecond.takes(copies...))
	require.Empty(t, atSecond.takes(copies...))
	second.reads(atSecond.send("yes"), "yes")
	require.Equal(t, Tasks{}, second.s.Part().Due(day0))
	_, ok := second.s.Part().log.First()
	require.False(t, ok, "what was read is not kept")
}

// A slot from a backup says what it does not read, and reads it then, each message once.
func TestRestoredSlotHeals(t *testing.T) {
	alice, bob := settled(t, hybrid)
	backup := bob.s
	alice.initiate()
	bob.reads(alice.send("lost with the state"), "lost with the state")
	alice.reads(bob.send("answer"), "answer")
	bob.s = backup.With(backup.Part().Restore(day0))
	frames := [][]byte{alice.send("one"), alice.send("two")}
	require.Empty(t, bob.takes(frames...))
	require.Equal(t, []string{"one", "two"}, bob.heals(alice, day0))
	require.Empty(t, bob.heals(alice, day0))
	bob.initiate()
	alice.reads(bob.send("here again"), "here again")
	bob.reads(alice.send("good"), "good")
}

// Messages that no frame of arrives are sent again beside those that came in a wrong order, without a new session.
func TestLostMessagesAreSentAgain(t *testing.T) {
	alice, bob := settled(t, hybrid)
	var frames [][]byte
	for i := range 6 {
		frames = append(frames, alice.send(fmt.Sprint(i)))
	}
	require.Equal(t, []string{"3", "1"}, bob.takes(frames[3], frames[1]))
	bob.takes(flip(frames[0], 60))
	require.Equal(t, []string{"0", "2", "4", "5"}, bob.heals(alice, day0))
	require.Equal(t, 1, alice.s.Part().Sessions())
	require.Empty(t, bob.takes(frames...), "what was sent again is not read again")
	alice.reads(bob.send("thanks"), "thanks")
	_, ok := alice.s.Part().log.First()
	require.False(t, ok)
}

// Whoever damages frames, or sends garbage, makes a device speak once in 10 minutes.
func TestNoticesAreBounded(t *testing.T) {
	alice, bob := settled(t, hybrid)
	template := alice.send("text")
	told := 0
	for minute := range 60 {
		bob.takes(flip(template, 60), flip(template, 61))
		frames, _ := bob.maintain(day0.Add(time.Duration(minute) * time.Minute))
		told += len(frames)
		alice.takes(frames...)
		alice.maintain(day0.Add(time.Duration(minute) * time.Minute))
	}
	require.Equal(t, 6, told)
	require.LessOrEqual(t, alice.s.Part().Sessions(), told, "none is begun for the first notice, and one for each other at most")
	// A clock that was wrong does not silence anybody.
	bob.takes(flip(template, 60))
	frames, _ := bob.maintain(day0.Add(-24 * time.Hour))
	require.Len(t, frames, 1)
}

// What is known not to be of the peer's, and what was read before, is no reason to say anything.
func TestNoNotice(t *testing.T) {
	alice, bob := settled(t, hybrid)
	frame := alice.send("text")
	bob.reads(frame, "text")
	stranger, _ := started(t, hybrid)
	bob.takes(frame, []byte("garbage"), stranger.send("text"))
	require.Equal(t, Tasks{}, bob.s.Part().Due(day0))
	weak, _ := settled(t, classic)
	weak.takes(flip(frame, 60))
	require.Equal(t, Tasks{}, weak.s.Part().Due(day0))
}

// A notice counts once, and only if the peer's device wrote it for this one.
func TestForgedNotice(t *testing.T) {
	alice, bob := settled(t, hybrid)
	other, _ := settled(t, hybrid)
	bob.takes(flip(alice.send("text"), 60))
	frames, _ := bob.maintain(day0)
	genuine := frames[0]
	require.NotContains(t, string(genuine), string(bob.d.person[:]), "a relay does not learn who wrote it")
	other.refuses(genuine, ErrBeforeDevice)

	p := bob.s.Part()
	seal := func(n func(*notice)) []byte {
		made := notice{number: p.notices + 1, person: p.person, identity: p.identity, mailbox: bob.d.mailbox.Public(), above: 1}
		n(&made)
		return noticeFrame(t, made, alice)
	}
	signed := func(n *notice) { *n = n.sign(alice.d.person, alice.d.Entry(), bob.d.mailbox) }
	for name, change := range map[string]func(*notice){
		"unsigned":       func(*notice) {},
		"changed":        func(n *notice) { signed(n); n.above++ },
		"for another":    func(n *notice) { *n = n.sign(alice.d.person, bob.d.Entry(), bob.d.mailbox) },
		"another person": func(n *notice) { n.person = alice.d.person; signed(n) },
		"another device": func(n *notice) { n.identity = alice.d.Identity(); signed(n) },
		"another mailbox": func(n *notice) {
			n.mailbox = p.mailbox.Public()
			*n = n.sign(alice.d.person, alice.d.Entry(), p.mailbox)
		},
	} {
		alice.refuses(seal(change), ErrUnverified)
		require.Equal(t, Tasks{}, alice.s.Part().Due(day0), name)
	}
	slot, err := New(alice.d, alice.other)
	require.NoError(t, err)
	fresh := &party{t: t, d: alice.d, s: slot}
	fresh.refuses(seal(signed), ErrUnverified) // nothing was said in it
	alice.takes(seal(signed))
	require.Equal(t, Tasks{Heal: true}, alice.s.Part().Due(day0))
	alice.maintain(day0)
	alice.refuses(seal(signed), ErrReplayed)
	alice.refuses(genuine, ErrReplayed)
}

func noticeFrame(t *testing.T, n notice, to *party) []byte {
	b, err := box.Seal(to.d.inbox.Public(), n.marshal())
	require.NoError(t, err)
	return frame.Frame{Kind: frame.Notice, Box: b}.Marshal()
}

// A session that the peer needs waits until the peer shows that it knows the suite; the rest is done meanwhile.
func TestHealingWaitsForTheBundle(t *testing.T) {
	a, b := newHuman(t, 1), newHuman(t, 1)
	slot, err := New(a.devices[0], b.peer(t, 0, hybrid))
	require.NoError(t, err)
	alice := &party{t: t, d: a.devices[0], s: slot, other: b.peer(t, 0, hybrid)}
	alice.initiate()
	alice.send("text")
	p := alice.s.Part()
	p.asked, p.unheard, p.unread, p.again = true, true, true, []uint64{1}
	alice.s = alice.s.With(p)
	alice.other = b.peer(t, 0, classic)
	frames, events := alice.maintain(day0)
	require.Len(t, frames, 1)
	require.Equal(t, []state.Event{Unread{b.address(), b.devices[0].Name()}}, events)
	require.Equal(t, Tasks{Heal: true}, alice.s.Part().Due(day0))
	alice.other = b.peer(t, 0, hybrid)
	frames, _ = alice.maintain(day0)
	require.Len(t, frames, 1)
	require.Equal(t, Tasks{}, alice.s.Part().Due(day0))
}

// A message that is given up in the log is not asked for for ever, and what the peer has read is not kept.
func TestLogIsCut(t *testing.T) {
	alice, bob := settled(t, hybrid)
	alice.send("lost")
	bob.reads(alice.send("read"), "read")
	alice.reads(bob.send("answer"), "answer")
	first, ok := alice.s.Part().log.First()
	require.True(t, ok, "a message before was not read")
	require.Equal(t, "lost", string(first.Expose()))
	require.Equal(t, Tasks{}, alice.s.Part().Due(day0.Add(sentlog.Keep-1)))
	later := day0.Add(sentlog.Keep)
	require.Equal(t, Tasks{Forget: true}, alice.s.Part().Due(later))
	alice.maintain(later)
	_, ok = alice.s.Part().log.First()
	require.False(t, ok)
	bob.reads(alice.send("on"), "on")
	alice.reads(bob.send("and on"), "and on")
	require.Equal(t, alice.s.Part().said, alice.s.Part().peerRead)

	for range 5 {
		alice.send(string(make([]byte, sentlog.MaxBytes/4)))
	}
	n := 0
	for range alice.s.Part().log.All {
		n++
	}
	require.Equal(t, 4, n)
	cleared := alice.s.Part().Clear()
	_, ok = cleared.log.First()
	require.False(t, ok)
	require.Equal(t, cleared.said, cleared.givenUp())
}

// A peer that renewed its keys gets again what it has not read.
func TestRenewedPeerGetsAgain(t *testing.T) {
	r := renewed(t, hybrid)
	r.alice.send("to the old keys")
	r.alice.refreshes(r.new)
	require.Equal(t, Tasks{Heal: true}, r.alice.s.Part().Due(day0))
	copies, _ := r.alice.maintain(day0)
	require.Equal(t, []string{"to the old keys"}, r.bob.takes(copies...))
}

// Many messages are sent again in parts.
func TestSentAgainInParts(t *testing.T) {
	alice, bob := settled(t, hybrid)
	var damaged []byte
	for i := range maxAgain + 3 {
		damaged = flip(alice.send(fmt.Sprint(i)), 60)
	}
	bob.takes(damaged)
	told, _ := bob.maintain(day0)
	alice.takes(told...)
	first, _ := alice.maintain(day0)
	require.Len(t, first, maxAgain)
	require.Equal(t, Tasks{Heal: true}, alice.s.Part().Due(day0))
	second, _ := alice.maintain(day0)
	require.Len(t, second, 3)
	require.Equal(t, Tasks{}, alice.s.Part().Due(day0))
	require.Len(t, bob.takes(slices.Concat(second, first)...), maxAgain+3)
}

// In a vault, with restarts: what was sent lies in the log, and Maintain and Opener do the rest.
func TestHealingInAVault(t *testing.T) {
	alice, bob, atAlice, atBob, toBob := stations(t)
	var want []string
	var lost []byte
	for i := range 30 {
		want = append(want, fmt.Sprint(i, string(bytes.Repeat([]byte("x"), 2000))))
		lost = alice.send(atAlice, want[i])
	}
	alice.restart()
	require.Equal(t, state.Retain, bob.receive(atBob, flip(lost, 60)).Verdict)
	bob.restart()
	bob.texts(atBob)
	require.NoError(t, bob.sessions.Update(t.Context(), atBob, Maintain(bob.device, directory.Peer{}, day0)))
	require.Equal(t, state.Read, alice.receive(atAlice, bob.flush(atBob)).Verdict)
	require.Len(t, alice.texts(atAlice), 1, "a notice is no text")
	require.NoError(t, alice.sessions.Update(t.Context(), atAlice, Maintain(alice.device, directory.Peer{}, day0)))
	require.Empty(t, alice.flush(atAlice), "without a peer nothing is begun")
	require.NoError(t, alice.sessions.Update(t.Context(), atAlice, Maintain(alice.device, toBob, day0)))
	for _, f := range alice.flushAll(atAlice) {
		require.Equal(t, state.Read, bob.receive(atBob, f).Verdict)
	}
	require.Equal(t, want, bob.texts(atBob))
	require.Contains(t, bob.events, state.Event(Unread{alice.device.Person(), alice.device.Name()}))
	require.Contains(t, alice.events, state.Event(SentAgain{bob.device.Person(), bob.device.Name(), false, 30}))
	for _, e := range append(alice.events, bob.events...) {
		require.NotEmpty(t, e.String())
		require.NotContains(t, e.String(), "xxxxxxxx")
	}
}

// A slot from a backup says so, too, if the session that it knows has gone on: to chains that it does not know, or, where it answers
// in the braid, into one that mixes the secret that is lost. The peer begins anew, although it hears nothing else.
func TestRestoredSlotHealsInAKnownSession(t *testing.T) {
	for _, answered := range []bool{false, true} {
		alice, bob := settled(t, hybrid)
		var backup Session
		for alice.epoch() == 0 {
			backup = bob.s
			for range 14 { // all of the answer, if it is time
				alice.reads(bob.send("text"), "text")
			}
			bob.reads(alice.send("text"), "text")
			for i := 0; !answered && i < 2; i++ {
				alice.reads(bob.send("on"), "on")
				bob.reads(alice.send("on"), "on")
			}
		}
		bob.s = backup.With(backup.Part().Restore(day0))
		one := alice.send("one")
		_, _, err := Decrypt(bob.s, bob.d, one)
		require.ErrorIs(t, err, map[bool]error{false: ErrNotYet, true: ErrMalformed}[answered])
		require.Empty(t, bob.takes(one))
		got := bob.heals(alice, day0)
		require.NotEmpty(t, got)
		require.Equal(t, "one", got[len(got)-1])
		require.Empty(t, bob.takes(one))
		require.Empty(t, bob.heals(alice, day0.Add(healEvery)))
		require.Equal(t, 2, alice.s.Part().Sessions(), "it is not begun again")
		bob.reads(alice.send("two"), "two")
		bob.initiate()
		alice.reads(bob.send("here again"), "here again")
		bob.reads(alice.send("good"), "good")
	}
}

// Somebody who stole the keys of a session and begins a chain in it parts the two sides: neither reads the other any more. They find
// each other in a new session when copies did not help, whichever side goes on.
func TestPartedSessionHeals(t *testing.T) {
	for _, both := range []bool{false, true} {
		alice, bob := settled(t, hybrid)
		thief := *alice
		text := bob.send("text")
		alice.reads(text, "text")
		thief.reads(text, "text")
		bob.reads(thief.send("by a thief"), "by a thief")

		alice.send("of a number that the thief has used")
		var got []string
		for i := range 3 {
			got = append(got, bob.takes(alice.send(fmt.Sprint(i)))...)
			if both {
				alice.takes(bob.send("from bob"))
			}
			got = append(got, bob.heals(alice, day0.Add(time.Duration(i)*healEvery))...)
		}
		require.Equal(t, []string{"0", "1", "2"}, got)
		require.LessOrEqual(t, alice.s.Part().Sessions(), 3)
		alice.takes(bob.send("answer"))
		for range 3 {
			bob.reads(alice.send("good"), "good")
			alice.reads(bob.send("and good"), "and good")
		}
	}
}

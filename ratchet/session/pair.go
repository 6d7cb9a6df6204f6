package session

import (
	"errors"
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/double"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
	"github.com/trefoil-im/trefoil/state"
)

// Pair is what one device holds about one other: where to send, and the sessions between the two. It is immutable, safe to
// share, and shows nothing when printed. It is the part of a Session.
type Pair struct {
	_      [0]func()
	person key.Address                 // one's own
	self   key.PublicKey[key.Identity] // the name of one's own device
	peer   key.Address                 // the person that the other device speaks for
	device directory.Entry             // what its person's registration says about it

	// The keys of one's own device that the sessions are made with.
	renewals uint32
	identity key.PublicKey[key.Identity]

	// Where this device reads answers, and where the other does; the latter is none until it was told. Neither changes
	// when a session is replaced. Clear draws the former anew.
	mailbox keypair.SigningKey
	inbox   keypair.PrivateKey[key.Inbox]
	route   route

	// pinned is the strongest suite that the other device has signed for or used. Nothing weaker is accepted or made.
	pinned     suite
	generation uint64 // the highest of any session, ever
	accepted   uint64 // the highest of a session that the other device began in the hybrid suite, ever
	moves      uint64 // how often this value was changed; never falls
	bundle     uint32 // the highest number of a bundle of the peer's that was used, ever
	restored   bool   // it comes from a backup, and has not begun a session since
	beginNext  bool   // a session is to be begun before the next message: the peer may not know the one to send on, or has not answered
	floor      uint64 // the generation of the first session that this side began after it was last restored, 0 for never
	homes      uint32 // how often mailbox and inbox were drawn anew; never falls
	waits      abilities
	healing
	seen     []seenInitiation
	sessions []ratchetSession // the one to send on first
}

// IsZero reports whether there is no pair. A Pair without sessions is not zero.
func (p Pair) IsZero() bool { return p.inbox.IsZero() }

// Mailbox is the address at which the device reads what the other sends in a session. It was made for this pair.
func (p Pair) Mailbox() key.Address { return p.mailbox.Public().Address() }

// MailboxKey is the key whose address that is. A relay asks for it and a signature (see Sign) before it lets a device read there.
func (p Pair) MailboxKey() key.VerifyKey { return p.mailbox.Public() }

// Sign signs a statement to a server with the key of the pair's mailbox, as Device.Sign does with that of the device's.
func (p Pair) Sign(statement []byte) []byte { return p.mailbox.Sign(key.Statement(statement)) }

// Peer returns the other device's person and name.
func (p Pair) Peer() (key.Address, key.PublicKey[key.Identity]) { return p.peer, p.device.Name() }

// Sessions returns the number of sessions side by side: 0 before the first one.
func (p Pair) Sessions() int { return len(p.sessions) }

// IsReady reports whether there is a session to send on that the peer is likely to read. It is false before the first one,
// after Restore, after the peer began a session as one does that was set back to an old copy, and once Maintain found that it has
// not answered for 30 days. Then Initiate; Send does.
func (p Pair) IsReady() bool { return len(p.sessions) > 0 && !p.restored && !p.beginNext }

// IsPostQuantum reports whether what is sent next goes through a session that was agreed in the hybrid suite.
func (p Pair) IsPostQuantum() bool { return len(p.sessions) > 0 && p.sessions[0].suite == hybrid }

// UsedOneTime returns the one-time pre-keys that the sessions held have used. OneTimeUsed reported each when its session
// began; after a restart give them to Device.EraseOneTime again, since the program may have ended in between.
func (p Pair) UsedOneTime() (ids []uint32) {
	for _, t := range p.sessions {
		if t.usedOneTime != 0 {
			ids = append(ids, t.usedOneTime)
		}
	}
	return ids
}

// String names both devices.
func (p Pair) String() string {
	return "session of " + p.self.String() + " with " + p.device.Name().String()
}

// GoString is String.
func (p Pair) GoString() string { return p.String() }

// Succeeds implements state.Part: a pair stays that of the same devices, and nothing of it goes back.
func (p Pair) Succeeds(prev Pair) error {
	if !p.self.Equal(prev.self) || !p.device.Name().Equal(prev.device.Name()) ||
		p.renewals < prev.renewals || p.device.Renewals() < prev.device.Renewals() ||
		!p.inbox.Equal(prev.inbox) && p.homes <= prev.homes || p.homes < prev.homes ||
		p.moves < prev.moves || p.pinned < prev.pinned ||
		p.said < prev.said || p.notices < prev.notices {
		return state.ErrStale
	}
	if p.renewals == prev.renewals && p.device.Renewals() == prev.device.Renewals() &&
		(p.generation < prev.generation || p.accepted < prev.accepted || p.bundle < prev.bundle || p.heard < prev.heard) {
		return state.ErrStale
	}
	return nil
}

// home is where the device reads answers.
func (p Pair) home() route { return route{p.Mailbox(), p.inbox.Public()} }

// knows reports whether there is a session of that ephemeral key.
func (p Pair) knows(e key.PublicKey[key.Ephemeral]) bool {
	return slices.ContainsFunc(p.sessions, func(t ratchetSession) bool { return t.ephemeral.Equal(e) })
}

// waiting returns the pair with the note that a frame cannot be read for want of what the device, or this release, can do.
func (p Pair) waiting(a abilities) Pair {
	p.waits = a
	p.moves++
	return p
}

// routed returns the pair with where the other side reads now, if it said so.
func (p Pair) routed(r route) Pair {
	if !r.isZero() {
		p.route = r
	}
	return p
}

// with returns the pair with a new session. If they become too many, one is dropped.
func (p Pair) with(t ratchetSession) Pair {
	p.sessions = append(slices.Clone(p.sessions), t)
	slices.SortFunc(p.sessions, ratchetSession.compare)
	if len(p.sessions) > maxSessions {
		p.sessions = p.withoutOne()
	}
	p.generation = max(p.generation, t.generation)
	p.pinned = max(p.pinned, t.suite)
	p.moves++
	return p
}

// withoutOne drops the session that ranks lowest of those that the peer is not likely to send on. It keeps the session to send
// on, the newest of one's own that is unanswered, the highest one in which the peer was read (in the hybrid suite, where both
// sides rank sessions alike, the peer sends on that one or on one above it), and the two in which the peer was read last.
func (p Pair) withoutOne() []ratchetSession {
	keep := []int{0,
		slices.IndexFunc(p.sessions, func(t ratchetSession) bool { return t.awaitingReply }),
		slices.IndexFunc(p.sessions, func(t ratchetSession) bool { return t.lastRead != 0 })}
	for range 2 {
		last := -1
		for i, t := range p.sessions {
			if t.lastRead != 0 && !slices.Contains(keep[3:], i) && (last < 0 || t.lastRead > p.sessions[last].lastRead) {
				last = i
			}
		}
		keep = append(keep, last)
	}
	for i := len(p.sessions) - 1; ; i-- {
		if !slices.Contains(keep, i) {
			return slices.Delete(p.sessions, i, i+1)
		}
	}
}

// replace returns the pair with session i in another state.
func (p Pair) replace(i int, t ratchetSession) Pair {
	p.sessions = slices.Clone(p.sessions)
	p.sessions[i] = t
	p.moves++
	return p
}

// preferred follows the other side's choice in the classic suite, where both count generations by themselves: if it was
// read that session i, of one's own, is answered although another one of the other side's comes first here, then it does not
// come first there. Was is the session before.
func (p Pair) preferred(i int, was ratchetSession) Pair {
	if was.suite != classic || !was.awaitingReply || i == 0 || p.sessions[0].awaitingReply {
		return p
	}
	p.generation++
	p.sessions[i].generation = p.generation
	slices.SortFunc(p.sessions, ratchetSession.compare)
	return p
}

// initiate makes a session that this side began the one to send on: a new one of a generation above all others, or an
// unanswered one.
func (p Pair) initiate(d Device, peer directory.Peer) (Pair, error) {
	p, err := p.checked(d, peer)
	if err != nil {
		return p, err
	}
	if next, ok := p.initiateAgain(peer); ok && !p.restored && !p.beginNext {
		return next, nil
	}
	return p.begin(d, peer)
}

// checked returns the pair for the keys that both devices have now, if a session may be begun with those of the peer.
func (p Pair) checked(d Device, peer directory.Peer) (Pair, error) {
	next, err := p.refreshed(d, peer)
	if err != nil {
		return p, err
	}
	if !peer.IsHybrid() && next.pinned == hybrid {
		return p, fmt.Errorf("%w: the peer has signed for a stronger suite", ErrUnverified)
	}
	if bundle, ok := peer.Bundle(); ok && bundle.Number() < next.bundle {
		return p, fmt.Errorf("%w: a bundle that was replaced", ErrUnverified)
	}
	return next, nil
}

// begin is initiate without the checks, and always begins a session.
func (p Pair) begin(d Device, peer directory.Peer) (Pair, error) {
	e := keypair.GenerateKey[key.Ephemeral]()
	f, o, key, err := agreeInitiate(d, e, peer, p.generation+1, p.accepted)
	if err != nil {
		return p, err
	}
	r, err := double.StartSending(f.form(), key, e, peer.PreKey())
	if err != nil {
		return p, err
	}
	t, err := newRatchetSession(f, p.generation+1, e.Public(), r)
	if err != nil {
		return p, err
	}
	t.awaitingReply = true
	if f == hybrid {
		t.offer = &o
	}
	next := p
	if len(p.sessions) > 0 && p.sessions[0].awaitingReply && !p.sessions[0].ratchet.HasSent() {
		next.sessions = p.sessions[1:] // nobody can answer it
	}
	next = next.with(t)
	next.device = peer.Entry()
	next.bundle = max(p.bundle, o.bundle)
	if p.restored {
		next.floor = t.generation
	}
	next.restored, next.beginNext = false, false
	return next, nil
}

// initiateAgain returns the pair with its own unanswered session as the one to send on, if there is one that was made with the
// same keys of the peer: the peer may answer it at any time, so it must not be dropped, however often a program begins.
func (p Pair) initiateAgain(peer directory.Peer) (Pair, bool) {
	i := slices.IndexFunc(p.sessions, func(t ratchetSession) bool { return t.awaitingReply })
	if i < 0 || !peer.Entry().Equal(p.device) {
		return p, false
	}
	oneTime, _ := peer.OneTime()
	bundle, _ := peer.Bundle()
	switch offer := p.sessions[i].offer; {
	case (offer != nil) != peer.IsHybrid() || offer != nil && (offer.oneTime != oneTime.ID() || offer.bundle != bundle.Number()):
		return p, false // of other keys
	case i == 0:
		return p, true
	case offer != nil:
		return p, false // its generation is bound into its keys, and the peer has begun a newer one
	}
	t := p.sessions[i]
	p.generation++
	t.generation = p.generation
	p = p.replace(i, t)
	slices.SortFunc(p.sessions, ratchetSession.compare)
	return p, true
}

// read opens a message with whichever session has the key, and returns that session. On error the pair returned is p, or notes
// what the frame waits for.
func (p Pair) read(m double.Message) (Pair, ratchetSession, Received, error) {
	failure := error(double.ErrNoKey)
	for i, t := range p.sessions {
		next, content, due, err := t.read(m)
		if err == nil {
			next.lastRead = p.moves + 1
			out, r, err := p.replace(i, next).preferred(i, t).received(next.suite, content)
			r.retry = due
			return out, next, r, err
		}
		if errors.Is(err, double.ErrAhead) {
			return p.replace(i, next), next, Received{}, err
		}
		if !errors.Is(err, double.ErrNoKey) {
			failure = err // it is a message of this session
		}
	}
	return p, ratchetSession{}, Received{}, failure
}

// readInitiation opens the message in an initiation, with the session that it began or, if it is new, with one that begins
// now. The deployed client also answers with initiations.
func (p Pair) readInitiation(d Device, i initiation) (Pair, Received, error) {
	if i.person != p.peer || !i.identity.Equal(p.device.Identity()) {
		return p, Received{}, fmt.Errorf("%w: an initiation by another device", ErrUnverified)
	}
	next, t, r, err := p.read(i.message)
	switch {
	case err == nil && (t.suite == classic || t.ephemeral.Equal(i.ephemeral)):
		return next.routed(i.route), r, nil
	case err == nil:
		// Messages of the hybrid suite travel without a box, so anybody may have put this one into a box of its own. Only
		// who began the session can make the box that goes with it.
		return next, r, nil
	case p.knows(i.ephemeral) || !errors.Is(err, double.ErrNoKey):
		return next, Received{}, err
	}
	return p.accept(d, i)
}

// accept begins the session that an initiation asks for, if that is new and its message authenticates.
func (p Pair) accept(d Device, i initiation) (Pair, Received, error) {
	generation, err := p.admits(i)
	switch {
	case slices.ContainsFunc(p.seen, func(s seenInitiation) bool { return s.name == nameOf(i.ephemeral) }):
		return p, Received{}, fmt.Errorf("%w: %w", ErrReplayed, errGone)
	case err != nil:
		return p, Received{}, err
	}
	key, preKey, err := agreeAccept(d, p.peer, i.identity, i.ephemeral, i.offer)
	if err != nil {
		return p, Received{}, err
	}
	t, err := newRatchetSession(i.suite(), generation, i.ephemeral, double.StartReceiving(i.suite().form(), key, preKey, i.ephemeral))
	if err != nil {
		return p, Received{}, err
	}
	t, content, _, err := t.read(i.message)
	switch {
	case errors.Is(err, double.ErrNoKey):
		return p, Received{}, fmt.Errorf("%w: initiation", ErrForged)
	case err != nil:
		return p, Received{}, err
	}
	t.introduce, t.lastRead, t.ahead = true, p.moves+1, aheadBefore()
	if i.offer != nil {
		t.usedOneTime = i.offer.oneTime
	}
	next, r, err := p.with(t).received(t.suite, content)
	if err != nil {
		return p, Received{}, err
	}
	r.Began, r.retry = true, true
	r.UsedOneTime = t.usedOneTime
	if i.offer != nil {
		next.accepted = max(p.accepted, i.offer.generation)
	}
	next.seen = next.remember(i)
	next.generation = max(next.generation, next.accepted)
	next.beginNext, next.unread = next.isSetBack(i), false // what is still unread is tried again, and noted again
	if i.offer == nil || next.accepted > p.accepted {      // one that was overtaken does not say where to answer now
		next = next.routed(i.route)
	}
	return next, r, nil
}

// admits decides whether an initiation is new, and returns the generation by which its session ranks. One that was overtaken
// by a newer one reads what is sent in it, and ranks below, so that nothing is ever sent on it.
func (p Pair) admits(i initiation) (uint64, error) {
	switch {
	case i.suite() < p.pinned:
		return 0, fmt.Errorf("%w: an initiation weaker than what the peer can do", ErrUnverified)
	case i.offer != nil && i.offer.generation == 0:
		return 0, fmt.Errorf("%w: generation", ErrMalformed)
	case i.offer != nil && i.offer.generation <= p.accepted:
		if p.accepted-i.offer.generation >= maxLate {
			return 0, fmt.Errorf("%w: %w", ErrReplayed, errGone)
		}
		return p.below(min(i.offer.generation, p.accepted-1), i), nil
	case i.offer != nil && i.offer.generation > p.generation && i.offer.generation-p.generation > maxGenerationStep:
		return 0, fmt.Errorf("%w: generation", ErrMalformed)
	case i.offer != nil:
		return p.below(i.offer.generation, i), nil
	case len(p.sessions) > 0 && p.sessions[0].awaitingReply:
		// Both sides began at once, as far as can be seen here. The other side sees the same and gives its own the same
		// rank as ours, so both choose the same.
		return p.sessions[0].generation, nil
	}
	return p.generation + 1, nil
}

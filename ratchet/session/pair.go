package session

import (
	"crypto/sha256"
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
	self   key.PublicKey[key.Identity] // one's own device
	peer   key.Address                 // the person that the other device speaks for
	device directory.Entry             // what its person's registration says about it

	// Where this device reads answers, and where the other does; the latter is none until it was told. Neither changes
	// when a session is replaced.
	mailbox keypair.SigningKey
	inbox   keypair.PrivateKey[key.Inbox]
	route   route

	// pinned is the strongest suite that the other device has signed for or used. Nothing weaker is accepted or made.
	pinned     suite
	generation uint64 // the highest of any session, ever
	accepted   uint64 // the highest of a session that the other device began in the hybrid suite, ever
	moves      uint64 // how often this value was changed; never falls
	ahead      bool   // a frame was too far ahead of its chain, and may be read when the chain has moved
	seen       [][sha256.Size]byte
	sessions   []ratchetSession // the one to send on first
}

// IsZero reports whether there is no pair. A Pair without sessions is not zero.
func (p Pair) IsZero() bool { return p.inbox.IsZero() }

// Mailbox is the address at which the device reads what the other sends in a session. It was made for this pair.
func (p Pair) Mailbox() key.Address { return p.mailbox.Public().Address() }

// MailboxKey is the key that signs for that address.
func (p Pair) MailboxKey() keypair.SigningKey { return p.mailbox }

// Peer names the other device and its person.
func (p Pair) Peer() (key.Address, key.PublicKey[key.Identity]) { return p.peer, p.device.Identity() }

// Sessions returns the number of sessions side by side: 0 before the first one.
func (p Pair) Sessions() int { return len(p.sessions) }

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
	return "session of " + p.self.String() + " with " + p.device.Identity().String()
}

// GoString is String.
func (p Pair) GoString() string { return p.String() }

// Succeeds implements state.Part: a pair stays that of the same devices, and nothing of it goes back.
func (p Pair) Succeeds(prev Pair) error {
	if !p.self.Equal(prev.self) || !p.device.Identity().Equal(prev.device.Identity()) || !p.inbox.Equal(prev.inbox) ||
		p.generation < prev.generation || p.accepted < prev.accepted || p.moves < prev.moves || p.pinned < prev.pinned {
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

// withAhead returns the pair with the note that a frame waits for a chain to move on.
func (p Pair) withAhead() Pair {
	p.ahead = true
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
	switch {
	case !d.identity.Public().Equal(p.self):
		return p, fmt.Errorf("%w: another device's session", ErrNotReady)
	case peer.Person() != p.peer || !peer.Identity().Equal(p.device.Identity()):
		return p, fmt.Errorf("%w: another peer", ErrUnverified)
	case !peer.IsHybrid() && p.pinned == hybrid:
		return p, fmt.Errorf("%w: the peer has signed for a stronger suite", ErrUnverified)
	}
	if next, ok := p.initiateAgain(peer); ok {
		return next, nil
	}
	return p.begin(d, peer)
}

// begin is initiate without the checks, and always begins a session.
func (p Pair) begin(d Device, peer directory.Peer) (Pair, error) {
	e := keypair.GenerateKey[key.Ephemeral]()
	f, o, key, err := agreeInitiate(d, e, peer, p.generation+1)
	if err != nil {
		return p, err
	}
	r, err := double.StartSending(key, e, peer.Entry().PreKey())
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
	switch offer := p.sessions[i].offer; {
	case (offer != nil) != peer.IsHybrid() || offer != nil && offer.oneTime != oneTime.ID():
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

// read opens a message with whichever session has the key, and returns that session.
func (p Pair) read(m double.Message) (Pair, ratchetSession, Received, error) {
	failure := error(double.ErrNoKey)
	for i, t := range p.sessions {
		next, content, err := t.read(m)
		if err == nil {
			next.lastRead = p.moves + 1
			out, r, err := p.replace(i, next).preferred(i, t).received(next.suite, content)
			r.newChain = !next.ratchet.Remote().Equal(t.ratchet.Remote())
			return out, next, r, err
		}
		if !errors.Is(err, double.ErrNoKey) {
			failure = err // it is a message of this session
		}
	}
	return p, ratchetSession{}, Received{}, failure
}

// received takes apart what a message of a session said: between devices that run trefoil, where to answer stands before the
// text.
func (p Pair) received(f suite, content []byte) (Pair, Received, error) {
	if f == classic {
		return p, Received{Plaintext: content}, nil
	}
	r, text, err := parseContent(content)
	if err != nil {
		return p, Received{}, err
	}
	return p.routed(r), Received{Plaintext: text}, nil
}

// readInitiation opens the message in an initiation, with the session that it began or, if it is new, with one that begins
// now. The deployed client also answers with initiations.
func (p Pair) readInitiation(d Device, i initiation) (Pair, Received, error) {
	if i.person != p.peer || !i.identity.Equal(p.device.Identity()) {
		return p, Received{}, fmt.Errorf("%w: an initialization by another device", ErrUnverified)
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
		return p, Received{}, err
	}
	return p.accept(d, i)
}

// accept begins the session that an initiation asks for, if that is new and its message authenticates.
func (p Pair) accept(d Device, i initiation) (Pair, Received, error) {
	name := sha256.Sum256(i.ephemeral.Bytes())
	generation, err := p.admits(i)
	switch {
	case slices.Contains(p.seen, name):
		return p, Received{}, fmt.Errorf("%w: initialization", ErrReplayed)
	case err != nil:
		return p, Received{}, err
	}
	key, err := agreeAccept(d, p.peer, i.identity, i.ephemeral, i.offer)
	if err != nil {
		return p, Received{}, err
	}
	t, err := newRatchetSession(i.suite(), generation, i.ephemeral, double.StartReceiving(key, d.preKey, i.ephemeral))
	if err != nil {
		return p, Received{}, err
	}
	t, content, err := t.read(i.message)
	switch {
	case errors.Is(err, double.ErrNoKey):
		return p, Received{}, fmt.Errorf("%w: initialization", ErrForged)
	case err != nil:
		return p, Received{}, err
	}
	t.introduce, t.lastRead = true, p.moves+1
	if i.offer != nil {
		t.usedOneTime = i.offer.oneTime
	}
	next, r, err := p.with(t).received(t.suite, content)
	if err != nil {
		return p, Received{}, err
	}
	next.seen = append(slices.Clone(p.seen), name)
	if len(next.seen) > maxSeen {
		next.seen = next.seen[1:]
	}
	r.Began = true
	r.UsedOneTime = t.usedOneTime
	if i.offer != nil {
		next.accepted = max(p.accepted, i.offer.generation)
	}
	if i.offer == nil || next.accepted > p.accepted { // one that was overtaken does not say where to answer now
		next = next.routed(i.route)
	}
	return next, r, nil
}

// admits decides whether an initiation is new, and returns the generation by which its session ranks. One that was overtaken
// by a newer one reads what is sent in it, and ranks below, so that nothing is ever sent on it.
func (p Pair) admits(i initiation) (uint64, error) {
	switch {
	case i.suite() < p.pinned:
		return 0, fmt.Errorf("%w: an initialization weaker than what the peer can do", ErrUnverified)
	case i.offer != nil && i.offer.generation == 0:
		return 0, fmt.Errorf("%w: generation", ErrMalformed)
	case i.offer != nil && i.offer.generation <= p.accepted:
		if p.accepted-i.offer.generation >= maxLate {
			return 0, fmt.Errorf("%w: generation", ErrReplayed)
		}
		return min(i.offer.generation, p.accepted-1), nil
	case i.offer != nil && i.offer.generation > p.generation && i.offer.generation-p.generation > maxGenerationStep:
		return 0, fmt.Errorf("%w: generation", ErrMalformed)
	case i.offer != nil:
		return i.offer.generation, nil
	case len(p.sessions) > 0 && p.sessions[0].awaitingReply:
		// Both sides began at once, as far as can be seen here. The other side sees the same and gives its own the same
		// rank as ours, so both choose the same.
		return p.sessions[0].generation, nil
	}
	return p.generation + 1, nil
}

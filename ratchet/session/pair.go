package session

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/state"
)

// Pair is what one device holds about one other: where to send, and the sessions between the two. It is immutable, safe to
// share, and shows nothing when printed. It is the part of a Session.
type Pair struct {
	_      [0]func()
	person Address             // one's own
	self   PublicKey[Identity] // one's own device
	peer   Address             // the person that the other device speaks for
	device Entry               // what its person's registration says about it

	// Where this device reads answers, and where the other does; the latter is none until it was told. Neither changes
	// when a session is replaced.
	mailbox SigningKey
	inbox   PrivateKey[Inbox]
	route   route

	// pinned is the strongest form that the other device has signed for or used. Nothing weaker is accepted or made.
	pinned     form
	generation uint64 // the highest of any session, ever
	accepted   uint64 // the highest of a session that the other device began in the hybrid form, ever
	moves      uint64 // how often this value was changed; never falls
	ahead      bool   // a frame was too far ahead of its chain, and may be read when the chain has moved
	seen       [][sha256.Size]byte
	threads    []thread // the one to send on first
}

// IsZero reports whether there is no pair. A Pair without sessions is not zero.
func (p Pair) IsZero() bool { return p.inbox.IsZero() }

// Mailbox is the address at which the device reads what the other sends in a session. It was made for this pair.
func (p Pair) Mailbox() Address { return p.mailbox.public.Address() }

// MailboxKey is the key that signs for that address.
func (p Pair) MailboxKey() SigningKey { return p.mailbox }

// Peer names the other device and its person.
func (p Pair) Peer() (Address, PublicKey[Identity]) { return p.peer, p.device.identity }

// Sessions returns the number of sessions side by side: 0 before the first one.
func (p Pair) Sessions() int { return len(p.threads) }

// IsPostQuantum reports whether what is sent next goes through a session that was agreed in the post-quantum form.
func (p Pair) IsPostQuantum() bool { return len(p.threads) > 0 && p.threads[0].form == hybrid }

// Spent returns the one-time pre-keys that the sessions held have used up. They were told when each session began (see
// Received.Spent); after a restart give them to Device.Spend again, since the program may have ended in between.
func (p Pair) Spent() (ids []uint32) {
	for _, t := range p.threads {
		if t.spent != 0 {
			ids = append(ids, t.spent)
		}
	}
	return ids
}

// String names both devices.
func (p Pair) String() string {
	return "session of " + p.self.String() + " with " + p.device.identity.String()
}

// GoString is String.
func (p Pair) GoString() string { return p.String() }

// Succeeds implements state.Part: a pair stays that of the same devices, and nothing of it goes back.
func (p Pair) Succeeds(prev Pair) error {
	if !p.self.Equal(prev.self) || !p.device.identity.Equal(prev.device.identity) || !p.inbox.Equal(prev.inbox) ||
		p.generation < prev.generation || p.accepted < prev.accepted || p.moves < prev.moves || p.pinned < prev.pinned {
		return state.ErrStale
	}
	return nil
}

// home is where the device reads answers.
func (p Pair) home() route { return route{p.Mailbox(), p.inbox.public} }

// knows reports whether there is a session of that ephemeral key.
func (p Pair) knows(e PublicKey[Ephemeral]) bool {
	return slices.ContainsFunc(p.threads, func(t thread) bool { return t.ephemeral.Equal(e) })
}

// waiting returns the pair with the note that a frame waits for a chain to move on.
func (p Pair) waiting() Pair {
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

// with returns the pair with a new thread. If they become too many, the one that comes last of the others goes.
func (p Pair) with(t thread) Pair {
	p.threads = slices.Clone(p.threads[:min(len(p.threads), maxThreads-1)])
	p.threads = append(p.threads, t)
	slices.SortFunc(p.threads, thread.compare)
	p.generation = max(p.generation, t.generation)
	p.pinned = max(p.pinned, t.form)
	p.moves++
	return p
}

// replace returns the pair with thread i in another state.
func (p Pair) replace(i int, t thread) Pair {
	p.threads = slices.Clone(p.threads)
	p.threads[i] = t
	p.moves++
	return p
}

// preferred follows the other side's choice in the deployed form, where both count generations by themselves: if it was
// read that thread i, of one's own, is answered although another one of the other side's comes first here, then it does not
// come first there. Was is the thread before.
func (p Pair) preferred(i int, was thread) Pair {
	if was.form != deployed || !was.unanswered || i == 0 || p.threads[0].unanswered {
		return p
	}
	p.generation++
	p.threads[i].generation = p.generation
	slices.SortFunc(p.threads, thread.compare)
	return p
}

// initiate begins a session, of a generation above all others.
func (p Pair) initiate(d Device, peer Peer) (Pair, error) {
	switch {
	case !d.identity.public.Equal(p.self):
		return p, fmt.Errorf("%w: another device's session", ErrNotReady)
	case peer.person != p.peer || !peer.entry.identity.Equal(p.device.identity):
		return p, fmt.Errorf("%w: another peer", ErrUnverified)
	case peer.bundle == nil && p.pinned == hybrid:
		return p, fmt.Errorf("%w: the peer has signed for a stronger form", ErrUnverified)
	}
	e := GenerateKey[Ephemeral]()
	f, o, key, err := agreeInitiate(d, e, peer, p.generation+1)
	if err != nil {
		return p, err
	}
	r, err := startSending(key, e, peer.entry.preKey)
	if err != nil {
		return p, err
	}
	t, err := newThread(f, p.generation+1, e.public, r)
	if err != nil {
		return p, err
	}
	t.unanswered = true
	if f == hybrid {
		t.offer = &o
	}
	next := p.with(t)
	next.device = peer.entry
	return next, nil
}

// read opens a message with whichever thread has the key, and returns that thread.
func (p Pair) read(m Message) (Pair, thread, Received, error) {
	failure := error(ErrNotYet)
	for i, t := range p.threads {
		next, content, err := t.read(m)
		if err == nil {
			out, r, err := p.replace(i, next).preferred(i, t).received(next.form, content)
			r.turned = !next.ratchet.remote.Equal(t.ratchet.remote)
			return out, next, r, err
		}
		if !errors.Is(err, ErrNotYet) || errors.Is(err, errAhead) {
			failure = err // it is a message of this thread
		}
	}
	return p, thread{}, Received{}, failure
}

// received takes apart what a message of a thread said: between devices that run trefoil, where to answer stands before the
// text.
func (p Pair) received(f form, content []byte) (Pair, Received, error) {
	if f == deployed {
		return p, Received{Plaintext: content}, nil
	}
	r, text, err := parseContent(content)
	if err != nil {
		return p, Received{}, err
	}
	return p.routed(r), Received{Plaintext: text}, nil
}

// readInitiation opens the message in an initiation, with the session that it began or, if it is new, with one that begins
// now. The deployed peer also answers in this form.
func (p Pair) readInitiation(d Device, i initiation) (Pair, Received, error) {
	if i.person != p.peer || !i.identity.Equal(p.device.identity) {
		return p, Received{}, fmt.Errorf("%w: an initialization by another device", ErrUnverified)
	}
	next, t, r, err := p.read(i.message)
	switch {
	case err == nil && (t.form == deployed || t.ephemeral.Equal(i.ephemeral)):
		return next.routed(i.route), r, nil
	case err == nil:
		// Messages of the hybrid form travel without a box, so anybody may have put this one into a box of its own. Only
		// who began the session can make the box that goes with it.
		return next, r, nil
	case p.knows(i.ephemeral) || !errors.Is(err, ErrNotYet) || errors.Is(err, errAhead):
		return p, Received{}, err
	}
	return p.accept(d, i)
}

// accept begins the session that an initiation asks for, if that is new and its message authenticates.
func (p Pair) accept(d Device, i initiation) (Pair, Received, error) {
	name := sha256.Sum256(i.ephemeral.encoding[:])
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
	t, err := newThread(i.form(), generation, i.ephemeral, startReceiving(key, d.preKey, i.ephemeral))
	if err != nil {
		return p, Received{}, err
	}
	t, content, err := t.read(i.message)
	switch {
	case errors.Is(err, ErrNotYet) && !errors.Is(err, errAhead):
		return p, Received{}, fmt.Errorf("%w: initialization", ErrForged)
	case err != nil:
		return p, Received{}, err
	}
	t.introduce = true
	if i.offer != nil {
		t.spent = i.offer.oneTime
	}
	next, r, err := p.with(t).received(t.form, content)
	if err != nil {
		return p, Received{}, err
	}
	next.seen = append(slices.Clone(p.seen), name)
	if len(next.seen) > maxSeen {
		next.seen = next.seen[1:]
	}
	r.Began = true
	r.Spent = t.spent
	if i.offer != nil {
		next.accepted = max(p.accepted, i.offer.generation)
	}
	if i.offer == nil || next.accepted > p.accepted { // one that was overtaken does not say where to answer now
		next = next.routed(i.route)
	}
	return next, r, nil
}

// admits decides whether an initiation is new, and returns the generation by which its session ranks. One that was overtaken
// by a newer one reads what is sent in it, and ranks below, so that nothing is ever sent on it. It pushes nothing out.
func (p Pair) admits(i initiation) (uint64, error) {
	switch {
	case i.form() < p.pinned:
		return 0, fmt.Errorf("%w: an initialization weaker than what the peer can do", ErrUnverified)
	case i.offer != nil && i.offer.generation == 0:
		return 0, fmt.Errorf("%w: generation", ErrMalformed)
	case i.offer != nil && i.offer.generation <= p.accepted:
		if p.accepted-i.offer.generation >= maxLate || len(p.threads) == maxThreads {
			return 0, fmt.Errorf("%w: generation", ErrReplayed)
		}
		return min(i.offer.generation, p.accepted-1), nil
	case i.offer != nil && i.offer.generation > p.generation && i.offer.generation-p.generation > maxGenerationStep:
		return 0, fmt.Errorf("%w: generation", ErrMalformed)
	case i.offer != nil:
		return i.offer.generation, nil
	case len(p.threads) > 0 && p.threads[0].unanswered:
		// Both sides began at once, as far as can be seen here. The other side sees the same and gives its own the same
		// rank as ours, so both choose the same.
		return p.threads[0].generation, nil
	}
	return p.generation + 1, nil
}

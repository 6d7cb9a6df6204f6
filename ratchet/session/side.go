package session

import (
	"errors"
	"fmt"

	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/double"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/frame"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
)

// side is a pair in the hands of its device: with the keys of both it begins sessions, reads frames, and heals what was not read. It is
// immutable.
type side struct {
	Pair
	own Device
}

// of returns the pair in the hands of its device, for the keys that this has now. If they were renewed, it has no session.
func (p Pair) of(d Device) (side, error) {
	switch {
	case d.IsZero() || !d.name.Equal(p.self):
		return side{}, fmt.Errorf("%w: another device's session", ErrNotReady)
	case d.renewals < p.renewals:
		return side{}, fmt.Errorf("%w: an older copy of the device", ErrNotReady)
	case d.renewals > p.renewals:
		p = p.Clear().begunAnew()
		p.renewals, p.identity = d.renewals, d.identity.Public()
	}
	return side{p, d}, nil
}

// facing returns the side for the keys that the peer has now. If they were renewed, it has no session.
func (s side) facing(peer directory.Peer) (side, error) {
	e := peer.Entry()
	switch {
	case peer.Person() != s.peer || !e.Name().Equal(s.device.Name()):
		return s, fmt.Errorf("%w: another peer", ErrUnverified)
	case e.Renewals() < s.device.Renewals() || e.Renewals() == s.device.Renewals() && !e.Identity().Equal(s.device.Identity()):
		return s, fmt.Errorf("%w: keys that were renewed since", ErrUnverified)
	case e.Renewals() > s.device.Renewals():
		s.Pair = s.begunAnew()
		s.device, s.bundle, s.route = e, 0, route{}
		s.healing = s.healing.withOtherKeys()
	}
	return s, nil
}

// towards is facing, if a session may be begun with the keys that the peer has now.
func (s side) towards(peer directory.Peer) (side, error) {
	next, err := s.facing(peer)
	if err != nil {
		return s, err
	}
	if !peer.IsHybrid() && next.sessions.pinned == hybrid {
		return s, fmt.Errorf("%w: the peer has signed for a stronger suite", ErrUnverified)
	}
	if bundle, ok := peer.Bundle(); ok && bundle.Number() < next.bundle {
		return s, fmt.Errorf("%w: a bundle that was replaced", ErrUnverified)
	}
	return next, nil
}

// initiate makes a session that this side began the one to send on: a new one of a generation above all others, or an
// unanswered one.
func (s side) initiate(peer directory.Peer) (side, error) {
	next, err := s.towards(peer)
	if err != nil {
		return s, err
	}
	if on, ok := next.sessions.goOn(peer); ok && peer.Entry().Equal(next.device) {
		next.sessions = on
		next.moves++
		return next, nil
	}
	return next.begin(peer)
}

// begin begins a session with a peer that side.towards has returned the side for.
func (s side) begin(peer directory.Peer) (side, error) {
	e := keypair.GenerateKey[key.Ephemeral]()
	f, o, key, err := agreeInitiate(s.own, e, peer, s.sessions.generation+1, s.sessions.accepted)
	if err != nil {
		return s, err
	}
	r, err := double.StartSending(f.form(), key, e, peer.PreKey())
	if err != nil {
		return s, err
	}
	t, err := newRatchetSession(f, s.sessions.generation+1, e.Public(), r)
	if err != nil {
		return s, err
	}
	t.awaitingReply = true
	if f == hybrid {
		t.offer = &o
	}
	s.sessions = s.sessions.begun(t)
	s.device, s.bundle = peer.Entry(), max(s.bundle, o.bundle)
	s.moves++
	return s, nil
}

// decrypt reads a frame. On error the side returned is s, or notes what the frame waits for, or has used up the key of a message
// whose content is malformed.
func (s side) decrypt(f frame.Frame) (side, Received, error) {
	if f.Kind == frame.Message {
		return s.read(f.Message)
	}
	plain, err := s.open(f)
	if err != nil {
		return s, Received{}, err
	}
	if f.Kind == frame.Notice {
		next, err := s.heed(plain)
		return next, Received{Silent: true}, err
	}
	i, err := readInitiation(f, plain)
	switch {
	case err == errNoInitiation:
		m, err := double.ParseMessageJSON(plain)
		if err != nil {
			return s, Received{}, err
		}
		return s.read(m)
	case err != nil:
		return s, Received{}, err
	}
	return s.readInitiation(i)
}

// open opens the box of a frame with the key of the inbox that it most likely came to, or else with the other one.
func (s side) open(f frame.Frame) ([]byte, error) {
	if f.Kind != frame.Classic {
		return openBox(f, s.own.inbox)
	}
	first, second := s.inbox, s.own.inbox
	if len(s.sessions.list) == 0 || s.sessions.knows(f.Box.Ephemeral()) {
		first, second = second, first
	}
	plain, err := f.Box.Open(first)
	if err == nil {
		return plain, nil
	}
	return openBox(f, second)
}

func openBox(f frame.Frame, inbox keypair.PrivateKey[key.Inbox]) ([]byte, error) {
	plain, err := f.Box.Open(inbox)
	if errors.Is(err, key.ErrForged) {
		err = fmt.Errorf("%w: %w", ErrBeforeDevice, err)
	}
	return plain, err
}

// read opens a message of a session that exists.
func (s side) read(m double.Message) (side, Received, error) {
	next, _, r, err := s.readIn(m)
	return next, r, err
}

// readIn is read, and returns the session.
func (s side) readIn(m double.Message) (side, ratchetSession, Received, error) {
	next, t, plain, retry, err := s.sessions.read(m, s.moves+1)
	if err == nil || errors.Is(err, double.ErrAhead) {
		s.sessions = next
		s.moves++
	}
	if err != nil {
		return s, t, Received{}, err
	}
	s, r, err := s.received(t.suite, plain)
	r.retry = retry
	return s, t, r, err
}

// readInitiation opens the message in an initiation, with the session that it began or, if it is new, with one that begins
// now. The deployed client also answers with initiations.
func (s side) readInitiation(i initiation) (side, Received, error) {
	if i.person != s.peer || !i.identity.Equal(s.device.Identity()) {
		return s, Received{}, fmt.Errorf("%w: an initiation by another device", ErrUnverified)
	}
	next, t, r, err := s.readIn(i.message)
	switch {
	case err == nil && (t.suite == classic || t.ephemeral.Equal(i.ephemeral)):
		next.route = i.route.or(next.route)
		return next, r, nil
	case err == nil:
		// Messages of the hybrid suite travel without a box, so anybody may have put this one into a box of its own. Only
		// who began the session can make the box that goes with it.
		return next, r, nil
	case s.sessions.knows(i.ephemeral) || !errors.Is(err, double.ErrNoKey):
		return next, Received{}, err
	}
	return s.accept(i)
}

// accept begins the session that an initiation asks for, if that is new and its message authenticates.
func (s side) accept(i initiation) (side, Received, error) {
	generation, err := s.sessions.admits(i)
	if err != nil {
		return s, Received{}, err
	}
	key, preKey, err := agreeAccept(s.own, s.peer, i.identity, i.ephemeral, i.offer)
	if err != nil {
		return s, Received{}, err
	}
	t, err := newRatchetSession(i.suite(), generation, i.ephemeral, double.StartReceiving(i.suite().form(), key, preKey, i.ephemeral))
	if err != nil {
		return s, Received{}, err
	}
	t, plain, _, err := t.read(i.message)
	switch {
	case errors.Is(err, double.ErrNoKey):
		return s, Received{}, fmt.Errorf("%w: initiation", ErrForged)
	case err != nil:
		return s, Received{}, err
	}
	t.introduce, t.lastRead, t.ahead = true, s.moves+1, aheadBefore()
	if i.offer != nil {
		t.usedOneTime = i.offer.oneTime
	}
	next, r, err := s.received(t.suite, plain)
	if err != nil {
		return s, Received{}, err
	}
	next.sessions = s.sessions.accept(t, i)
	next.moves++
	next.unread = false                                             // what is still unread is tried again, and noted again
	if i.offer == nil || i.offer.generation > s.sessions.accepted { // one that was overtaken does not say where to answer now
		next.route = i.route.or(next.route)
	}
	r.Began, r.retry, r.UsedOneTime = true, true, t.usedOneTime
	return next, r, nil
}

package ratchet

import (
	"errors"
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// Decrypt opens the frame of a message (SPEC §7). Its error carries a verdict. On error the space returned is s; Message.Events
// is set all the same. Most programs do not call it: an Opener does, and it alone makes use of what cannot be read yet.
func Decrypt(s Space, now time.Time, frame []byte) (Space, Message, error) {
	e, err := proto.ParseEnvelope(frame)
	if err != nil {
		return s, Message{}, outcome.Malformed(err)
	}
	return decrypt(s, now, e)
}

func decrypt(s Space, now time.Time, e proto.Envelope) (Space, Message, error) {
	w, err := begin(s, now)
	if err != nil {
		return s, Message{}, err
	}
	m, err := w.read(e)
	if err != nil {
		return s, Message{Events: w.events}, err
	}
	m.Events, m.learned = w.events, w.learned
	return w.space(), m, nil
}

func (w *work) read(e proto.Envelope) (Message, error) {
	if e.IsZero() {
		return Message{}, outcome.ErrMalformed
	}
	if held, retained := w.st.headers.Get(segmap.ByID(e.Name())); retained {
		return w.readHeld(held, e)
	}
	x, h, err := w.find(e)
	if err != nil {
		return Message{}, err
	}
	if x.birth != nil {
		return w.readIn(x, h, e, nil)
	}
	path, h, err := w.search(e)
	if err != nil {
		return Message{}, err
	}
	if path == nil {
		return Message{}, outcome.ErrUnknownEpoch
	}
	return w.readIn(path[len(path)-1], h, e, path)
}

// readHeld reads a retained message, of which is known whether anything opens it: to try one in vain costs nothing.
func (w *work) readHeld(held heldHeader, e proto.Envelope) (Message, error) {
	x, ok := w.st.knownEpoch(held.epoch)
	if !ok || !x.readable() {
		return Message{}, w.unknown(held)
	}
	h, err := proto.OpenHeader(x.header, w.st.space, x.id, x.depth, e.Header)
	if err != nil {
		return Message{}, w.unknown(held)
	}
	return w.readIn(x, h, e, w.st.wayTo(x.id))
}

// find returns the epoch held whose header key opens the envelope, none if that is none.
func (w *work) find(e proto.Envelope) (epoch, proto.Header, error) {
	for x := range w.st.likely() {
		if !x.readable() {
			continue
		}
		h, err := proto.OpenHeader(x.header, w.st.space, x.id, x.depth, e.Header)
		if err == nil {
			return x, h, nil
		}
		if !errors.Is(err, suite.ErrNotOpened) {
			return epoch{}, proto.Header{}, outcome.ErrMalformed
		}
	}
	return epoch{}, proto.Header{}, nil
}

// unknown says what becomes of a retained message that nothing opens.
func (w *work) unknown(held heldHeader) error {
	entered := w.st.wait.entered
	if d := w.self(); d.firstSent != 0 && held.arrived < d.firstSent && entered != 0 && w.now-entered > milliseconds(beforeJoin) {
		return outcome.ErrBeforeJoin
	}
	if w.now-held.arrived > milliseconds(heldFor) {
		return outcome.ErrExpired
	}
	return outcome.ErrUnknownEpoch
}

// beforeJoin is how long after a ticket a message from before the first envelope is given up (§7).
const beforeJoin = 24 * time.Hour

// readIn reads a message whose header x opens. Path is how x is reached from an epoch held, nil if x is held itself.
func (w *work) readIn(x epoch, h proto.Header, e proto.Envelope, path []epoch) (Message, error) {
	own := h.Index == w.self().index
	c, x, err := x.chain(h.Index)
	if err != nil {
		return Message{}, err
	}
	next, key, err := c.take(h.Number, markOf(e.Header[:]))
	if err != nil {
		return Message{}, w.notTaken(err, own)
	}
	body, err := e.Open(w.st.space, x.id, key)
	if errors.Is(err, suite.ErrNotOpened) {
		return Message{}, outcome.ErrForged
	} else if err != nil {
		return Message{}, outcome.ErrMalformed
	}
	r, t, err := w.rootOf(x)
	if err != nil {
		return Message{}, err
	}
	sender, introduced, err := w.senderOf(r, t, h.Index, body)
	if err != nil {
		return Message{}, err
	}
	m := Message{
		Sender: h.Index, SenderKey: PublicKey{sender.signingKey()}, Own: own,
		Epoch: x.id, Number: h.Number, Plaintext: body.Plaintext,
	}
	switch {
	case body.Signature != nil:
		if body.Verify(m.SenderKey.key, w.st.space, x.id, h, e.Bound) != nil {
			return Message{}, outcome.ErrForged
		}
		m.Verified = true
	case own || !t.template.Policy.Repudiable:
		return Message{}, outcome.ErrForged // what this member is to have written itself, it has signed
	}

	// From here on it is authenticated: the next value is built.
	charged := h.Index
	if !m.Verified {
		charged = 0
	}
	if err := w.keepPath(path, charged); err != nil {
		return Message{}, err
	}
	x = x.withChain(next)
	x.seen++
	if path != nil {
		last, ok := w.st.epoch(x.id)
		if !ok {
			return Message{}, outcome.ErrLimit // there are too many epochs, and this one brought most of them
		}
		last.senders, last.parts.senders, last.blocks, last.seen = x.senders, x.parts.senders, x.blocks, x.seen
		x = last
	}
	if m.Verified && x.maker() == h.Index && x.charged != h.Index {
		x = x.chargedTo(h.Index) // whoever carried its commit about before
	}
	w.put(x)
	if introduced {
		w.introduce(r, sender)
	}
	w.heard(x, e, m, charged)
	if m.Verified {
		w.apply(x, t, body, &m)
	} else if body.Statement {
		m.Plaintext = nil
		w.emit(statementRefused{m.Sender, outcome.ErrForged})
	}
	return m, nil
}

// notTaken says what becomes of a message for which its chain has no key.
func (w *work) notTaken(err error, own bool) error {
	if !own {
		return err
	}
	if errors.Is(err, outcome.ErrSenderRolledBack) {
		w.conflict(w.self().index)
		return err
	}
	if errors.Is(err, outcome.ErrLimit) {
		return err
	}
	return outcome.ErrOwn
}

// rootOf returns root and terms of an epoch.
func (w *work) rootOf(x epoch) (root, terms, error) {
	r, ok := w.st.root(x.root)
	t, okay := w.tp.terms(x.root)
	if !ok || !okay {
		return root{}, terms{}, outcome.ErrUnknownEpoch
	}
	return r, t, nil
}

// senderOf returns the member with this index, and whether the message itself introduces it.
func (w *work) senderOf(r root, t terms, i dkg.Index, c proto.Content) (member, bool, error) {
	m, known := r.members.Get(segmap.ByIndex(uint32(i)))
	if c.Introduction == nil {
		if !known {
			return member{}, false, outcome.ErrUnknownSender
		}
		return m, false, nil
	}
	in, err := proto.ParseIntroduction(c.Introduction)
	if err != nil {
		return member{}, false, outcome.ErrMalformed
	}
	if in.Index != i || in.Root != r.id {
		return member{}, false, outcome.ErrForged
	}
	if known {
		if in.Key != m.signingKey() {
			if _, err := in.Verify(w.st.space, w.self().owners, t.template.Policy); err == nil {
				w.conflict(i)
			}
			return member{}, false, outcome.ErrForged
		}
		return m, false, nil
	}
	if c.Signature == nil {
		return member{}, false, outcome.ErrForged // whoever introduces itself signs
	}
	m, err = w.admissible(r, t, in)
	if errors.Is(err, outcome.ErrInviteDead) {
		err = outcome.ErrStale // that is an answer to a joiner
	}
	return m, err == nil, err
}

// heard keeps the books after a message in x was read, which is charged to its sender or, if it was unsigned, to 0.
func (w *work) heard(x epoch, e proto.Envelope, m Message, charged dkg.Index) {
	if id := e.Name(); w.st.headers.Has(segmap.ByID(id)) {
		w.st.headers = w.st.headers.Drop(segmap.ByID(id))
		w.st.wait.stage, w.st.wait.sends = 0, 0
	}
	d := w.self()
	w.st.heard = w.now
	if m.Own {
		w.conflict(d.index)
		w.st.commit = true
	}
	if d.request.isOpen() && d.request.opened != 0 && !m.Own && m.Sender != d.request.issuer {
		d.request = request{}
		w.setSelf(d)
	}
	w.expireRequest()
	w.st.ask = w.st.ask || w.left(x, m)
	w.caughtUp(e)
	w.keepCarried(e, charged)
	if !m.Own {
		w.lags(x)
	}
}

// apply does what a verified message says beside its plaintext. Nothing here makes the message unread: what is refused is
// told.
func (w *work) apply(x epoch, t terms, c proto.Content, m *Message) {
	r, _ := w.st.root(x.root)
	sender, _ := r.members.Get(segmap.ByIndex(uint32(m.Sender)))
	changed := false
	if c.Answers && c.Answered+1 > sender.answered {
		sender.answered, changed = c.Answered+1, true
	}
	if c.KeyUpdate != nil {
		switch next, err := w.keyUpdate(x, t, sender, c.KeyUpdate); {
		case err != nil:
			w.emit(statementRefused{m.Sender, err})
		case next.inboxCounter != sender.inboxCounter:
			sender, changed = next, true
		}
	}
	if changed {
		r.members = r.members.Put(sender)
		w.setRoot(r)
	}
	if c.Statement {
		m.Plaintext = nil
		if err := w.control(m.Sender, c.Plaintext); err != nil {
			w.emit(statementRefused{m.Sender, err})
		}
	}
}

// proto.KeyUpdate returns the member with the inbox key of an update, or as it was if it has a newer one.
func (w *work) keyUpdate(x epoch, t terms, m member, raw []byte) (member, error) {
	u, err := proto.ParseKeyUpdate(raw)
	if err != nil {
		return m, outcome.ErrMalformed
	}
	if u.Counter <= m.inboxCounter {
		return m, nil
	}
	if _, err := u.Verify(w.st.space, x.id, t.template.Public, m.Index, t.template.Policy); err != nil {
		return m, outcome.ErrForged
	}
	m.inboxKey, m.inboxCounter = u.Inbox, u.Counter
	return m, nil
}

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
	d, err := newEdit(s, now)
	if err != nil {
		return s, Message{}, err
	}
	m, err := d.receive(e)
	if err != nil {
		return s, Message{Events: d.events}, err
	}
	m.Events = d.events
	return d.space(), m, nil
}

func (d *edit) receive(e proto.Envelope) (Message, error) {
	if e.IsZero() {
		return Message{}, outcome.ErrMalformed
	}
	if held, retained := d.st.headers.Get(segmap.ByID(e.Name())); retained {
		return d.receiveOrphan(held, e)
	}
	x, h, err := d.st.locate(e)
	if err != nil {
		return Message{}, err
	}
	if x.epochMeta != nil {
		return d.receiveIn(x, h, e, nil)
	}
	path, h, err := d.search(e)
	if err != nil {
		return Message{}, err
	}
	if path == nil {
		return Message{}, outcome.ErrUnknownEpoch
	}
	return d.receiveIn(path[len(path)-1], h, e, path)
}

// receiveOrphan reads a retained message, of which is known whether anything opens it: to try one in vain costs nothing.
func (d *edit) receiveOrphan(held orphanHeader, e proto.Envelope) (Message, error) {
	x, ok := d.st.knownEpoch(held.epoch)
	if !ok || !x.derived() {
		return Message{}, d.unknown(held)
	}
	h, err := proto.OpenHeader(x.header, d.st.space, x.id, x.depth, e.Header)
	if err != nil {
		return Message{}, d.unknown(held)
	}
	return d.receiveIn(x, h, e, d.st.pathTo(x.id))
}

// locate returns the epoch held whose header key opens the envelope, none if that is none.
func (s State) locate(e proto.Envelope) (epoch, proto.Header, error) {
	for x := range s.likely() {
		if !x.derived() {
			continue
		}
		h, err := proto.OpenHeader(x.header, s.space, x.id, x.depth, e.Header)
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
func (d *edit) unknown(held orphanHeader) error {
	entered := d.st.backoff.entered
	if me := d.st.identity(); me.firstSent != 0 && held.arrived < me.firstSent && entered != 0 && d.now-entered > milliseconds(beforeJoin) {
		return outcome.ErrBeforeJoin
	}
	if d.now-held.arrived > milliseconds(orphanedFor) {
		return outcome.ErrExpired
	}
	return outcome.ErrUnknownEpoch
}

// beforeJoin is how long after a ticket a message from before the first envelope is given up (§7).
const beforeJoin = 24 * time.Hour

// receiveIn reads a message whose header x opens. Path is how x is reached from an epoch held, nil if x is held itself.
func (d *edit) receiveIn(x epoch, h proto.Header, e proto.Envelope, path []epoch) (Message, error) {
	own := h.Index == d.st.identity().index
	c, x, err := x.chain(h.Index)
	if err != nil {
		return Message{}, err
	}
	next, key, err := c.take(h.Number, tagOf(e.Header[:]))
	if err != nil {
		return Message{}, d.notTaken(err, own)
	}
	body, err := e.Open(d.st.space, x.id, key)
	if errors.Is(err, suite.ErrNotOpened) {
		return Message{}, outcome.ErrForged
	} else if err != nil {
		return Message{}, outcome.ErrMalformed
	}
	r, t, err := d.rootOf(x)
	if err != nil {
		return Message{}, err
	}
	sender, introduced, err := d.senderOf(r, t, h.Index, body)
	if err != nil {
		return Message{}, err
	}
	m := Message{
		Sender: h.Index, SenderKey: PublicKey{sender.signingKey()}, Own: own,
		Epoch: x.id, Number: h.Number, Plaintext: body.Plaintext,
	}
	switch {
	case body.Signature != nil:
		if body.Verify(m.SenderKey.key, d.st.space, x.id, h, e.Bound) != nil {
			return Message{}, outcome.ErrForged
		}
		m.Verified = true
	case own || !t.template.Policy.Repudiable:
		return Message{}, outcome.ErrForged // what this member is to have written itself, it has signed
	}

	// From here on it is authenticated: the next value is built.
	attributed := h.Index
	if !m.Verified {
		attributed = 0
	}
	if err := d.enterPath(path, attributed); err != nil {
		return Message{}, err
	}
	x = x.withChain(next)
	x.received++
	if path != nil {
		last, ok := d.st.epoch(x.id)
		if !ok {
			return Message{}, outcome.ErrLimit // there are too many epochs, and this one brought most of them
		}
		last.senders, last.stored.senders, last.blocks, last.received = x.senders, x.stored.senders, x.blocks, x.received
		x = last
	}
	if m.Verified && x.maker() == h.Index && x.attributed != h.Index {
		x = x.attribute(h.Index) // whoever carried its commit about before
	}
	d.putEpoch(x)
	if introduced {
		d.introduce(r, sender)
	}
	d.afterRead(x, e, m, attributed)
	if m.Verified {
		d.apply(x, t, body, &m)
	} else if body.Statement {
		m.Plaintext = nil
		d.emit(statementRefused{m.Sender, outcome.ErrForged})
	}
	return m, nil
}

// notTaken says what becomes of a message for which its chain has no key.
func (d *edit) notTaken(err error, own bool) error {
	if !own {
		return err
	}
	if errors.Is(err, outcome.ErrSenderRolledBack) {
		d.conflict(d.st.identity().index)
		return err
	}
	if errors.Is(err, outcome.ErrLimit) {
		return err
	}
	return outcome.ErrOwn
}

// rootOf returns root and terms of an epoch.
func (d *edit) rootOf(x epoch) (root, rootTerms, error) {
	r, ok := d.st.root(x.root)
	t, okay := d.tp.terms(x.root)
	if !ok || !okay {
		return root{}, rootTerms{}, outcome.ErrUnknownEpoch
	}
	return r, t, nil
}

// senderOf returns the member with this index, and whether the message itself introduces it.
func (d *edit) senderOf(r root, t rootTerms, i dkg.Index, c proto.Content) (member, bool, error) {
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
			if _, err := in.Verify(d.st.space, d.st.identity().owners, t.template.Policy); err == nil {
				d.conflict(i)
			}
			return member{}, false, outcome.ErrForged
		}
		return m, false, nil
	}
	if c.Signature == nil {
		return member{}, false, outcome.ErrForged // whoever introduces itself signs
	}
	m, err = d.admissible(r, t, in)
	if errors.Is(err, outcome.ErrInviteDead) {
		err = outcome.ErrStale // that is an answer to a joiner
	}
	return m, err == nil, err
}

// afterRead updates what follows from a message that was read in x and is attributed to its sender or, if it was unsigned, to 0.
func (d *edit) afterRead(x epoch, e proto.Envelope, m Message, attributed dkg.Index) {
	if id := e.Name(); d.st.headers.Has(segmap.ByID(id)) {
		d.st.headers = d.st.headers.Drop(segmap.ByID(id))
		d.st.backoff.stage, d.st.backoff.sends = 0, 0
	}
	me := d.st.identity()
	d.st.lastRead = d.now
	if m.Own {
		d.conflict(me.index)
		d.st.commit = true
	}
	if me.request.isOpen() && me.request.opened != 0 && !m.Own && m.Sender != me.request.issuer {
		me.request = request{}
		d.setIdentity(me)
	}
	d.expireRequest()
	d.st.ask = d.st.ask || d.st.showsExclusion(x, m)
	d.resolveCatchUps(e)
	d.addAttached(e, attributed)
	if !m.Own {
		d.noteLagging(x)
	}
}

// apply does what a verified message says beside its plaintext. Nothing here makes the message unread: what is refused is
// told.
func (d *edit) apply(x epoch, t rootTerms, c proto.Content, m *Message) {
	r, _ := d.st.root(x.root)
	sender, _ := r.members.Get(segmap.ByIndex(uint32(m.Sender)))
	changed := false
	if c.Answers && c.Answered+1 > sender.answered {
		sender.answered, changed = c.Answered+1, true
	}
	if c.KeyUpdate != nil {
		switch next, err := d.st.keyUpdate(x, t, sender, c.KeyUpdate); {
		case err != nil:
			d.emit(statementRefused{m.Sender, err})
		case next.inboxCounter != sender.inboxCounter:
			sender, changed = next, true
		}
	}
	if changed {
		r.members = r.members.Put(sender)
		d.setRoot(r)
	}
	if c.Statement {
		m.Plaintext = nil
		if err := d.applyStatement(m.Sender, c.Plaintext); err != nil {
			d.emit(statementRefused{m.Sender, err})
		}
	}
}

// keyUpdate returns the member with the inbox key of an update, or as it was if it has a newer one.
func (s State) keyUpdate(x epoch, t rootTerms, m member, raw []byte) (member, error) {
	u, err := proto.ParseKeyUpdate(raw)
	if err != nil {
		return m, outcome.ErrMalformed
	}
	if u.Counter <= m.inboxCounter {
		return m, nil
	}
	if _, err := u.Verify(s.space, x.id, t.template.Public, m.Index, t.template.Policy); err != nil {
		return m, outcome.ErrForged
	}
	m.inboxKey, m.inboxCounter = u.Inbox, u.Counter
	return m, nil
}

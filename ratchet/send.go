package ratchet

import (
	"time"

	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/state"
)

// Send returns an update that encrypts plaintext to all members and puts the frame into the outbox, so that state and frame
// are durable together:
//
//	err := vault.Update(ctx, id, ratchet.Send(options, plaintext))
//
// Errors are those of Encrypt.
func Send(o Options, plaintext []byte) func(*state.Tx[Space]) error {
	return func(tx *state.Tx[Space]) error {
		next, frame, err := seal(tx.Value(), o.now(), outgoing{plaintext: plaintext, signed: !o.Unsigned})
		if err != nil {
			return err
		}
		tx.Set(next)
		tx.Send(o.Topic, frame)
		return nil
	}
}

// Encrypt seals a message to all members, at most MaxPlaintext; an empty one keeps the space going. It makes a commit if one is
// due. Most programs call Send; the space that comes back here must be durable before the frame leaves. Encrypt returns
// ErrTooLong, ErrRemoved for a removed member, and ErrPhase for one that is still joining or left, or that has to wait for a
// ticket.
func Encrypt(s Space, now time.Time, plaintext []byte) (Space, []byte, error) {
	return seal(s, now, outgoing{plaintext: plaintext, signed: true})
}

// outgoing is a message to be sent.
type outgoing struct {
	plaintext []byte
	statement bool
	signed    bool
}

// seal makes the frame of a message.
func seal(s Space, now time.Time, out outgoing) (Space, []byte, error) {
	d, err := newEdit(s, now)
	if err != nil {
		return s, nil, err
	}
	e, err := d.send(out)
	if err != nil {
		return s, nil, err
	}
	return d.space(), e.Bytes(), nil
}

func (d *edit) send(out outgoing) (proto.Envelope, error) {
	e, r, t, err := d.target()
	if err != nil {
		return proto.Envelope{}, err
	}
	if len(out.plaintext) > proto.MaxPlaintext {
		return proto.Envelope{}, outcome.ErrTooLong
	}
	if !out.signed && !t.template.Policy.Repudiable {
		return proto.Envelope{}, outcome.ErrPolicy
	}
	waited := d.backoffOver()
	d.expireRequest()
	d.st.ask = d.st.ask || d.st.outran()
	d.st.restored = false
	if d.commitDue(e, r) {
		d.makeCommit(e, r, t)
		e, _ = d.st.epoch(d.st.preferred)
	}
	if !e.derived() {
		return proto.Envelope{}, outcome.ErrPhase // it came with a ticket, and nothing could be committed from it
	}
	me := d.st.identity()
	c, e, err := e.chain(me.index)
	if err != nil {
		return proto.Envelope{}, outcome.ErrPhase
	}
	h := proto.Header{Index: me.index, Number: c.next}
	sealed := h.Seal(e.header, d.st.space, e.id)
	made := e.maker() == me.index
	env := proto.NewEnvelope(sealed, d.attach(e, h.Number, made && h.Number == 0))
	next, key, err := c.take(h.Number, tagOf(sealed[:]))
	if err != nil {
		return proto.Envelope{}, outcome.ErrPhase
	}
	body := me.announcements(e, h, out, d.now)
	if out.signed || made && h.Number < carryOwn || body.Introduction != nil || body.KeyUpdate != nil || body.Answers || body.Statement {
		body = body.Sign(me.signing, d.st.space, e.id, h, env.Bound)
	}
	if env, err = env.Seal(d.st.space, e.id, key, body); err != nil {
		return proto.Envelope{}, err
	}
	e = e.withChain(next)
	e.received++
	d.putEpoch(e)
	if me.firstSent == 0 {
		me.firstSent = d.now
		d.setIdentity(me)
	}
	if waited {
		d.st.backoff.sends = min(d.st.backoff.sends+1, maxWaitSends)
		d.st.backoff.stage = min(d.st.backoff.stage+1, maxWaitStage)
		d.st.backoff.last = d.now
	}
	return env, nil
}

// target returns where the next message goes, or why none can be sent.
func (d *edit) target() (epoch, root, rootTerms, error) {
	switch d.st.phase {
	case Removed:
		return epoch{}, root{}, rootTerms{}, outcome.ErrRemoved
	case Member:
		if e, r, t, ok := d.preferred(); ok {
			return e, r, t, nil
		}
	}
	return epoch{}, root{}, rootTerms{}, outcome.ErrPhase
}

package ratchet

import (
	"errors"
	"fmt"
	"time"

	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/state"
)

// Options say how Send, Opener and Maintain work.
type Options struct {
	// Topic is where what is meant for the whole space is sent, as the outbox knows it.
	Topic string
	// Unsigned lets Send leave out the signature of a message, in a space whose policy is Repudiable: then any member could
	// have written it. Send returns ErrPolicy in another space. Messages in which the sender has to say something of itself
	// are signed all the same, and so are its first 4 in an epoch of its own making.
	Unsigned bool
	// Now is the clock, time.Now by default.
	Now func() time.Time
}

func (o Options) now() time.Time {
	if o.Now == nil {
		return time.Now()
	}
	return o.Now()
}

// Opener returns what a Vault's Receive calls for a frame of a space, of whatever type. It delivers a message to the inbox, in
// the encoding of Message.MarshalBinary, unless it says nothing. It answers a request with a ticket, at once or, if others are
// to answer first, once Maintain finds that they did not. It enters a ticket, and sends what follows from it. What it refuses or
// retains is an error of this package; events are emitted.
//
// A frame's Source should be the mailbox of a known member, or empty: who has no mailbox here can neither make a device
// send by messages nobody can read, nor keep it from answering by tickets nobody can enter.
//
// A frame of an older version of the protocol is discarded, one of a newer version retained; errors.Is tells them by
// state.ErrTooOld and state.ErrTooNew. Frames of a rekey (types 1 and 4) are discarded unread as state.ErrTooNew: this release
// does not follow rekeys, and one that does finds the box at its own address and in it the way to the rekey (SPEC §10), so
// nothing is lost that way, and nobody can fill a device with what only looks like one.
func Opener(o Options) state.Opener[Space] {
	return func(tx *state.Tx[Space], f state.Frame) error {
		t, err := proto.ParseType(f.Data)
		if err != nil {
			return outcome.Malformed(err)
		}
		switch t {
		case proto.TypeMessage:
			return o.message(tx, f)
		case proto.TypeRequest:
			return o.request(tx, f)
		case proto.TypeTicket:
			return o.ticket(tx, f)
		}
		return fmt.Errorf("%w: %w", outcome.ErrRekeyFrame, state.ErrTooNew)
	}
}

func (o Options) message(tx *state.Tx[Space], f state.Frame) error {
	e, err := proto.ParseEnvelope(f.Data)
	if err != nil {
		return outcome.Malformed(err)
	}
	d, err := newEdit(tx.Value(), o.now())
	if err != nil {
		return err
	}
	m, err := d.receive(e)
	switch state.VerdictOf(err) {
	case state.Read:
		emit(tx, d.events)
		tx.Set(d.space())
	case state.Retain:
		return o.retain(tx, d, f, e, err)
	case state.Discard:
		emit(tx, d.events)
		if released, changed := release(tx.Value(), e); changed {
			tx.Set(released)
		}
		return err
	default:
		emit(tx, d.events)
		return err
	}
	if d.progress {
		tx.RetryRetained()
	}
	if len(m.Plaintext) == 0 {
		return nil
	}
	b, err := m.MarshalBinary()
	if err != nil {
		return err
	}
	tx.Deliver(b)
	return nil
}

// retain keeps what is needed to read a message later that cannot be read yet. It returns the reason. Tried is the edit in which
// reading it failed: its events stand, and the commits that it followed in vain are not followed again.
func (o Options) retain(tx *state.Tx[Space], tried *edit, f state.Frame, e proto.Envelope, reason error) error {
	d, err := newEdit(tx.Value(), o.now())
	if err != nil {
		return err
	}
	d.events, d.searched = tried.events, tried.searched
	d.addOrphan(f.Source, e)
	emit(tx, d.events)
	tx.Set(d.space())
	if d.progress {
		tx.RetryRetained()
	}
	return reason
}

// release forgets what was kept of a message that will not be read. It reports whether there was anything.
func release(s Space, e proto.Envelope) (Space, bool) {
	d, err := newEdit(s, time.Time{})
	if err != nil || !d.st.headers.Has(segmap.ByID(e.Name())) {
		return s, false
	}
	d.st.headers = d.st.headers.Drop(segmap.ByID(e.Name()))
	return d.space(), true
}

func (o Options) request(tx *state.Tx[Space], f state.Frame) error {
	q, err := proto.ParseRequest(f.Data)
	if err != nil {
		return outcome.Malformed(err)
	}
	d, err := newEdit(tx.Value(), o.now())
	if err != nil {
		return err
	}
	if err := d.checkDeferred(q.Hash()); err != nil {
		return err
	}
	a, err := d.examine(q)
	if err == nil && !d.mayAnswer(a) {
		tx.Set(d.space())
		return outcome.ErrDeferred
	}
	var t proto.Ticket
	if err == nil {
		t, err = d.answer(a)
	}
	emit(tx, d.events)
	if errors.Is(err, outcome.ErrPhase) || errors.Is(err, outcome.ErrTooLong) {
		err = outcome.ErrStale // nothing that this member could answer; others do
	}
	if err != nil {
		return err
	}
	tx.Set(d.space())
	tx.Send(o.Topic, t.Bytes())
	tx.RetryRetained()
	return nil
}

func (o Options) ticket(tx *state.Tx[Space], f state.Frame) error {
	t, err := proto.ParseTicket(f.Data)
	if err != nil {
		return outcome.Malformed(err)
	}
	now := o.now()
	if !answers(tx.Value(), t) {
		d, err := newEdit(tx.Value(), now)
		if err != nil {
			return err
		}
		d.noteTicket(f.Source, t)
		tx.Set(d.space())
		return outcome.ErrStale
	}
	next, events, err := enter(tx.Value(), now, t)
	emit(tx, events)
	if err != nil {
		if errors.Is(err, outcome.ErrPhase) {
			return outcome.ErrStale
		}
		return err
	}
	if due := next.State(); due.commit {
		if after, frame, err := Encrypt(next, now, nil); err == nil {
			next = after
			tx.Send(o.Topic, frame)
		}
	}
	tx.Set(next)
	tx.RetryRetained()
	return nil
}

func emit(tx *state.Tx[Space], events []state.Event) {
	for _, e := range events {
		tx.Emit(e)
	}
}

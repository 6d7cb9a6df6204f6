package braid

import (
	"fmt"

	"github.com/trefoil-im/trefoil/internal/secret"
)

// role is which side of the exchanges a device is on. It is part of the stored format.
type role uint8

const (
	initiator role = 1 // of the session: offers
	responder role = 2 // answers
)

// chunks returns how many chunks the objects have that a side sends and collects.
func (r role) chunks() (out, in uint8) {
	if r == responder {
		return answerChunks, offerChunks
	}
	return offerChunks, answerChunks
}

// Braid is one side of the exchanges of a session: an immutable value, safe to share, that shows nothing when printed. The
// zero Braid is none; it may be asked for secrets, and has none.
//
// Save the Braid that Send returns before the chunk leaves, and do not go back to one before it.
type Braid struct {
	_     [0]func()
	role  role
	epoch uint32 // exchanges that ended
	mixed bool   // the initiator's: the one that ended last gave a secret

	// own is, of the exchange under way, the seed of the initiator's key pair or the responder's secret; none before the
	// side drew it.
	own secret.Bytes
	out outgoing // if own is there
	in  incoming
}

// Initiator returns the side of the device that began the session.
func Initiator() Braid { return Braid{role: initiator} }

// Responder returns the other side.
func Responder() Braid { return Braid{role: responder} }

// IsZero reports whether there is no braid.
func (b Braid) IsZero() bool { return b.role == 0 }

// Epoch returns how many exchanges ended.
func (b Braid) Epoch() uint32 { return b.epoch }

// Send returns the chunk for the next message, and the braid after it. It draws the key pair or encapsulates if it is time.
// Nothing is drawn before, so that a state that only reads holds nothing of what is sent after it.
func (b Braid) Send() (Braid, Chunk) {
	if b.own.IsZero() {
		switch {
		case b.role == initiator:
			b.own, b.out.object = newOffer()
		case b.in.complete():
			b.own, b.out.object = newAnswer(b.epoch+1, b.in.object)
			b.in.object = object{}
		}
	}
	c := Chunk{epoch: b.epoch, mixed: b.mixed, held: b.in.held}
	b.out = b.out.take(&c)
	return b, c
}

// Receive returns the braid after a message of the other side's newest chain, which authenticated. Chunks may come in any order,
// late, and repeated; those of another epoch change nothing. Those of older chains are not for it: their keys may be stolen since
// long before the exchange began.
func (b Braid) Receive(c Chunk) Braid {
	if c.epoch != b.epoch {
		return b
	}
	if !b.own.IsZero() {
		b.out.held = c.held // the last report counts, so that a false one does no lasting harm
	}
	if b.collects() {
		_, n := b.role.chunks()
		b.in = b.in.with(c, n)
	}
	return b
}

// collects reports whether the side takes chunks in: the initiator while it offers, the responder until it answers.
func (b Braid) collects() bool { return !b.own.IsZero() == (b.role == initiator) }

// Begin returns the secret to mix into a sending chain that begins now, and the braid after it; no secret if there is none
// to mix. The initiator mixes, the responder follows.
func (b Braid) Begin() (Braid, secret.Bytes) {
	if b.role != initiator || !b.in.complete() {
		return b, secret.Bytes{}
	}
	mixed, ok := openAnswer(b.epoch+1, b.own, b.in.object)
	if !ok {
		mixed = secret.Bytes{} // somebody put other chunks among those of the two sides: they begin another exchange
	}
	return Braid{role: b.role, epoch: b.epoch + 1, mixed: ok}, mixed
}

// Follow returns the secret that the other side mixed into a chain that its message with a chunk begins, and the braid after
// it; no secret if there is none. It returns ErrMalformed for a chunk that no chain of the other side can begin with. It says
// nothing about whether the message is authentic: keep the braid only if it is.
func (b Braid) Follow(c Chunk) (Braid, secret.Bytes, error) {
	switch {
	case c.epoch == b.epoch:
		return b, secret.Bytes{}, nil
	case b.role != responder || c.epoch != b.epoch+1 || c.mixed && b.own.IsZero():
		return b, secret.Bytes{}, fmt.Errorf("%w: epoch of a chain", ErrMalformed)
	case c.mixed:
		return Braid{role: b.role, epoch: c.epoch}, b.own, nil
	}
	return Braid{role: b.role, epoch: c.epoch}, secret.Bytes{}, nil
}

// Equal reports whether both would be stored as the same bytes. It is for tests.
func (b Braid) Equal(o Braid) bool { return secret.Own(b.marshal()).Equal(secret.Own(o.marshal())) }

// String shows nothing of the braid.
func (b Braid) String() string { return "braid" }

// GoString is String.
func (b Braid) GoString() string { return b.String() }

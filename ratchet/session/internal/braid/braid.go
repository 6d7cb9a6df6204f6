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
// zero Braid is none; it may be asked for its epoch and for secrets, and has none.
//
// Save the Braid that Send returns before the chunk leaves, and do not go back to one before it.
type Braid struct {
	_     [0]func()
	role  role
	epoch uint32 // exchanges whose secrets were given out

	// own is, of the exchange under way, the seed of the initiator's key pair or the responder's secret; none before the
	// side drew it.
	own secret.Bytes
	out outgoing
	in  incoming
}

// Initiator returns the side of the device that began the session.
func Initiator() Braid { return Braid{role: initiator} }

// Responder returns the other side.
func Responder() Braid { return Braid{role: responder} }

// IsZero reports whether there is no braid.
func (b Braid) IsZero() bool { return b.role == 0 }

// Epoch returns how many secrets were given out.
func (b Braid) Epoch() uint32 { return b.epoch }

// Send returns the chunk for the next message, and the braid after it. It draws the key pair or encapsulates if it is time.
// Nothing is drawn before, so that a state that only reads holds nothing of what is sent after it.
func (b Braid) Send() (Braid, Chunk) {
	if b.own.IsZero() {
		switch {
		case b.role == initiator:
			b.own, b.out.object = newOffer()
		case b.in.complete():
			if mixed, answer, ok := newAnswer(b.epoch+1, b.in.object); ok {
				b.own, b.out.object = mixed, answer
			}
			b.in = b.in.used() // an offer that is none: the exchange ends here, the conversation does not
		}
	}
	c := Chunk{epoch: b.epoch, held: b.in.held}
	b.out = b.out.take(&c)
	return b, c
}

// Receive returns the braid after a message of the other side, which authenticated. Chunks may come in any order, late, and
// repeated; those of another epoch change nothing.
func (b Braid) Receive(c Chunk) Braid {
	if c.epoch != b.epoch {
		return b
	}
	_, n := b.role.chunks()
	b.out = b.out.reported(c.held)
	if b.role == responder || !b.own.IsZero() { // nobody answers before there is an offer
		b.in = b.in.with(c, n)
	}
	return b
}

// Begin returns the secret to mix into a sending chain that begins now, and the braid after it; no secret if there is none
// to mix. The initiator mixes, the responder follows.
func (b Braid) Begin() (Braid, secret.Bytes) {
	if b.role != initiator || !b.in.complete() {
		return b, secret.Bytes{}
	}
	mixed, ok := openAnswer(b.epoch+1, b.own, b.in.object)
	if !ok {
		b.in = b.in.used() // the exchange ends here, the conversation does not
		return b, secret.Bytes{}
	}
	return Braid{role: b.role, epoch: b.epoch + 1}, mixed
}

// Follow returns the secret that the other side mixed into a chain that its message of some epoch begins, and the braid
// after it; no secret if there is none. It returns ErrMalformed for an epoch that no chain of the other side can begin with.
// The chain is not authenticated by that: keep the braid only if the message authenticates.
func (b Braid) Follow(epoch uint32) (Braid, secret.Bytes, error) {
	switch {
	case epoch == b.epoch:
		return b, secret.Bytes{}, nil
	case b.role == responder && epoch == b.epoch+1 && !b.own.IsZero():
		return Braid{role: b.role, epoch: epoch}, b.own, nil
	}
	return b, secret.Bytes{}, fmt.Errorf("%w: epoch of a chain", ErrMalformed)
}

// Equal reports whether both would be stored as the same bytes. It is for tests.
func (b Braid) Equal(o Braid) bool { return secret.Own(b.marshal()).Equal(secret.Own(o.marshal())) }

// String shows nothing of the braid.
func (b Braid) String() string { return "braid" }

// GoString is String.
func (b Braid) GoString() string { return b.String() }

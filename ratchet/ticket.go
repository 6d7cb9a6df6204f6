package ratchet

import (
	"fmt"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state"
)

// Ticket answers a Request, as it goes over the network: a box to the one-time key of the request. It is immutable; the
// zero Ticket is none.
type Ticket struct {
	_       [0]func()
	answers [16]byte // H(request)[:16]
	box     []byte
}

// ParseTicket reads a ticket: u8(0x22) ‖ H(request)[:16] ‖ vec32 box, at most 1 MiB. It returns ErrMalformed, or
// state.ErrTooOld or state.ErrTooNew for another version of the protocol.
func ParseTicket(b []byte) (Ticket, error) {
	t, err := parseTicket(b)
	return t, malformed(err)
}

func parseTicket(b []byte) (t Ticket, err error) {
	if len(b) > maxTicket {
		return Ticket{}, fmt.Errorf("%w: a ticket is longer than its limit", wire.ErrMalformed)
	}
	r, err := newFrameReader(b, frameTicket)
	if err != nil {
		return Ticket{}, err
	}
	r.Into(t.answers[:])
	t.box = r.Vec32(maxTicket)
	if len(t.box) == 0 {
		r.Fail("an empty box")
	}
	if err = r.Done(); err != nil {
		return Ticket{}, err
	}
	return t, nil
}

// Bytes returns what is to be sent, nil for the zero Ticket.
func (t Ticket) Bytes() []byte {
	if t.IsZero() {
		return nil
	}
	w := wire.NewWriter(ticketExtra + len(t.box))
	w.U8(frameTicket.first())
	w.Fixed(t.answers[:])
	w.Vec32(t.box)
	return w.Bytes()
}

// ticketExtra is how much longer a ticket is than its box.
const ticketExtra = 1 + 16 + 4

// IsZero reports whether there is no ticket.
func (t Ticket) IsZero() bool { return t.box == nil }

// answersTo reports whether the ticket says that it answers the request.
func (t Ticket) answersTo(request digest) bool { return t.answers == [16]byte(request[:16]) }

// newTicket signs a body and boxes it to the ticket key of a request by index j. It returns ErrTooLong for a roster over
// 512 KiB, and for a ticket over 1 MiB: leave out used subtrees.
func newTicket(space state.ID, request digest, ticket boxKey, j dkg.Index, b ticketBody, issuer signingKey) (Ticket, error) {
	if len(b.roster.encode()) > maxRoster {
		return Ticket{}, ErrTooLong
	}
	body := b.body()
	signature := issuer.sign(signTicket, space[:], request[:], u32(uint32(j)), body)
	return sealTicket(space, request, ticket, uint32(j), body, signature)
}

// refused is the body of a refusal.
var refused = []byte{0}

// newRefusal is an owner's answer to a request whose link is dead.
func newRefusal(space state.ID, request digest, ticket boxKey, owner signingKey) (Ticket, error) {
	return sealTicket(space, request, ticket, 0, refused, owner.sign(signTicket, space[:], request[:], refused))
}

func sealTicket(space state.ID, request digest, ticket boxKey, recipient uint32, body, signature []byte) (Ticket, error) {
	w := wire.NewWriter(2 + maxSignature)
	w.Vec16(signature)
	plain := append(body[:len(body):len(body)], w.Bytes()...)
	if ticketExtra+len(plain)+ticket.kem.overhead() > maxTicket {
		return Ticket{}, ErrTooLong
	}
	box, err := ticket.seal(boxTicket, space, recipient, plain)
	if err != nil {
		return Ticket{}, err
	}
	return Ticket{answers: [16]byte(request[:16]), box: box}, nil
}

// ticketAnswer is what a ticket turned out to be: a body, or a refusal.
type ticketAnswer struct {
	body    ticketBody
	refused bool
	refusal []byte // its signature
}

// open opens a ticket with the key of one's own request by index j: errNotOpened, or wire.ErrMalformed. Nothing is
// verified.
func (t Ticket) open(space state.ID, key boxSecret, j dkg.Index) (ticketAnswer, error) {
	for _, recipient := range []uint32{uint32(j), 0} {
		plain, err := key.open(boxTicket, space, recipient, t.box)
		if err != nil {
			continue
		}
		if recipient == 0 {
			return parseRefusal(plain)
		}
		b, err := parseTicketBody(plain.Expose())
		return ticketAnswer{body: b}, err
	}
	return ticketAnswer{}, errNotOpened
}

func parseRefusal(plain secret.Bytes) (ticketAnswer, error) {
	r := wire.NewReader(plain.Expose())
	if r.U8() != refused[0] {
		r.Fail("refusal")
	}
	a := ticketAnswer{refused: true, refusal: r.Vec16(maxSignature)}
	if err := r.Done(); err != nil {
		return ticketAnswer{}, err
	}
	return a, nil
}

// verifyRefusal checks an owner's refusal.
func verifyRefusal(owners ownerList, space state.ID, request digest, sig []byte) error {
	return owners.verifyAny(sig, signTicket, space[:], request[:], refused)
}

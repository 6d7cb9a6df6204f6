package proto

import (
	"fmt"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Ticket answers a Request, as it goes over the network: a box to the one-time key of the request. It is immutable; the
// zero Ticket is none.
type Ticket struct {
	_       [0]func()
	Answers [16]byte // H(request)[:16]
	Box     []byte
}

// ParseTicket reads a ticket: u8(0x22) ‖ H(request)[:16] ‖ vec32 box, at most 1 MiB. It returns ErrMalformed, or
// state.ErrTooOld or state.ErrTooNew for another version of the protocol.
func ParseTicket(b []byte) (t Ticket, err error) {
	if len(b) > maxTicket {
		return Ticket{}, fmt.Errorf("%w: a ticket is longer than its limit", wire.ErrMalformed)
	}
	r, err := frameReader(b, TypeTicket)
	if err != nil {
		return Ticket{}, err
	}
	r.Into(t.Answers[:])
	t.Box = r.Vec32(maxTicket)
	if len(t.Box) == 0 {
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
	w := wire.NewWriter(ticketExtra + len(t.Box))
	w.U8(TypeTicket.first())
	w.Fixed(t.Answers[:])
	w.Vec32(t.Box)
	return w.Bytes()
}

// ticketExtra is how much longer a ticket is than its box.
const ticketExtra = 1 + 16 + 4

// IsZero reports whether there is no ticket.
func (t Ticket) IsZero() bool { return t.Box == nil }

// AnswersTo reports whether the ticket says that it answers the request.
func (t Ticket) AnswersTo(request suite.Digest) bool { return t.Answers == [16]byte(request[:16]) }

// NewTicket signs a body and boxes it to the ticket key of a request by index j. It returns ErrTooLong for a roster over
// 512 KiB, and for a ticket over 1 MiB: leave out used subtrees.
func NewTicket(space state.ID, request suite.Digest, ticket suite.KEMKey, j dkg.Index, b TicketBody, issuer suite.SigningKey) (Ticket, error) {
	if len(b.Roster.Encode()) > maxRoster {
		return Ticket{}, outcome.ErrTooLong
	}
	body := b.body()
	signature := issuer.Sign(suite.SignTicket, space[:], request[:], suite.U32(uint32(j)), body)
	return sealTicket(space, request, ticket, uint32(j), body, signature)
}

// refused is the body of a refusal.
var refused = []byte{0}

// NewRefusal is an owner's answer to a request whose link is dead.
func NewRefusal(space state.ID, request suite.Digest, ticket suite.KEMKey, owner suite.SigningKey) (Ticket, error) {
	return sealTicket(space, request, ticket, 0, refused, owner.Sign(suite.SignTicket, space[:], request[:], refused))
}

func sealTicket(space state.ID, request suite.Digest, ticket suite.KEMKey, recipient uint32, body, signature []byte) (Ticket, error) {
	w := wire.NewWriter(2 + suite.MaxSignature)
	w.Vec16(signature)
	plain := append(body[:len(body):len(body)], w.Bytes()...)
	if ticketExtra+len(plain)+ticket.KEM().Overhead() > maxTicket {
		return Ticket{}, outcome.ErrTooLong
	}
	box, err := ticket.Seal(suite.HPKETicket, space, recipient, plain)
	if err != nil {
		return Ticket{}, err
	}
	return Ticket{Answers: [16]byte(request[:16]), Box: box}, nil
}

// TicketAnswer is what a ticket turned out to be: a body, or a refusal.
type TicketAnswer struct {
	Body    TicketBody
	Refused bool
	Refusal []byte // its signature
}

// Open opens a ticket with the key of one's own request by index j: suite.ErrNotOpened, or wire.ErrMalformed. Nothing is
// verified.
func (t Ticket) Open(space state.ID, key suite.KEMSecret, j dkg.Index) (TicketAnswer, error) {
	for _, recipient := range []uint32{uint32(j), 0} {
		plain, err := key.Open(suite.HPKETicket, space, recipient, t.Box)
		if err != nil {
			continue
		}
		if recipient == 0 {
			return parseRefusal(plain)
		}
		b, err := ParseTicketBody(plain.Expose())
		return TicketAnswer{Body: b}, err
	}
	return TicketAnswer{}, suite.ErrNotOpened
}

func parseRefusal(plain secret.Bytes) (TicketAnswer, error) {
	r := wire.NewReader(plain.Expose())
	if r.U8() != refused[0] {
		r.Fail("refusal")
	}
	a := TicketAnswer{Refused: true, Refusal: r.Vec16(suite.MaxSignature)}
	if err := r.Done(); err != nil {
		return TicketAnswer{}, err
	}
	return a, nil
}

// VerifyRefusal checks an owner's refusal.
func VerifyRefusal(owners OwnerList, space state.ID, request suite.Digest, sig []byte) error {
	return owners.verifyAny(sig, suite.SignTicket, space[:], request[:], refused)
}

package proto

import (
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// TicketContext is what a ticket is bound to: the request that it answers, and the asker's index. The ticket of a direct link
// answers the link, of which DirectRequest gives the id.
type TicketContext struct {
	Space   state.ID
	Request RequestID
	Index   dkg.Index
	Direct  bool
}

// DirectRequest returns the id by which the ticket of a direct link names the link.
func DirectRequest(link Link) RequestID {
	return suite.HashID(suite.HashDirect, link.Encode().Expose())
}

func (c TicketContext) label() string {
	if c.Direct {
		return suite.HPKEDirect
	}
	return suite.HPKETicket
}

// Ticket is an opened ticket: its body, and the issuer's signature.
type Ticket struct {
	Body      TicketBody
	signature []byte
	body      secret.Bytes // its encoding, which is what was signed
}

// SealTicket signs a body and boxes it to the ticket key of a request. What it returns is to be split into parts (Split). It
// returns outcome.ErrTooLong for a body over MaxTicketBody, and suite.ErrInvalid for a key that cannot be boxed to.
func SealTicket(ctx TicketContext, ticket suite.KEMKey, b TicketBody, issuer suite.SigningKey) ([]byte, error) {
	body := b.Encode().Expose()
	if len(body) > MaxTicketBody {
		return nil, outcome.ErrTooLong
	}
	plain := encode(len(body)+2+suite.MaxSignature, func(w *wire.Writer) {
		w.Fixed(body)
		w.Vec16(ctx.sign(issuer, body))
	})
	return ticket.Seal(ctx.label(), ctx.Space, uint32(ctx.Index), plain)
}

// OpenTicket opens the whole of a ticket with the ticket key of one's own request: suite.ErrNotOpened, or wire.ErrMalformed.
// Nothing is verified.
func OpenTicket(ctx TicketContext, ticket suite.KEMSecret, whole []byte) (Ticket, error) {
	plain, err := ticket.Open(ctx.label(), ctx.Space, uint32(ctx.Index), whole)
	if err != nil {
		return Ticket{}, err
	}
	b := plain.Expose()
	return parseAll(b, MaxTicketBody+2+suite.MaxSignature, func(r *wire.Reader) Ticket {
		t := Ticket{Body: readTicketBody(r)}
		t.body = secret.Own(b[:len(b)-r.Len()])
		t.signature = readSignature(r)
		return t
	})
}

// VerifySignature checks that the issuer signed the ticket for this request and index, or returns suite.ErrInvalid.
func (t Ticket) VerifySignature(ctx TicketContext, issuer suite.PublicKey) error {
	return issuer.Verify(t.signature, suite.SignTicket, ctx.Space[:], ctx.Request[:], suite.U32(uint32(ctx.Index)), t.body.Expose())
}

func (c TicketContext) sign(issuer suite.SigningKey, body []byte) []byte {
	return issuer.Sign(suite.SignTicket, c.Space[:], c.Request[:], suite.U32(uint32(c.Index)), body)
}

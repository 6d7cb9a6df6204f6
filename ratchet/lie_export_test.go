package ratchet

import (
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// TicketKeyHeld reports whether a space holds the key of a request, so that whoever seizes it opens the tickets to it.
func TicketKeyHeld(s Space) bool { return s.State().self.Value().request.isOpen() }

// Claim is an epoch in a ticket that lies. The fields are what it says.
type Claim struct {
	ID, Parent [32]byte
	Generation uint64
	epoch      proto.TicketEpoch
}

// Lie lets an insider answer a request of a known member, or of a joiner that others let in, with a ticket that says of
// epochs what it likes.
func Lie(insider Space, request []byte, change func(claims []Claim) []Claim) []byte {
	q := parsed(proto.ParseRequest(request))
	d := &edit{base: insider, st: insider.State(), tp: insider.Template(), ev: insider.Evals()}
	p, r, t, _ := d.preferred()
	b, err := q.Open(d.st.space, t.template.Config)
	if err != nil {
		panic(err)
	}
	j := b.Resync.Index
	if q.Kind == proto.KindIntroduction {
		var joiner member
		if j, joiner, err = d.admitJoiner(r, t, b); err != nil {
			panic(err)
		}
		if joiner.Index != 0 {
			d.introduce(r, joiner)
		}
	}
	body, err := d.st.ticketBody(q.Hash(), p, r.id, t)
	if err != nil {
		panic(err)
	}
	var claims []Claim
	for _, e := range body.Epochs {
		claims = append(claims, Claim{e.ID, e.Parent, e.Generation, e})
	}
	body.Epochs = nil
	for _, e := range change(claims) {
		e.epoch.ID, e.epoch.Parent, e.epoch.Generation = e.ID, e.Parent, e.Generation
		body.Epochs = append(body.Epochs, e.epoch)
	}
	ticket, err := proto.NewTicket(d.st.space, q.Hash(), b.Ticket, j, body, d.st.identity().signing)
	if err != nil {
		panic(err)
	}
	return ticket.Bytes()
}

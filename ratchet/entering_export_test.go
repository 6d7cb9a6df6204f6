package ratchet

import (
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/ratchet/internal/pprf"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// TicketKeyHeld reports whether a space holds the key of a request, so that whoever seizes it opens the tickets to it.
func TicketKeyHeld(s Space) bool { return s.State().self.Value().request.isOpen() }

// Told is an epoch in a ticket that lies. The fields are what it says.
type Told struct {
	ID, Parent [32]byte
	Generation uint64
	epoch      proto.TicketEpoch
}

// Lie lets an insider answer a request of a known member, or of a joiner that others let in, with a ticket that says of
// epochs what it likes.
func Lie(insider Space, request []byte, change func(told []Told) []Told) []byte {
	q := parsed(proto.ParseRequest(request))
	w := &work{base: insider, st: insider.State(), tp: insider.Template(), ev: insider.Evals()}
	p, r, t, _ := w.preferred()
	b, err := q.Open(w.st.space, t.template.Config)
	if err != nil {
		panic(err)
	}
	j := b.Resync.Index
	if q.Kind == proto.KindIntroduction {
		var joiner member
		if j, joiner, err = w.admitJoiner(r, t, b); err != nil {
			panic(err)
		}
		if joiner.Index != 0 {
			w.introduce(r, joiner)
		}
	}
	body, err := w.ticketBody(q.Hash(), p, r.id, t)
	if err != nil {
		panic(err)
	}
	var told []Told
	for _, e := range body.Epochs {
		told = append(told, Told{e.Id, e.Parent, e.Generation, e})
	}
	body.Epochs = nil
	for _, e := range change(told) {
		e.epoch.Id, e.epoch.Parent, e.epoch.Generation = e.ID, e.Parent, e.Generation
		body.Epochs = append(body.Epochs, e.epoch)
	}
	ticket, err := proto.NewTicket(w.st.space, q.Hash(), b.Ticket, j, body, w.self().signing)
	if err != nil {
		panic(err)
	}
	return ticket.Bytes()
}

// FalseKey returns the epoch with another commit key.
func (e Told) FalseKey() Told {
	e.epoch.CommitKey = secret.Random(suite.KeySize)
	return e
}

// FalseTree returns the epoch with another commit tree.
func (e Told) FalseTree() Told {
	e.epoch.Tree = pprf.NewCommitTree(secret.Random(suite.KeySize), dkg.DefaultDepth)
	return e
}

// NoTree returns the epoch with nothing left of its commit tree but the subtree of one index that nobody has.
func (e Told) NoTree() Told {
	const depth = dkg.DefaultDepth
	shape := make([]byte, (2*(2*depth+1)+7)/8)
	for i := range 2*depth + 1 {
		kind := byte(2) // inner nodes, of which the left child is used up
		switch {
		case i == 2*depth:
			kind = 1 // and a key
		case i%2 == 1:
			kind = 0
		}
		shape[i/4] |= kind << (6 - 2*(i%4))
	}
	tree, err := pprf.DecodeCommitTree(append(shape, secret.Random(suite.KeySize).Expose()...), depth)
	if err != nil {
		panic(err)
	}
	e.epoch.Tree = tree
	return e
}

// Below returns a child of the epoch, or of one that does not exist, with keys that do not follow from its commit. The proof
// in the commit is the insider's.
func (e Told) Below(insider Space, parent [32]byte, generation uint64) Told {
	w := &work{base: insider, st: insider.State(), tp: insider.Template(), ev: insider.Evals()}
	_, r, t, _ := w.preferred()
	c, _, err := proto.NewCommit(w.st.space, parent, t.template.Public, r.share)
	if err != nil {
		panic(err)
	}
	e.Parent, e.Generation, e.epoch.Commit = parent, generation, c[:]
	e.ID = c.Child(w.st.space, parent, generation)
	return e.FalseKey().FalseTree()
}

// Unproven returns the epoch as one that nobody made.
func (e Told) Unproven(insider Space) Told {
	c := proto.Commit(e.epoch.Commit)
	c[proto.CommitSize-1] ^= 1
	e.epoch.Commit = c[:]
	e.ID = c.Child(insider.ID(), e.Parent, e.Generation)
	return e
}

// Follow enters the epochs that the commits of an envelope make of those held, without a message that anybody signed in them.
func Follow(s Space, now time.Time, frame []byte) Space {
	e := parsed(proto.ParseEnvelope(frame))
	w, err := begin(s, now)
	if err != nil {
		panic(err)
	}
	for _, sealed := range e.Commits {
		w.holdCommit(newHeldCommit(sealed, "", 0))
	}
	for c := range w.st.commits.All() {
		if c.leads() && w.keepPath(w.st.wayTo(c.id), 0) != nil {
			panic("not kept")
		}
	}
	return w.space()
}

// Leads reports whether a space holds a commit with what an epoch expands from, so that whoever seizes it can make that epoch
// and all below it anew.
func Leads(s Space, epoch [32]byte) bool {
	c, _ := s.State().commits.Get(segmap.ByID(epoch))
	return c.leads()
}

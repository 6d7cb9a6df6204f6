package ratchet

import (
	"time"

	"github.com/trefoil-im/trefoil/internal/secret"
)

// TicketKeyHeld reports whether a space holds the key of a request, so that whoever seizes it opens the tickets to it.
func TicketKeyHeld(s Space) bool { return s.State().self.Value().request.isOpen() }

// Told is an epoch in a ticket that lies. The fields are what it says.
type Told struct {
	ID, Parent [32]byte
	Generation uint64
	epoch      ticketEpoch
}

// Lie lets an insider answer a request of a known member, or of a joiner that others let in, with a ticket that says of
// epochs what it likes.
func Lie(insider Space, q Request, change func(told []Told) []Told) Ticket {
	w := &work{base: insider, st: insider.State(), tp: insider.Template(), ev: insider.Evals()}
	p, r, t, _ := w.preferred()
	b, err := q.open(w.st.space, t.template.config)
	if err != nil {
		panic(err)
	}
	j := b.resync.index
	if q.kind == requestIntroduction {
		var joiner member
		if j, joiner, err = w.admitJoiner(r, t, b); err != nil {
			panic(err)
		}
		if joiner.index != 0 {
			w.introduce(r, joiner)
		}
	}
	body, err := w.ticketBody(q.hash(), p, r.id, t)
	if err != nil {
		panic(err)
	}
	var told []Told
	for _, e := range body.epochs {
		told = append(told, Told{e.id, e.parent, e.generation, e})
	}
	body.epochs = nil
	for _, e := range change(told) {
		e.epoch.id, e.epoch.parent, e.epoch.generation = e.ID, e.Parent, e.Generation
		body.epochs = append(body.epochs, e.epoch)
	}
	ticket, err := newTicket(w.st.space, q.hash(), b.ticket, j, body, w.self().signing)
	if err != nil {
		panic(err)
	}
	return ticket
}

// FalseKey returns the epoch with another commit key.
func (e Told) FalseKey() Told {
	e.epoch.commitKey = secret.Random(keySize)
	return e
}

// FalseTree returns the epoch with another commit tree.
func (e Told) FalseTree() Told {
	e.epoch.tree = newCommitTree(secret.Random(keySize), e.epoch.tree.f.bits-childBits)
	return e
}

// NoTree returns the epoch with nothing left of its commit tree but the subtree of one index that nobody has.
func (e Told) NoTree() Told {
	path := make([]byte, 4)
	n := &ggmNode{key: [keySize]byte(secret.Random(keySize).Expose())}
	for i := range e.epoch.tree.f.bits - childBits {
		next := new(ggmNode)
		next.child[1-bit(path, i)] = n
		n = next
	}
	inner, keys := n.count()
	e.epoch.tree = commitTree{e.epoch.tree.f.with(n, inner, keys)}
	return e
}

// Below returns a child of the epoch, or of one that does not exist, with keys that do not follow from its commit. The proof
// in the commit is the insider's.
func (e Told) Below(insider Space, parent [32]byte, generation uint64) Told {
	w := &work{base: insider, st: insider.State(), tp: insider.Template(), ev: insider.Evals()}
	_, r, t, _ := w.preferred()
	c, _, err := makeCommit(w.st.space, parent, t.template.public, r.share)
	if err != nil {
		panic(err)
	}
	e.Parent, e.Generation, e.epoch.commit = parent, generation, c[:]
	e.ID = c.child(w.st.space, parent, generation)
	return e.FalseKey().FalseTree()
}

// Unproven returns the epoch as one that nobody made.
func (e Told) Unproven(insider Space) Told {
	c := commit(e.epoch.commit)
	c[commitSize-1] ^= 1
	e.epoch.commit = c[:]
	e.ID = c.child(insider.ID(), e.Parent, e.Generation)
	return e
}

// Follow enters the epochs that the commits of an envelope make of those held, without a message that anybody signed in them.
func Follow(s Space, now time.Time, e Envelope) Space {
	w, err := begin(s, now)
	if err != nil {
		panic(err)
	}
	for _, sealed := range e.commits {
		w.holdCommit(newHeldCommit(sealed, "", 0))
	}
	for c := range w.st.commits.all() {
		if c.leads() && w.keepPath(w.st.wayTo(c.id), 0) != nil {
			panic("not kept")
		}
	}
	return w.space()
}

// Leads reports whether a space holds a commit with what an epoch expands from, so that whoever seizes it can make that epoch
// and all below it anew.
func Leads(s Space, epoch [32]byte) bool {
	c, _ := s.State().commits.get(byID(epoch))
	return c.leads()
}

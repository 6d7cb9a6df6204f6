package ratchet

import (
	"time"

	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// Below returns a child of the epoch, or of one that does not exist, with keys that do not follow from its commit. The proof
// in the commit is the insider's.
func (e Claim) Below(insider Space, parent [32]byte, generation uint64) Claim {
	d := &edit{base: insider, st: insider.State(), tp: insider.Template(), ev: insider.Evals()}
	_, r, t, _ := d.preferred()
	c, _, err := proto.NewCommit(d.st.space, parent, t.template.Public, r.share)
	if err != nil {
		panic(err)
	}
	e.Parent, e.Generation, e.epoch.Commit = parent, generation, c[:]
	e.ID = c.Child(d.st.space, parent, generation)
	return e.FalseKey().FalseTree()
}

// Unproven returns the epoch as one that nobody made.
func (e Claim) Unproven(insider Space) Claim {
	c := proto.Commit(e.epoch.Commit)
	c[proto.CommitSize-1] ^= 1
	e.epoch.Commit = c[:]
	e.ID = c.Child(insider.ID(), e.Parent, e.Generation)
	return e
}

// Follow enters the epochs that the commits of an envelope make of those held, without a message that anybody signed in them.
func Follow(s Space, now time.Time, frame []byte) Space {
	e := parsed(proto.ParseEnvelope(frame))
	d, err := newEdit(s, now)
	if err != nil {
		panic(err)
	}
	for _, sealed := range e.Commits {
		d.addCommit(newOrphanCommit(sealed, "", 0))
	}
	for c := range d.st.commits.All() {
		if c.resolved() && d.enterPath(d.st.pathTo(c.id), 0) != nil {
			panic("not kept")
		}
	}
	return d.space()
}

// Leads reports whether a space holds a commit with what an epoch expands from, so that whoever seizes it can make that epoch
// and all below it anew.
func Leads(s Space, epoch [32]byte) bool {
	c, _ := s.State().commits.Get(segmap.ByID(epoch))
	return c.resolved()
}

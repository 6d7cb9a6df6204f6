package ratchet

import (
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/pprf"
	"github.com/trefoil-im/trefoil/ratchet/internal/seizetest"
)

// Seized returns all that a space holds, in its place.
func Seized(s Space) (z seizetest.Seizure) {
	st := s.State()
	me := st.self.Value()
	for r := range st.roots.All() {
		z.Shares = append(z.Shares, r.record.Value().share)
	}
	for _, k := range me.inboxes {
		z.Boxes = append(z.Boxes, k.secret)
	}
	if me.request.isOpen() {
		z.Boxes = append(z.Boxes, me.request.key)
	}
	for r := range s.Template().roots.All() {
		z.Boxes = append(z.Boxes, r.record.Value().template.Config)
	}
	for r := range st.epochs.All() {
		e := r.epoch()
		known := seizetest.Epoch{
			ID: e.id, Generation: e.generation, CommitKey: e.sealing, Commits: e.commits, Senders: e.senders, Blocks: make(map[uint32]pprf.Frontier),
		}
		for b := range e.blocks.All() {
			known.Blocks[b.no] = b.tree
			for _, c := range b.chains {
				skipped := make(map[uint32]secret.Bytes)
				for _, k := range c.skipped {
					skipped[k.n] = k.key
				}
				known.Chains = append(known.Chains, seizetest.Chain{Index: c.index, Next: c.next, Key: c.key, Skipped: skipped})
			}
		}
		z.Epochs = append(z.Epochs, known)
	}
	return z
}

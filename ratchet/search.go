package ratchet

import (
	"errors"
	"iter"
	"slices"

	"github.com/trefoil-im/trefoil/ratchet/internal/epochs"
	"github.com/trefoil-im/trefoil/ratchet/internal/orphans"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/state"
)

// known is an edit as a search asks it (orphans.Known): the forest that it has now, and the terms of its roots.
type known struct{ d *edit }

func (d *edit) known() known { return known{d} }

func (k known) root(id proto.EpochID) (proto.RootView, bool) {
	t, ok := k.d.tp.terms(id)
	return t.Terms, ok
}

// Space implements orphans.Known.
func (k known) Space() state.ID { return k.d.st.space }

// Newest implements orphans.Known.
func (k known) Newest() uint64 { return k.d.st.forest.Entered() }

// Near implements orphans.Known.
func (k known) Near(yield func(orphans.Epoch) bool) {
	for e := range k.d.st.forest.Near {
		if !yield(tried(e)) {
			return
		}
	}
}

// Up implements orphans.Known, and Down.
func (k known) Up(first uint64) iter.Seq2[uint64, orphans.Epoch] {
	return numbered(k.d.st.forest.Up(first))
}
func (k known) Down(last uint64) iter.Seq2[uint64, orphans.Epoch] {
	return numbered(k.d.st.forest.Down(last))
}

func numbered(all iter.Seq[epochs.Epoch]) iter.Seq2[uint64, orphans.Epoch] {
	return func(yield func(uint64, orphans.Epoch) bool) {
		for e := range all {
			if !yield(e.Serial(), tried(e)) {
				return
			}
		}
	}
}

// Epoch implements orphans.Known.
func (k known) Epoch(id proto.EpochID) (orphans.Epoch, bool) {
	e, ok := k.d.st.forest.Epoch(id)
	if !ok {
		return orphans.Epoch{}, false
	}
	return tried(e), true
}

// tried returns an epoch as a frame is tried with it.
func tried(e epochs.Epoch) orphans.Epoch {
	header, commits := e.Ciphers()
	return orphans.Epoch{ID: e.ID(), Generation: e.Generation(), Header: header, Commit: commits, Readable: e.Readable()}
}

// Derive implements orphans.Known.
func (k known) Derive(id proto.EpochID, above *orphans.Candidate, s proto.Shown) (orphans.Candidate, error) {
	parent, ok := k.d.st.forest.Epoch(id)
	if above != nil {
		var c epochs.Candidate
		c, ok = k.candidate(*above)
		parent = c.Epoch
	}
	if !ok {
		return orphans.Candidate{}, orphans.ErrWaits
	}
	root, ok := k.root(parent.Root())
	if !ok {
		return orphans.Candidate{}, orphans.ErrWaits
	}
	key, err := s.VerifyMaker(root, parent.Child(k.d.st.space, s.Commit))
	if err != nil {
		return orphans.Candidate{}, err
	}
	c, err := k.d.st.forest.Derive(parent, s, key, k.d.share)
	if err != nil {
		return orphans.Candidate{}, k.reason(err, parent, s)
	}
	k.d.made = append(slices.Clip(k.d.made), c)
	x := c.Found()
	return orphans.Candidate{
		ID: c.ID(), Parent: x.Parent, Root: x.Root, Generation: x.Generation, Shown: x.Shown, Keys: x.Keys,
		Sure: x.Sure,
	}, nil
}

// reason returns the error of package orphans for one of package epochs.
func (k known) reason(err error, parent epochs.Epoch, s proto.Shown) error {
	switch {
	case errors.Is(err, epochs.ErrMisled):
		return orphans.ErrMisled
	case errors.Is(err, epochs.ErrFalse):
		return orphans.ErrFalse
	case errors.Is(err, epochs.ErrOwnCommit):
		return orphans.ErrOwnCommit
	case errors.Is(err, epochs.ErrClosed) && parent.Derived():
		return orphans.ErrClosed
	case errors.Is(err, epochs.ErrClosed):
		return orphans.ClosedError{Words: orphans.Words{
			Issuers: len(parent.Words()), UsedUp: !k.hasChild(parent, s) && !k.d.st.forest.MayReturn(parent.ID()),
		}}
	}
	return orphans.ErrWaits
}

// hasChild reports whether a child of the place of a commit is held.
func (k known) hasChild(parent epochs.Epoch, s proto.Shown) bool {
	place := s.Commit.Core.Place(k.d.st.space, parent.ID(), parent.Generation()+1)
	return slices.ContainsFunc(k.d.st.forest.Children(parent.ID()), func(id proto.EpochID) bool {
		e, ok := k.d.st.forest.Epoch(id)
		return ok && e.Place() == place
	})
}

// candidate returns a candidate of the index as package epochs has it. It is not ok if its root is not held.
func (k known) candidate(c orphans.Candidate) (epochs.Candidate, bool) {
	if at := slices.IndexFunc(k.d.made, func(m epochs.Candidate) bool { return m.ID() == c.ID }); at >= 0 {
		return k.d.made[at], true
	}
	root, ok := k.root(c.Root)
	if !ok {
		return epochs.Candidate{}, false
	}
	maker := proto.Maker{Index: c.Shown.Commit.Core.Maker}
	if maker.Key, ok = root.Listed(maker.Index); !ok {
		maker.Key = c.Shown.Credential.Key()
	}
	return k.d.st.forest.Candidate(epochs.Found{
		Parent: c.Parent, Root: c.Root, Generation: c.Generation, Shown: c.Shown, Maker: maker, Keys: c.Keys,
		Sure: c.Sure,
	})
}

// path returns a path of candidates, parents first. It is not ok if a root is not held.
func (k known) path(found []orphans.Candidate) (out []epochs.Candidate, ok bool) {
	for _, c := range found {
		x, ok := k.candidate(c)
		if !ok {
			return nil, false
		}
		out = append(out, x)
	}
	return out, true
}

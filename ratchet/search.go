package ratchet

import (
	"errors"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// maxChildren is how many children of one parent one sender's messages may bring (§6).
const maxChildren = 8

// maxFollows bounds the commits that are followed at one time, about 2 ms each. A message can bring 255, and open others
// that are held; no honest one needs more than a path.
const maxFollows = 1_024

// edge is a commit that an epoch opens.
type edge struct {
	parent epoch
	commit proto.Commit
}

// search looks for an epoch in which an envelope is that no epoch held opens, among those that held commits and its own
// make (§7). It returns the children on the way from an epoch held, the last of which opens it; nil if nothing does.
// Nothing is kept.
func (w *work) search(e proto.Envelope) (path []epoch, h proto.Header, err error) {
	probe := *w
	for _, sealed := range e.Commits {
		probe.holdCommit(newHeldCommit(sealed, "", 0))
	}
	w.events, w.follows = probe.events, probe.follows
	for c := range probe.st.commits.All() {
		if !c.leads() {
			continue
		}
		h, err := proto.OpenHeader(c.child.header, w.st.space, c.id, c.child.depth, e.Header)
		if err == nil {
			return probe.st.wayTo(c.id), h, nil
		}
		if !errors.Is(err, suite.ErrNotOpened) {
			return nil, proto.Header{}, outcome.ErrMalformed
		}
	}
	return nil, proto.Header{}, nil
}

// wayTo returns the epochs on the way to one that a held commit makes, from the first that is not held.
func (s State) wayTo(id proto.EpochID) (path []epoch) {
	for c, ok := s.commits.Get(segmap.ByID(id)); ok && c.leads(); c, ok = s.commits.Get(segmap.ByID(c.parent)) {
		path = append(path, c.child)
	}
	slices.Reverse(path)
	return path
}

// followHeld returns an opened commit with its child, or as it is if there can be none.
func (w *work) followHeld(h heldCommit) heldCommit {
	parent, ok := w.st.knownEpoch(h.parent)
	if !ok {
		return h
	}
	w.follows++
	from, err := w.secretOf(edge{parent, h.commit})
	if err != nil {
		return h
	}
	return h.follow(parent.root, parent.generation+1, parent.depth, from)
}

// follow makes the child that a commit makes of its parent. The parent is not punctured: that is for keepPath.
func (w *work) follow(at edge) (epoch, error) {
	from, err := w.secretOf(at)
	if err != nil {
		return epoch{}, err
	}
	p := at.parent
	child := heldCommit{}.open(w.st.space, p, at.commit).follow(p.root, p.generation+1, p.depth, from).child
	child.entered = w.now
	return child, nil
}

// secretOf returns what the child expands from that a commit makes.
func (w *work) secretOf(at edge) (secret.Bytes, error) {
	r, ok := w.st.root(at.parent.root)
	t, okay := w.tp.terms(at.parent.root)
	if !ok || !okay {
		return secret.Bytes{}, suite.ErrNotOpened
	}
	seed, _, err := at.parent.commits.Eval(at.commit.Index(), at.parent.child(w.st.space, at.commit))
	if err != nil {
		return secret.Bytes{}, err
	}
	ss, err := at.commit.Follow(w.st.space, at.parent.id, t.template.Depth, t.template.Public, r.share)
	if err != nil {
		return secret.Bytes{}, err
	}
	return suite.Extract(seed, ss), nil
}

// keepPath enters the epochs on the way to one in which a message of the charged sender was read, 0 if it was unsigned.
// It returns ErrLimit if that sender brought too many already.
func (w *work) keepPath(path []epoch, charged dkg.Index) error {
	for _, e := range path {
		if held, ok := w.st.epoch(e.id); ok && held.readable() {
			continue // a ticket had told of it, and its parent settled it
		}
		parent, ok := w.st.epoch(e.parent)
		if !ok {
			return outcome.ErrLimit // given up for others meanwhile
		}
		brought, twin := 0, false
		for r := range w.st.epochs.All() {
			if x := r.epoch(); x.parent == e.parent && !x.isRoot() {
				if x.charged == charged {
					brought++
				}
				twin = twin || x.maker() == e.maker()
			}
		}
		if brought >= maxChildren {
			return outcome.ErrLimit
		}
		if twin {
			w.conflict(e.maker())
		}
		_, tree, err := parent.commits.Eval(e.maker(), e.id)
		if err != nil {
			return outcome.ErrExpired
		}
		w.put(parent.withCommits(tree))
		b := *e.birth
		b.charged, b.entered = charged, w.now
		e.birth = &b
		w.add(e)
	}
	return nil
}

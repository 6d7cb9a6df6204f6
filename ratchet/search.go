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

// maxResolved bounds the commits that are followed at one time, about 2 ms each. A message can bring 255, and open others
// that are held; no honest one needs more than a path.
const maxResolved = 1_024

// candidate is a commit that an epoch opens.
type candidate struct {
	parent epoch
	commit proto.Commit
}

// search looks for an epoch in which an envelope is that no epoch held opens, among those that orphaned commits and its own
// make (§7). It returns the children on the way from an epoch held, the last of which opens it; nil if nothing does.
// Nothing is kept.
func (d *edit) search(e proto.Envelope) (path []epoch, h proto.Header, err error) {
	probe := *d
	for _, sealed := range e.Commits {
		probe.addCommit(newOrphanCommit(sealed, "", 0))
	}
	d.events, d.resolved = probe.events, probe.resolved
	for c := range probe.st.commits.All() {
		if !c.resolved() {
			continue
		}
		h, err := proto.OpenHeader(c.child.header, d.st.space, c.id, c.child.depth, e.Header)
		if err == nil {
			return probe.st.pathTo(c.id), h, nil
		}
		if !errors.Is(err, suite.ErrNotOpened) {
			return nil, proto.Header{}, outcome.ErrMalformed
		}
	}
	d.searched = probe.st.commits
	return nil, proto.Header{}, nil
}

// pathTo returns the epochs on the way to one that an orphaned commit makes, from the first that is not held.
func (s State) pathTo(id proto.EpochID) (path []epoch) {
	for c, ok := s.commits.Get(segmap.ByID(id)); ok && c.resolved(); c, ok = s.commits.Get(segmap.ByID(c.parent)) {
		path = append(path, c.child)
	}
	slices.Reverse(path)
	return path
}

// resolve returns an opened commit with its child, or as it is if there can be none.
func (d *edit) resolve(h orphanCommit) orphanCommit {
	if c, ok := d.searched.Get(h.Key()); ok && c.opened {
		h.from, h.child = c.from, c.child
		return h
	}
	parent, ok := d.st.knownEpoch(h.parent)
	if !ok {
		return h
	}
	d.resolved++
	from, err := d.childSecret(candidate{parent, h.commit})
	if err != nil {
		return h
	}
	return h.withChild(parent.root, parent.generation+1, parent.depth, from)
}

// deriveChild makes the child that a commit makes of its parent. The parent is not punctured: that is for enterPath.
func (d *edit) deriveChild(at candidate) (epoch, error) {
	from, err := d.childSecret(at)
	if err != nil {
		return epoch{}, err
	}
	p := at.parent
	child := orphanCommit{}.open(d.st.space, p, at.commit).withChild(p.root, p.generation+1, p.depth, from).child
	child.entered = d.now
	return child, nil
}

// childSecret returns what the child expands from that a commit makes.
func (d *edit) childSecret(at candidate) (secret.Bytes, error) {
	r, ok := d.st.root(at.parent.root)
	t, okay := d.tp.terms(at.parent.root)
	if !ok || !okay {
		return secret.Bytes{}, suite.ErrNotOpened
	}
	seed, _, err := at.parent.commits.Eval(at.commit.Index(), at.parent.child(d.st.space, at.commit))
	if err != nil {
		return secret.Bytes{}, err
	}
	ss, err := at.commit.Follow(d.st.space, at.parent.id, t.template.Depth, t.template.Public, r.share)
	if err != nil {
		return secret.Bytes{}, err
	}
	return suite.Extract(seed, ss), nil
}

// enterPath enters the epochs on the way to one in which a message of the attributed sender was read, 0 if it was unsigned.
// It returns ErrLimit if that sender brought too many already.
func (d *edit) enterPath(path []epoch, attributed dkg.Index) error {
	for _, e := range path {
		if held, ok := d.st.epoch(e.id); ok && held.derived() {
			continue // a ticket had claimed it, and its parent derived it
		}
		parent, ok := d.st.epoch(e.parent)
		if !ok {
			return outcome.ErrLimit // given up for others meanwhile
		}
		brought, twin := 0, false
		for r := range d.st.epochs.All() {
			if x := r.epoch(); x.parent == e.parent && !x.isRoot() {
				if x.attributed == attributed {
					brought++
				}
				twin = twin || x.maker() == e.maker()
			}
		}
		if brought >= maxChildren {
			return outcome.ErrLimit
		}
		if twin {
			d.conflict(e.maker())
		}
		_, tree, err := parent.commits.Eval(e.maker(), e.id)
		if err != nil {
			return outcome.ErrExpired
		}
		d.putEpoch(parent.withCommits(tree))
		b := *e.epochMeta
		b.attributed, b.entered = attributed, d.now
		e.epochMeta = &b
		d.enterEpoch(e)
	}
	return nil
}

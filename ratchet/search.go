package ratchet

import (
	"errors"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
)

// maxChildren is how many children of one parent one sender's messages may bring (§6).
const maxChildren = 8

// maxFollows bounds the commits that are followed to find the epoch of one message, about 2 ms each. Its own are followed
// first, and no honest message needs more than they and a path of others.
const maxFollows = 1_024

// edge is a commit that an epoch opens.
type edge struct {
	parent epoch
	commit commit
}

// search looks for an epoch in which the envelope is, below the epochs held: it follows the commits that it carries and
// those of all retained messages, from the epochs held to their children, and so on until one opens the header (§7). It
// returns the children on the way, the last of which opens it; nil if nothing does. Nothing is kept.
func (w *work) search(e Envelope, retained bool) (path []epoch, h header, err error) {
	var sealed []sealedCommit // that no epoch opened so far
	var next []edge
	for c := range w.st.commits.all() {
		if !c.opened {
			sealed = append(sealed, c.sealed)
		} else if p, ok := w.st.epoch(c.parent); ok {
			next = append(next, edge{p, c.commit})
		}
	}
	own, unopened := w.openHeld(e.commits, retained)
	sealed = append(slices.Clone(unopened), sealed...)
	next = append(own, next...)

	found := make(map[epochID]epoch)
	conflict := false
	for follows := 0; len(next) > 0 && follows < maxFollows; {
		at := next[0]
		next = next[1:]
		id := at.commit.child(w.st.space, at.parent.id)
		if _, ok := found[id]; ok {
			continue
		}
		if _, ok := w.st.epoch(id); ok {
			continue
		}
		follows++
		child, err := w.follow(at)
		if errors.Is(err, errOwnCommit) {
			conflict = true
		}
		if err != nil {
			continue
		}
		found[id] = child
		switch h, err := openHeader(child.header, w.st.space, id, child.depth, e.header); {
		case err == nil:
			for {
				path = append(path, child)
				var ok bool
				if child, ok = found[child.parent]; !ok {
					break
				}
			}
			slices.Reverse(path)
			return path, h, nil
		case !errors.Is(err, errNotOpened):
			return nil, header{}, ErrMalformed
		}
		var below []edge
		sealed = slices.DeleteFunc(sealed, func(s sealedCommit) bool {
			c, err := s.open(child.sealing, w.st.space, id)
			if err == nil {
				below = append(below, edge{child, c})
			}
			return err == nil
		})
		next = append(below, next...)
	}
	if conflict {
		w.emit(Conflict{w.self().index, true})
	}
	return nil, header{}, nil
}

// openHeld opens commits with the keys of the epochs held. Those of a retained message were tried before, unless they
// were given up for others.
func (w *work) openHeld(sealed []sealedCommit, retained bool) (opened []edge, rest []sealedCommit) {
	held := w.st.candidates()
	for r := range w.st.epochs.all() {
		if e := r.epoch(); !e.readable() {
			held = append(held, e)
		}
	}
next:
	for _, s := range sealed {
		if retained && w.st.commits.has(newHeldCommit(s, "", 0, 0).key()) {
			continue
		}
		for _, p := range held {
			if c, err := s.open(p.sealing, w.st.space, p.id); err == nil {
				opened = append(opened, edge{p, c})
				continue next
			}
		}
		rest = append(rest, s)
	}
	return opened, rest
}

// follow makes the child that a commit makes of its parent. The parent is not punctured: that is for keepPath.
func (w *work) follow(at edge) (epoch, error) {
	r, ok := w.st.root(at.parent.root)
	t, okay := w.tp.terms(at.parent.root)
	if !ok || !okay {
		return epoch{}, errNotOpened
	}
	id := at.commit.child(w.st.space, at.parent.id)
	seed, _, err := at.parent.commits.eval(at.commit.index(), id)
	if err != nil {
		return epoch{}, err
	}
	ss, err := at.commit.follow(w.st.space, at.parent.id, t.template.depth, t.template.public, r.share)
	if err != nil {
		return epoch{}, err
	}
	return newEpoch(birth{
		id: id, parent: at.parent.id, root: at.parent.root, generation: at.parent.generation + 1,
		commit: at.commit, entered: w.now, depth: at.parent.depth,
	}, expandEpoch(extract(seed, ss), id)), nil
}

// keepPath enters the epochs on the way to one in which a message of the charged sender was read, 0 if it was unsigned.
// It returns ErrLimit if that sender brought too many already.
func (w *work) keepPath(path []epoch, charged dkg.Index) error {
	for _, e := range path {
		parent, ok := w.st.epoch(e.parent)
		if !ok {
			return ErrLimit // given up for others meanwhile
		}
		brought, twin := 0, false
		for r := range w.st.epochs.all() {
			if x := r.epoch(); x.parent == e.parent && !x.isRoot() {
				if x.charged == charged {
					brought++
				}
				twin = twin || x.maker() == e.maker()
			}
		}
		if brought >= maxChildren {
			return ErrLimit
		}
		if twin {
			w.emit(Conflict{e.maker(), e.maker() == w.self().index})
		}
		_, tree, err := parent.commits.eval(e.maker(), e.id)
		if err != nil {
			return ErrExpired
		}
		w.put(parent.withCommits(tree))
		b := *e.birth
		b.charged = charged
		e.birth = &b
		w.add(e)
	}
	return nil
}

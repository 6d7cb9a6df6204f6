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
	child  *followed // where its epoch is kept once it was made; nil if nowhere
}

// search looks for an epoch in which the envelope is, below the epochs held: it follows the commits that it carries and
// those of all retained messages, from the epochs held to their children, and so on until one opens the header (§7). It
// returns the children on the way, the last of which opens it; nil if nothing does. Nothing is kept.
func (w *work) search(e Envelope, retained bool) (path []epoch, h header, err error) {
	next, own := w.openHeld(e.commits, retained)
	for c := range w.st.commits.all() {
		if c.opened {
			if p, ok := w.st.epoch(c.parent); ok && c.commit.index() != w.self().index {
				next = append(next, edge{p, c.commit, c.child})
			}
		}
	}
	unopened := &sealedSet{w: w, sealed: own}
	found := make(map[epochID]epoch)
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
		child, err := w.followOnce(at, &follows)
		if errors.Is(err, errOwnCommit) && !w.st.commits.has(byID(id)) {
			w.conflict(w.self().index)
		}
		if err != nil {
			continue
		}
		found[id] = child
		h, err := openHeader(child.header, w.st.space, id, child.depth, e.header)
		if err == nil {
			return wayTo(child, found), h, nil
		}
		if !errors.Is(err, errNotOpened) {
			return nil, header{}, ErrMalformed
		}
		next = append(unopened.take(child), next...)
	}
	return nil, header{}, nil
}

// wayTo returns the epochs found on the way to one of them.
func wayTo(e epoch, found map[epochID]epoch) (path []epoch) {
	for ok := true; ok; e, ok = found[e.parent] {
		path = append(path, e)
	}
	slices.Reverse(path)
	return path
}

// followOnce is follow of a commit that may have been followed before.
func (w *work) followOnce(at edge, follows *int) (epoch, error) {
	if at.child == nil {
		*follows++
		return w.follow(at)
	}
	at.child.once.Do(func() {
		*follows++
		at.child.epoch, at.child.err = w.follow(at)
	})
	return at.child.epoch, at.child.err
}

// sealedSet holds the commits that no epoch held opens: a message's own, and, looked up when they are needed, those of the
// retained ones.
type sealedSet struct {
	w      *work
	sealed []sealedCommit
	whole  bool
}

// take takes out of the set what an epoch opens.
func (s *sealedSet) take(e epoch) (opened []edge) {
	if !s.whole {
		s.whole = true
		for c := range s.w.st.commits.all() {
			if !c.opened {
				s.sealed = append(s.sealed, c.sealed)
			}
		}
	}
	s.sealed = slices.DeleteFunc(s.sealed, func(sealed sealedCommit) bool {
		c, err := sealed.open(e.sealing, s.w.st.space, e.id)
		if err == nil {
			opened = append(opened, edge{parent: e, commit: c})
		}
		return err == nil
	})
	return opened
}

// openHeld opens commits with the keys of the epochs held. Those of a retained message were tried before, unless they
// were given up for others.
func (w *work) openHeld(sealed []sealedCommit, retained bool) (opened []edge, rest []sealedCommit) {
	held := slices.Collect(w.st.likely())
next:
	for _, s := range sealed {
		if retained && w.st.commits.has(newHeldCommit(s, "", 0).key()) {
			continue
		}
		for _, p := range held {
			if c, err := s.open(p.sealing, w.st.space, p.id); err == nil {
				opened = append(opened, edge{parent: p, commit: c})
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
			w.conflict(e.maker())
		}
		_, tree, err := parent.commits.eval(e.maker(), e.id)
		if err != nil {
			return ErrExpired
		}
		w.put(parent.withCommits(tree))
		b := *e.birth
		b.charged, b.entered = charged, w.now
		e.birth = &b
		w.add(e)
	}
	return nil
}

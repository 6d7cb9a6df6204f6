package ratchet

import (
	"slices"

	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// How commits travel (§7): no single message and no single epoch is a single point of failure.
const (
	carryOwn      = 4 // the first messages of a sender in an epoch carry the epoch's own commit,
	carryEvery    = 8 // and every eighth after them
	carryParent   = 2 // the first ones carry its parent's commit too
	carryAncestor = 3 // the message that brings a new commit carries those of this many nearest ancestors
	replacedSends = 3 // how often the way to an epoch is carried that was preferred and is none of the ancestors any more
)

// carry notes a path that others lack.
func (w *work) carry(c catchUp) {
	rest := slices.DeleteFunc(slices.Clone(w.st.behind), func(o catchUp) bool { return o.from == c.from && o.to == c.to })
	if len(rest) >= maxCatchUps {
		rest = rest[1:]
	}
	w.st.behind = append(rest, c)
}

// lags notes that a message was read in x: whoever sends there lacks what lies between x, or where x branches off, and the
// preferred epoch. A single commit on top of x travels by itself; one beside x need not, where everybody has sent already.
func (w *work) lags(x epoch) {
	from, ok := w.st.commonAncestor(x.id, w.st.preferred)
	if !ok {
		return
	}
	if path, ok := w.st.path(from, w.st.preferred); ok && (len(path) >= 2 || from != x.id && len(path) == 1) && len(path) <= proto.MaxCommits {
		w.carry(catchUp{from: from, left: 1})
	}
}

// caughtUp forgets paths of which a message carried the first commit.
func (w *work) caughtUp(e proto.Envelope) {
	if len(w.st.behind) == 0 || len(e.Commits) == 0 {
		return
	}
	var rest []catchUp
	for _, c := range w.st.behind {
		if c.to != (proto.EpochID{}) || !w.carries(e, c.from) {
			rest = append(rest, c)
		}
	}
	w.st.behind = rest
}

// carries reports whether the envelope carries the first commit on the way from an epoch to the preferred one.
func (w *work) carries(e proto.Envelope, from proto.EpochID) bool {
	path, ok := w.st.path(from, w.st.preferred)
	if !ok || len(path) == 0 {
		return true // there is no way any more
	}
	parent, ok := w.st.epoch(from)
	if !ok {
		return true // it was dropped, and there is no key left to carry its child under
	}
	first, _ := w.st.epoch(path[0])
	return slices.ContainsFunc(e.Commits, func(s proto.SealedCommit) bool {
		c, err := s.Open(parent.sealing, w.st.space, parent.id)
		return err == nil && c == first.commit
	})
}

// cargo returns the sealed commits that message n in epoch e carries: paths that others lack first, then those near by.
// Fresh says that the message brings the commit of e itself. What was waiting is done with.
func (w *work) cargo(e epoch, n uint32, fresh bool) []proto.SealedCommit {
	var ids []proto.EpochID
	add := func(more ...proto.EpochID) {
		for _, id := range more {
			if len(ids) < proto.MaxCommits && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	var rest []catchUp
	for _, c := range w.st.behind {
		to := c.to
		if to == (proto.EpochID{}) {
			to = e.id
		}
		path, ok := w.st.path(c.from, to)
		if !ok {
			continue
		}
		if len(path) <= proto.MaxCommits {
			add(path...)
		}
		if c.left--; c.left > 0 {
			rest = append(rest, c)
		}
	}
	w.st.behind = rest
	if n < carryOwn || n%carryEvery == 0 {
		add(e.id)
	}
	ancestors := w.st.nearest(e, carryAncestor)
	if !fresh {
		ancestors = ancestors[:min(len(ancestors), 1)]
	}
	if n < carryParent || fresh {
		for _, a := range ancestors {
			add(a.id)
		}
	}
	var out []proto.SealedCommit
	for _, id := range ids {
		x, ok := w.st.epoch(id)
		if !ok || x.isRoot() {
			continue
		}
		if parent, ok := w.st.epoch(x.parent); ok {
			out = append(out, x.commit.Seal(parent.sealing, w.st.space, parent.id))
		}
	}
	return out
}

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
	replacedUses  = 3 // how often the way to an epoch is carried that was preferred and is none of the ancestors any more
)

// schedule notes a path that others lack.
func (d *edit) schedule(c catchUp) {
	rest := slices.DeleteFunc(slices.Clone(d.st.catchUps), func(o catchUp) bool { return o.from == c.from && o.to == c.to })
	if len(rest) >= maxCatchUps {
		rest = rest[1:]
	}
	d.st.catchUps = append(rest, c)
}

// noteLagging notes that a message was read in x: whoever sends there lacks what lies between x, or where x branches off, and the
// preferred epoch. A single commit on top of x travels by itself; one beside x need not, where everybody has sent already.
func (d *edit) noteLagging(x epoch) {
	from, ok := d.st.commonAncestor(x.id, d.st.preferred)
	if !ok {
		return
	}
	if path, ok := d.st.path(from, d.st.preferred); ok && (len(path) >= 2 || from != x.id && len(path) == 1) && len(path) <= proto.MaxCommits {
		d.schedule(catchUp{from: from, left: 1})
	}
}

// resolveCatchUps forgets paths of which a message carried the first commit.
func (d *edit) resolveCatchUps(e proto.Envelope) {
	if len(d.st.catchUps) == 0 || len(e.Commits) == 0 {
		return
	}
	var rest []catchUp
	for _, c := range d.st.catchUps {
		if c.to != (proto.EpochID{}) || !d.carriesFirst(e, c.from) {
			rest = append(rest, c)
		}
	}
	d.st.catchUps = rest
}

// carriesFirst reports whether the envelope carries the first commit on the way from an epoch to the preferred one.
func (d *edit) carriesFirst(e proto.Envelope, from proto.EpochID) bool {
	path, ok := d.st.path(from, d.st.preferred)
	if !ok || len(path) == 0 {
		return true // there is no way any more
	}
	parent, ok := d.st.epoch(from)
	if !ok {
		return true // it was dropped, and there is no key left to carry its child under
	}
	first, _ := d.st.epoch(path[0])
	return slices.ContainsFunc(e.Commits, func(s proto.SealedCommit) bool {
		c, err := s.Open(parent.sealing, d.st.space, parent.id)
		return err == nil && c == first.commit
	})
}

// attach returns the sealed commits that message n in epoch e carries: paths that others lack first, then those near by.
// Fresh says that the message brings the commit of e itself. What was waiting is done with.
func (d *edit) attach(e epoch, n uint32, fresh bool) []proto.SealedCommit {
	var ids []proto.EpochID
	add := func(more ...proto.EpochID) {
		for _, id := range more {
			if len(ids) < proto.MaxCommits && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	var rest []catchUp
	for _, c := range d.st.catchUps {
		to := c.to
		if to == (proto.EpochID{}) {
			to = e.id
		}
		path, ok := d.st.path(c.from, to)
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
	d.st.catchUps = rest
	if n < carryOwn || n%carryEvery == 0 {
		add(e.id)
	}
	ancestors := d.st.nearest(e, carryAncestor)
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
		x, ok := d.st.epoch(id)
		if !ok || x.isRoot() {
			continue
		}
		if parent, ok := d.st.epoch(x.parent); ok {
			out = append(out, x.commit.Seal(parent.sealing, d.st.space, parent.id))
		}
	}
	return out
}

package ratchet

import (
	"iter"
	"slices"
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// addOrphan keeps what is needed of a message that cannot be read yet, from a mailbox, to try it again.
func (d *edit) addOrphan(source string, e proto.Envelope) {
	h := orphanHeader{id: e.Name(), sealed: e.Header, source: source, arrived: d.now}
	if d.st.headers.Has(h.Key()) {
		return
	}
	for x := range d.st.known() {
		if opened, ok := h.open(d.st.space, x); ok {
			h = opened
			break
		}
	}
	d.evictHeader(source)
	d.st.headers = d.st.headers.Put(h)
	for _, sealed := range e.Commits {
		d.addCommit(newOrphanCommit(sealed, source, 0))
	}
}

// evictHeader drops the oldest header of a mailbox that has as many as it may have, or, if there are too many in all, of the
// one that has most: none pushes out what the others sent.
func (d *edit) evictHeader(source string) {
	count := make(map[string]int)
	oldest := make(map[string]orphanHeader)
	for h := range d.st.headers.All() {
		count[h.source]++
		if o, ok := oldest[h.source]; !ok || h.arrived < o.arrived {
			oldest[h.source] = h
		}
	}
	if count[source] < maxHeadersBySource {
		if d.st.headers.Size() < maxOrphanHeaders {
			return
		}
		for s, n := range count {
			if m := count[source]; n > m || n == m && s < source {
				source = s
			}
		}
	}
	d.st.headers = d.st.headers.Drop(oldest[source].Key())
}

// likely yields the epochs held, likely ones first: the preferred one and its nearest ancestors.
func (s State) likely() iter.Seq[epoch] {
	return func(yield func(epoch) bool) {
		tried := make([]proto.EpochID, 0, 1+maxBehind)
		if p, ok := s.epoch(s.preferred); ok {
			if tried = append(tried, p.id); !yield(p) {
				return
			}
			for _, a := range s.nearest(p, maxBehind) {
				if tried = append(tried, a.id); !yield(a) {
					return
				}
			}
		}
		for r := range s.epochs.All() {
			if e := r.epoch(); !slices.Contains(tried, e.id) && !yield(e) {
				return
			}
		}
	}
}

// known yields the epochs held, likely ones first, and those that orphaned commits make.
func (s State) known() iter.Seq[epoch] {
	return func(yield func(epoch) bool) {
		for e := range s.likely() {
			if !yield(e) {
				return
			}
		}
		for c := range s.commits.All() {
			if c.resolved() && !yield(c.child) {
				return
			}
		}
	}
}

// knownEpoch returns an epoch that is held, or that an orphaned commit makes.
func (s State) knownEpoch(id proto.EpochID) (epoch, bool) {
	if c, _ := s.commits.Get(segmap.ByID(id)); c.resolved() {
		return c.child, true
	}
	return s.epoch(id)
}

// addAttached keeps those commits of a message that was read which are of no epoch held. Whoever finds its preferred epoch
// replaced sends the way to the old one in messages of the new one (§7): those who lack the way can read them, and what it
// leads to arrives before them or later. Sender is 0 if the message was unsigned.
func (d *edit) addAttached(e proto.Envelope, sender dkg.Index) {
	for _, sealed := range e.Commits {
		d.addCommit(newOrphanCommit(sealed, "", sender))
	}
}

// addCommit keeps a commit of a message unless it is known.
func (d *edit) addCommit(h orphanCommit) {
	if d.st.commits.Has(h.Key()) {
		return
	}
	for x := range d.st.known() {
		if c, err := h.sealed.Open(x.sealing, d.st.space, x.id); err == nil {
			h = h.open(d.st.space, x, c)
			break
		}
	}
	d.putCommit(h)
}

// putCommit puts an orphaned commit into the table, once. One that is opened is followed, and what is retained tried with the
// keys of its child, once and for all.
func (d *edit) putCommit(h orphanCommit) {
	if h.opened {
		if d.st.commits.Has(h.Key()) || !d.st.mayResolve(h) {
			return
		}
		switch own := h.commit.Index() == d.st.identity().index; {
		case own && !d.ownLost(h), !own && d.resolved == maxResolved:
			return
		case !own:
			h = d.resolve(h)
		}
		if d.st.epochs.Has(h.Key()) && !h.resolved() {
			return
		}
	}
	if h.arrived == 0 {
		d.st.arrivals++
		h.arrived, h.since = d.st.arrivals, d.now
	}
	d.evictForCommit(h)
	if _, ok := d.st.knownEpoch(h.parent); h.opened && !ok {
		return // given up just now
	}
	d.st.commits = d.st.commits.Put(h)
	if h.resolved() {
		d.rescanHeaders(h.child)
		d.rescanCommits(h.child)
		d.rescanClaims(h)
	}
}

// evictForCommit gives up a commit if there are too many, of its source or in all: the oldest that nothing opens, which
// anybody can make, and only then the oldest that something opens.
func (d *edit) evictForCommit(h orphanCommit) {
	before := func(a, b orphanCommit) bool {
		if a.opened != b.opened {
			return b.opened
		}
		return a.arrived < b.arrived
	}
	var first, firstSame orphanCommit
	all, same := 0, 0
	for c := range d.st.commits.All() {
		if all++; all == 1 || before(c, first) {
			first = c
		}
		if c.source == h.source && c.sender == h.sender {
			if same++; same == 1 || before(c, firstSame) {
				firstSame = c
			}
		}
	}
	switch {
	case same >= maxCommitsBySource:
		d.evictCommit(firstSame)
	case all >= maxOrphanCommits:
		d.evictCommit(first)
	}
}

// evictCommit drops an orphaned commit, with all that is known only by way of it.
func (d *edit) evictCommit(h orphanCommit) {
	d.st.commits = d.st.commits.Drop(h.Key())
	if h.resolved() {
		d.unlink(h.id)
	}
}

// unlink drops what was found out with the keys of an epoch that is not known any more.
func (d *edit) unlink(id proto.EpochID) {
	for c := range d.st.commits.All() {
		if c.opened && c.parent == id {
			d.evictCommit(c)
		}
	}
	for h := range d.st.headers.All() {
		if h.epoch == id {
			d.st.headers = d.st.headers.Put(h.shut())
		}
	}
}

// ownLost reports whether a commit of the own index that this member does not know of was made with its share: then its state
// is not its newest. It can never follow the commit, and needs a ticket (§4).
func (d *edit) ownLost(h orphanCommit) bool {
	parent, ok := d.st.knownEpoch(h.parent)
	if !ok {
		return false
	}
	_, t, err := d.rootOf(parent)
	if err == nil {
		_, _, err = h.commit.Verify(d.st.space, parent.id, t.template.Depth, t.template.Public)
	}
	if err != nil {
		return false
	}
	d.st.ask = true
	d.conflict(h.commit.Index())
	return true
}

// rescan tries what is retained with the keys of an epoch that was entered, unless an orphaned commit led to it before. The
// commit is kept for an epoch which only a ticket claimed, as there is no other way to read in it.
func (d *edit) rescan(e epoch) {
	c, _ := d.st.commits.Get(segmap.ByID(e.id))
	if e.derived() {
		d.st.commits = d.st.commits.Drop(segmap.ByID(e.id))
	}
	if !c.resolved() {
		d.rescanHeaders(e)
		d.rescanCommits(e)
	}
}

// rescanClaims follows the commits of epochs which tickets claimed below one that an orphaned commit makes.
func (d *edit) rescanClaims(h orphanCommit) {
	for r := range d.st.epochs.All() {
		if c := r.epoch(); c.parent == h.id && !c.isRoot() && !c.derived() {
			d.putCommit(orphanCommit{source: h.source, sender: h.sender}.open(d.st.space, h.child, c.commit))
		}
	}
}

// mayResolve reports whether a commit may lead to an epoch: not if that is held, but for one which only tickets claimed and
// below which nothing was read, as that must not be opened again.
func (s State) mayResolve(h orphanCommit) bool {
	e, held := s.epoch(h.id)
	if !held {
		return true
	}
	if e.derived() || h.commit.Index() == s.identity().index {
		return false
	}
	for r := range s.epochs.All() {
		if c := r.epoch(); c.parent == h.id && c.derived() {
			return false
		}
	}
	return true
}

// rescanHeaders tries the headers of retained messages with the key of an epoch that came to be known. One that opens is a
// reason to try what is retained again; that an epoch came to be known is none.
func (d *edit) rescanHeaders(e epoch) {
	for h := range d.st.headers.All() {
		if h.epoch != (proto.EpochID{}) {
			continue
		}
		if opened, ok := h.open(d.st.space, e); ok {
			d.st.headers = d.st.headers.Put(opened)
			d.progress = true
		}
	}
}

// rescanCommits tries the commits of retained messages with the key of an epoch that came to be known.
func (d *edit) rescanCommits(e epoch) {
	for c := range d.st.commits.All() {
		if c.opened || !d.st.commits.Has(c.Key()) {
			continue
		}
		if plain, err := c.sealed.Open(e.sealing, d.st.space, e.id); err == nil {
			d.st.commits = d.st.commits.Drop(c.Key())
			d.putCommit(c.open(d.st.space, e, plain))
		}
	}
}

// orphanedFor is how long what is kept of retained messages stays, as long as a vault retains the messages.
const orphanedFor = 7 * 24 * time.Hour

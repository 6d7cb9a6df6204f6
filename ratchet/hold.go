package ratchet

import (
	"iter"
	"slices"
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// hold keeps what is needed of a message that cannot be read yet, from a mailbox, to try it again.
func (w *work) hold(source string, e proto.Envelope) {
	h := heldHeader{id: e.Name(), sealed: e.Header, source: source, arrived: w.now}
	if w.st.headers.Has(h.Key()) {
		return
	}
	for x := range w.st.known() {
		if opened, ok := h.open(w.st.space, x); ok {
			h = opened
			break
		}
	}
	w.makeRoom(source)
	w.st.headers = w.st.headers.Put(h)
	for _, sealed := range e.Commits {
		w.holdCommit(newHeldCommit(sealed, source, 0))
	}
}

// makeRoom drops the oldest header of a mailbox that has as many as it may have, or, if there are too many in all, of the
// one that has most: none pushes out what the others sent.
func (w *work) makeRoom(source string) {
	count := make(map[string]int)
	oldest := make(map[string]heldHeader)
	for h := range w.st.headers.All() {
		count[h.source]++
		if o, ok := oldest[h.source]; !ok || h.arrived < o.arrived {
			oldest[h.source] = h
		}
	}
	if count[source] < maxHeadersBySource {
		if w.st.headers.Size() < maxHeldHeaders {
			return
		}
		for s, n := range count {
			if m := count[source]; n > m || n == m && s < source {
				source = s
			}
		}
	}
	w.st.headers = w.st.headers.Drop(oldest[source].Key())
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

// known yields the epochs held, likely ones first, and those that held commits make.
func (s State) known() iter.Seq[epoch] {
	return func(yield func(epoch) bool) {
		for e := range s.likely() {
			if !yield(e) {
				return
			}
		}
		for c := range s.commits.All() {
			if c.leads() && !yield(c.child) {
				return
			}
		}
	}
}

// knownEpoch returns an epoch that is held, or that a held commit makes.
func (s State) knownEpoch(id proto.EpochID) (epoch, bool) {
	if c, _ := s.commits.Get(segmap.ByID(id)); c.leads() {
		return c.child, true
	}
	return s.epoch(id)
}

// keepCarried keeps those commits of a message that was read which are of no epoch held. Whoever finds its preferred epoch
// replaced sends the way to the old one in messages of the new one (§7): those who lack the way can read them, and what it
// leads to arrives before them or later. Sender is 0 if the message was unsigned.
func (w *work) keepCarried(e proto.Envelope, sender dkg.Index) {
	for _, sealed := range e.Commits {
		w.holdCommit(newHeldCommit(sealed, "", sender))
	}
}

// holdCommit keeps a commit of a message unless it is known.
func (w *work) holdCommit(h heldCommit) {
	if w.st.commits.Has(h.Key()) {
		return
	}
	for x := range w.st.known() {
		if c, err := h.sealed.Open(x.sealing, w.st.space, x.id); err == nil {
			h = h.open(w.st.space, x, c)
			break
		}
	}
	w.keepCommit(h)
}

// keepCommit puts a held commit into the table, once. One that is opened is followed, and what is retained tried with the
// keys of its child, once and for all.
func (w *work) keepCommit(h heldCommit) {
	if h.opened {
		if w.st.commits.Has(h.Key()) || !w.mayLead(h) {
			return
		}
		switch own := h.commit.Index() == w.self().index; {
		case own && !w.lost(h), !own && w.follows == maxFollows:
			return
		case !own:
			h = w.followHeld(h)
		}
		if w.st.epochs.Has(h.Key()) && !h.leads() {
			return
		}
	}
	if h.arrived == 0 {
		w.st.arrivals++
		h.arrived, h.since = w.st.arrivals, w.now
	}
	w.makeRoomForCommit(h)
	if _, ok := w.st.knownEpoch(h.parent); h.opened && !ok {
		return // given up just now
	}
	w.st.commits = w.st.commits.Put(h)
	if h.leads() {
		w.tryHeaders(h.child)
		w.tryCommits(h.child)
		w.tryTold(h)
	}
}

// makeRoomForCommit gives up a commit if there are too many, of its source or in all: the oldest that nothing opens, which
// anybody can make, and only then the oldest that something opens.
func (w *work) makeRoomForCommit(h heldCommit) {
	before := func(a, b heldCommit) bool {
		if a.opened != b.opened {
			return b.opened
		}
		return a.arrived < b.arrived
	}
	var first, firstSame heldCommit
	all, same := 0, 0
	for c := range w.st.commits.All() {
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
	case same >= maxHeldBySource:
		w.giveUp(firstSame)
	case all >= maxHeldCommits:
		w.giveUp(first)
	}
}

// giveUp drops a held commit, with all that is known only by way of it.
func (w *work) giveUp(h heldCommit) {
	w.st.commits = w.st.commits.Drop(h.Key())
	if h.leads() {
		w.forget(h.id)
	}
}

// forget drops what was found out with the keys of an epoch that is not known any more.
func (w *work) forget(id proto.EpochID) {
	for c := range w.st.commits.All() {
		if c.opened && c.parent == id {
			w.giveUp(c)
		}
	}
	for h := range w.st.headers.All() {
		if h.epoch == id {
			w.st.headers = w.st.headers.Put(h.shut())
		}
	}
}

// lost reports whether a commit of the own index that this member does not know of was made with its share: then its state
// is not its newest. It can never follow the commit, and needs a ticket (§4).
func (w *work) lost(h heldCommit) bool {
	parent, ok := w.st.knownEpoch(h.parent)
	if !ok {
		return false
	}
	_, t, err := w.rootOf(parent)
	if err == nil {
		_, _, err = h.commit.Verify(w.st.space, parent.id, t.template.Depth, t.template.Public)
	}
	if err != nil {
		return false
	}
	w.st.ask = true
	w.conflict(h.commit.Index())
	return true
}

// tryRetained tries what is retained with the keys of an epoch that was entered, unless a held commit led to it before. The
// commit is kept for an epoch of which only a ticket told, as there is no other way to read in it.
func (w *work) tryRetained(e epoch) {
	c, _ := w.st.commits.Get(segmap.ByID(e.id))
	if e.readable() {
		w.st.commits = w.st.commits.Drop(segmap.ByID(e.id))
	}
	if !c.leads() {
		w.tryHeaders(e)
		w.tryCommits(e)
	}
}

// tryTold follows the commits of epochs of which tickets told below one that a held commit makes.
func (w *work) tryTold(h heldCommit) {
	for r := range w.st.epochs.All() {
		if c := r.epoch(); c.parent == h.id && !c.isRoot() && !c.readable() {
			w.keepCommit(heldCommit{source: h.source, sender: h.sender}.open(w.st.space, h.child, c.commit))
		}
	}
}

// mayLead reports whether a commit may lead to an epoch: not if that is held, but for one of which only tickets told and
// below which nothing was read, as that must not be opened again.
func (w *work) mayLead(h heldCommit) bool {
	e, held := w.st.epoch(h.id)
	if !held {
		return true
	}
	if e.readable() || h.commit.Index() == w.self().index {
		return false
	}
	for r := range w.st.epochs.All() {
		if c := r.epoch(); c.parent == h.id && c.readable() {
			return false
		}
	}
	return true
}

// tryHeaders tries the headers of retained messages with the key of an epoch that came to be known. One that opens is a
// reason to try what is retained again; that an epoch came to be known is none.
func (w *work) tryHeaders(e epoch) {
	for h := range w.st.headers.All() {
		if h.epoch != (proto.EpochID{}) {
			continue
		}
		if opened, ok := h.open(w.st.space, e); ok {
			w.st.headers = w.st.headers.Put(opened)
			w.learned = true
		}
	}
}

// tryCommits tries the commits of retained messages with the key of an epoch that came to be known.
func (w *work) tryCommits(e epoch) {
	for c := range w.st.commits.All() {
		if c.opened || !w.st.commits.Has(c.Key()) {
			continue
		}
		if plain, err := c.sealed.Open(e.sealing, w.st.space, e.id); err == nil {
			w.st.commits = w.st.commits.Drop(c.Key())
			w.keepCommit(c.open(w.st.space, e, plain))
		}
	}
}

// heldFor is how long what is kept of retained messages stays, as long as a vault retains the messages.
const heldFor = 7 * 24 * time.Hour

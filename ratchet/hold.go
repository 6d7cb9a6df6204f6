package ratchet

import (
	"iter"
	"slices"
	"time"

	"github.com/trefoil-im/trefoil/dkg"
)

// Hold notes a message that Decrypt answered with a verdict of Retain, whose bytes the caller keeps to try them again. The
// space keeps the commits that the message carries, since they may open others (§7), and when it came from where. Source
// is the mailbox it came from, "" if that is no known member's. Holding a message twice changes nothing.
func Hold(s Space, now time.Time, source string, e Envelope) (Space, error) {
	w, err := begin(s, now)
	if err != nil {
		return s, err
	}
	if e.IsZero() || len(source) > maxSource {
		return s, ErrMalformed
	}
	w.hold(source, e)
	return w.space(), nil
}

// Release forgets a message that was held and that will not be read, since it is settled.
func Release(s Space, e Envelope) (Space, error) {
	w, err := begin(s, time.Time{})
	if err != nil {
		return s, err
	}
	if e.IsZero() {
		return s, ErrMalformed
	}
	w.st.headers = w.st.headers.drop(byID(headerID(e.header)))
	return w.space(), nil
}

func (w *work) hold(source string, e Envelope) {
	h := heldHeader{id: headerID(e.header), sealed: e.header, source: source, arrived: w.now}
	if w.st.headers.has(h.key()) {
		return
	}
	for x := range w.st.likely() {
		if opened, ok := h.open(w.st.space, x); ok {
			h = opened
			break
		}
	}
	if w.st.headers.size() >= maxHeldHeaders {
		w.dropOldestHeader()
	}
	w.st.headers = w.st.headers.put(h)
	for _, sealed := range e.commits {
		w.holdCommit(newHeldCommit(sealed, source, 0))
	}
}

// likely yields the epochs held, likely ones first: the preferred one and its nearest ancestors.
func (s State) likely() iter.Seq[epoch] {
	return func(yield func(epoch) bool) {
		tried := make([]epochID, 0, 1+maxBehind)
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
		for r := range s.epochs.all() {
			if e := r.epoch(); !slices.Contains(tried, e.id) && !yield(e) {
				return
			}
		}
	}
}

// only yields one epoch if it is held.
func (s State) only(id epochID) iter.Seq[epoch] {
	return func(yield func(epoch) bool) {
		if e, ok := s.epoch(id); ok {
			yield(e)
		}
	}
}

// keepCarried keeps those commits of a message that was read which are of no epoch held. Whoever finds its preferred epoch
// replaced sends the way to the old one in messages of the new one (§7): those who lack the way can read them, and what it
// leads to arrives before them or later. Sender is 0 if the message was unsigned.
func (w *work) keepCarried(e Envelope, sender dkg.Index) {
	for _, sealed := range e.commits {
		w.holdCommit(newHeldCommit(sealed, "", sender))
	}
}

// holdCommit keeps a commit of a message unless it is known.
func (w *work) holdCommit(h heldCommit) {
	if w.st.commits.has(h.key()) {
		return
	}
	for x := range w.st.likely() {
		if c, err := h.sealed.open(x.sealing, w.st.space, x.id); err == nil {
			h = h.open(w.st.space, x.id, c)
			break
		}
	}
	w.keepCommit(h)
}

// keepCommit puts a held commit into the table, once.
func (w *work) keepCommit(h heldCommit) {
	if h.opened {
		if _, held := w.st.epoch(h.id); held || w.st.commits.has(h.key()) {
			return
		}
		if h.commit.index() == w.self().index && !w.lost(h) {
			return
		}
	}
	if h.arrived == 0 {
		w.st.arrivals++
		h.arrived, h.since = w.st.arrivals, w.now
	}
	w.learned = true
	same, oldest, oldestSame := 0, heldCommit{}, heldCommit{}
	all := 0
	for c := range w.st.commits.all() {
		all++
		if oldest.arrived == 0 || c.arrived < oldest.arrived {
			oldest = c
		}
		if c.source == h.source && c.sender == h.sender {
			same++
			if oldestSame.arrived == 0 || c.arrived < oldestSame.arrived {
				oldestSame = c
			}
		}
	}
	switch {
	case same >= maxHeldBySource:
		w.st.commits = w.st.commits.drop(oldestSame.key())
	case all >= maxHeldCommits:
		w.st.commits = w.st.commits.drop(oldest.key())
	}
	w.st.commits = w.st.commits.put(h)
}

// lost reports whether a commit of the own index that this member does not know of was made with its share: then its state
// is not its newest. It can never follow the commit, and needs a ticket (§4).
func (w *work) lost(h heldCommit) bool {
	parent, ok := w.st.epoch(h.parent)
	if !ok {
		return false
	}
	_, t, err := w.rootOf(parent)
	if err == nil {
		_, _, err = h.commit.verify(w.st.space, parent.id, t.template.depth, t.template.public)
	}
	if err != nil {
		return false
	}
	w.st.ask = true
	w.conflict(h.commit.index())
	return true
}

func (w *work) dropOldestHeader() {
	var oldest heldHeader
	for h := range w.st.headers.all() {
		if oldest.arrived == 0 || h.arrived < oldest.arrived {
			oldest = h
		}
	}
	w.st.headers = w.st.headers.drop(oldest.key())
}

// tryHeaders tries the headers of retained messages with the key of an epoch that was entered.
func (w *work) tryHeaders(e epoch) {
	for h := range w.st.headers.all() {
		if h.epoch != (epochID{}) {
			continue
		}
		if opened, ok := h.open(w.st.space, e); ok {
			w.st.headers = w.st.headers.put(opened)
		}
	}
}

// tryCommits tries the commits of retained messages with the key of an epoch that was entered, and forgets the one that
// made it.
func (w *work) tryCommits(e epoch) {
	for c := range w.st.commits.all() {
		if c.opened {
			if c.id == e.id {
				w.st.commits = w.st.commits.drop(c.key())
			}
			continue
		}
		if plain, err := c.sealed.open(e.sealing, w.st.space, e.id); err == nil {
			w.st.commits = w.st.commits.drop(c.key())
			w.keepCommit(c.open(w.st.space, e.id, plain))
		}
	}
}

// heldFor is how long what is kept of retained messages stays, as long as a vault retains the messages.
const heldFor = 7 * 24 * time.Hour

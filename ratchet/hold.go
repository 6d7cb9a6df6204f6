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
	for x := range w.st.candidates() {
		if _, err := openHeader(x.header, w.st.space, x.id, x.depth, h.sealed); err == nil {
			h.epoch = x.id
			break
		}
	}
	if w.st.headers.size() >= maxHeldHeaders {
		w.dropOldestHeader()
	}
	w.st.headers = w.st.headers.put(h)
	for _, sealed := range e.commits {
		w.st.arrivals++
		w.holdCommit(newHeldCommit(sealed, source, w.st.arrivals, w.now))
	}
}

// candidates yields the epochs in which messages can be read, likely ones first: the preferred one and its nearest
// ancestors.
func (s State) candidates() iter.Seq[epoch] {
	return func(yield func(epoch) bool) {
		tried := make([]epochID, 0, 1+maxBehind)
		if p, ok := s.epoch(s.preferred); ok {
			if tried = append(tried, p.id); p.readable() && !yield(p) {
				return
			}
			for _, a := range s.nearest(p, maxBehind) {
				if tried = append(tried, a.id); a.readable() && !yield(a) {
					return
				}
			}
		}
		for r := range s.epochs.all() {
			if e := r.epoch(); e.readable() && !slices.Contains(tried, e.id) && !yield(e) {
				return
			}
		}
	}
}

// only yields one epoch if it is held and messages can be read in it.
func (s State) only(id epochID) iter.Seq[epoch] {
	return func(yield func(epoch) bool) {
		if e, ok := s.epoch(id); ok && e.readable() {
			yield(e)
		}
	}
}

// holdCommit keeps a commit of a retained message unless it is known.
func (w *work) holdCommit(h heldCommit) {
	if w.st.commits.has(h.key()) {
		return
	}
	for r := range w.st.epochs.all() {
		x := r.epoch()
		if c, err := h.sealed.open(x.sealing, w.st.space, x.id); err == nil {
			h = h.open(w.st.space, x.id, c)
			break
		}
	}
	w.keepCommit(h)
}

// keepCommit puts a held commit into the table. One that this member made and does not know of says that its state is not
// its newest: it can never follow it and needs a ticket (§4).
func (w *work) keepCommit(h heldCommit) {
	if h.opened {
		if _, held := w.st.epoch(h.id); held || w.st.commits.has(h.key()) {
			return
		}
		if h.commit.index() == w.self().index {
			w.st.ask = true
			return
		}
	}
	w.learned = true
	same, oldest, oldestSame := 0, heldCommit{}, heldCommit{}
	all := 0
	for c := range w.st.commits.all() {
		all++
		if oldest.arrived == 0 || c.arrived < oldest.arrived {
			oldest = c
		}
		if c.source == h.source {
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
	if !e.readable() {
		return
	}
	for h := range w.st.headers.all() {
		if h.epoch != (epochID{}) {
			continue
		}
		if _, err := openHeader(e.header, w.st.space, e.id, e.depth, h.sealed); err == nil {
			h.epoch = e.id
			w.st.headers = w.st.headers.put(h)
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

// evict drops an epoch if more than limit are held (§5), and reports whether it did.
func (w *work) evict(limit int) bool {
	if w.st.epochs.size() <= limit {
		return false
	}
	keep := map[epochID]bool{w.st.preferred: true}
	if p, ok := w.st.epoch(w.st.preferred); ok {
		for _, a := range w.st.nearest(p, maxBehind) {
			keep[a.id] = true
		}
	}
	for h := range w.st.headers.all() {
		keep[h.epoch] = true
	}
	brought := make(map[dkg.Index]int)
	for r := range w.st.epochs.all() {
		brought[r.epoch().charged]++
	}
	var worst epoch
	for r := range w.st.epochs.all() {
		e := r.epoch()
		if keep[e.id] {
			continue
		}
		more := worst.birth == nil
		if !more {
			a, b := brought[e.charged], brought[worst.charged]
			more = a > b || a == b && (e.charged < worst.charged || e.charged == worst.charged && e.serial < worst.serial)
		}
		if more {
			worst = e
		}
	}
	if worst.birth == nil {
		return false
	}
	w.drop(worst)
	return true
}

// maxEpochs is the number of epochs held: 50 MB in a space of 1,000 members, of which an ordinary week needs a tenth.
const maxEpochs = 2_048

// heldFor is how long what is kept of retained messages stays, as long as a vault retains the messages.
const heldFor = 7 * 24 * time.Hour

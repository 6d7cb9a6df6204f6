package ratchet

import (
	"slices"
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/state"
)

// work is the next value of a space while it is being made. It starts as a copy; what it is built from is never written
// to, so whoever fails on the way drops it and still has the value passed in.
type work struct {
	base    Space
	st      State
	tp      Template
	ev      dkg.Evals
	now     int64 // ms
	events  []state.Event
	learned bool // something was added that may open what is retained
	follows int  // how many held commits were followed
}

// milliseconds is how times are kept.
func milliseconds(d time.Duration) int64 { return d.Milliseconds() }

// begin starts work on a space. It returns state.ErrIncomplete for the zero Space, and state.ErrCorrupt if its parts are
// of different spaces.
func begin(s Space, now time.Time) (*work, error) {
	w := &work{base: s, st: s.State(), tp: s.Template(), ev: s.Evals(), now: now.UnixMilli()}
	if s.ID() == (state.ID{}) || w.st.self.IsZero() {
		return nil, state.ErrIncomplete
	}
	if w.st.space != s.ID() || w.tp.space != s.ID() {
		return nil, state.ErrCorrupt
	}
	return w, nil
}

// space returns the next value.
func (w *work) space() Space { return w.base.WithState(w.st).WithTemplate(w.tp).WithEvals(w.ev) }

func (w *work) emit(e state.Event) { w.events = append(w.events, e) }

// conflict tells of a contradiction about a member, once.
func (w *work) conflict(i dkg.Index) {
	c := state.Event(Conflict{i, i == w.self().index})
	if !slices.ContainsFunc(w.events, func(e state.Event) bool { return e == c }) {
		w.emit(c)
	}
}

func (w *work) self() identity { return w.st.self.Value() }

func (w *work) setSelf(d identity) { w.st.self = state.NewSegment(d) }

func (w *work) setRoot(r root) { w.st.roots = w.st.roots.Put(newRootRow(r)) }

// isOwner reports whether this member holds an owner's keys.
func (w *work) isOwner() bool { return !w.st.owner.Value().isNone() }

// preferred returns the preferred epoch with its root and terms; ok is false if there is none.
func (w *work) preferred() (e epoch, r root, t terms, ok bool) {
	if e, ok = w.st.epoch(w.st.preferred); ok {
		r, _ = w.st.root(e.root)
		t, ok = w.tp.terms(e.root)
	}
	return e, r, t, ok
}

// local is the time of the pruning clock: as much after its last step as has gone by since, at most a day. So a clock that
// jumps does not age what is kept, nor does a device that was off for long and catches up with its pruning.
func (w *work) local() int64 {
	return w.st.clock + min(max(w.now-w.st.pruned, 0), milliseconds(24*time.Hour))
}

// put replaces an epoch that is held.
func (w *work) put(e epoch) {
	w.st.epochs = w.st.epochs.Put(epochRow{e.id, state.NewSegment(epochRecord{e})})
}

// add enters an epoch. What is retained is tried with its keys, once and for all, unless a held commit led to it before.
func (w *work) add(e epoch) {
	w.st.serial++
	b := *e.birth
	b.serial = w.st.serial
	e.birth = &b
	e.parts.birth = state.NewSegment(e.birth)
	e.touched = w.local()
	if p, ok := w.st.epoch(e.parent); ok && !e.isRoot() {
		e.aside = p.aside
		if c, ok := w.st.commits.Get(segmap.ByID(p.id)); ok && e.readable() && !p.readable() {
			w.giveUp(c) // what leads to the parent leads to what is read in this one, too
		}
	}
	w.put(e)
	w.tryRetained(e)
	if p, ok := w.st.epoch(w.st.preferred); w.st.eligible(e) && (!ok || w.st.compare(e.birth, p.birth) < 0) {
		w.prefer(e.id)
	}
	w.settle(e.id)
	w.evict(maxEpochs)
}

// prefer makes an epoch the preferred one. Who was preferred before keeps the date; if it is no ancestor, others who
// still are there lack the way to it, or from it, and are told in the next messages.
func (w *work) prefer(id proto.EpochID) {
	old, ok := w.st.epoch(w.st.preferred)
	w.st.preferred = id
	if !ok || old.id == id {
		return
	}
	old.touched = w.local()
	w.put(old)
	if _, descends := w.st.path(old.id, id); descends {
		return
	}
	if from, ok := w.st.commonAncestor(old.id, id); ok {
		w.carry(catchUp{from: from, to: old.id, left: replacedSends})
	}
}

// drop forgets an epoch, and a root with its last.
func (w *work) drop(e epoch) {
	w.st.epochs = w.st.epochs.Drop(segmap.ByID(e.id))
	w.forget(e.id)
	for r := range w.st.epochs.All() {
		if r.epoch().root == e.root {
			return
		}
	}
	w.st.roots = w.st.roots.Drop(segmap.Key{Place: e.root})
	w.tp.roots = w.tp.roots.Drop(segmap.Key{Place: e.root})
}

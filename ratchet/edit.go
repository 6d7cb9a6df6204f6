package ratchet

import (
	"slices"
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/state"
)

// edit is the next value of a space while it is being made. It starts as a copy; what it is built from is never written
// to, so whoever fails on the way drops it and still has the value passed in.
type edit struct {
	base     Space
	st       State
	tp       Template
	ev       dkg.Evals
	now      int64 // ms
	events   []state.Event
	progress bool // something was added that may open what is retained
	resolved int  // how many orphaned commits were followed
	// searched is the orphaned commits as a search that found nothing left them, so that none is followed a second time
	// when the message is retained in the same space.
	searched segmap.Map[orphanCommit]
}

// milliseconds is how times are kept.
func milliseconds(d time.Duration) int64 { return d.Milliseconds() }

// newEdit returns the edit of a space. It returns state.ErrIncomplete for the zero Space, and state.ErrCorrupt if its parts are
// of different spaces.
func newEdit(s Space, now time.Time) (*edit, error) {
	d := &edit{base: s, st: s.State(), tp: s.Template(), ev: s.Evals(), now: now.UnixMilli()}
	if s.ID() == (state.ID{}) || d.st.self.IsZero() {
		return nil, state.ErrIncomplete
	}
	if d.st.space != s.ID() || d.tp.space != s.ID() {
		return nil, state.ErrCorrupt
	}
	return d, nil
}

// space returns the next value.
func (d *edit) space() Space { return d.base.WithState(d.st).WithTemplate(d.tp).WithEvals(d.ev) }

func (d *edit) emit(e state.Event) { d.events = append(d.events, e) }

// conflict emits the event of a contradiction about a member, once.
func (d *edit) conflict(i dkg.Index) {
	c := state.Event(Conflict{i, i == d.st.identity().index})
	if !slices.ContainsFunc(d.events, func(e state.Event) bool { return e == c }) {
		d.emit(c)
	}
}

func (s State) identity() identity { return s.self.Value() }

func (d *edit) setIdentity(me identity) { d.st.self = state.NewSegment(me) }

func (d *edit) setRoot(r root) { d.st.roots = d.st.roots.Put(newRootRow(r)) }

// isOwner reports whether this member holds an owner's keys.
func (s State) isOwner() bool { return !s.owner.Value().isNone() }

// preferred returns the preferred epoch with its root and terms; ok is false if there is none.
func (d *edit) preferred() (e epoch, r root, t rootTerms, ok bool) {
	if e, ok = d.st.epoch(d.st.preferred); ok {
		r, _ = d.st.root(e.root)
		t, ok = d.tp.terms(e.root)
	}
	return e, r, t, ok
}

// local is the time of the pruning clock: as much after its last step as has gone by since, at most a day. So a clock that
// jumps does not age what is kept, nor does a device that was off for long and catches up with its pruning.
func (d *edit) local() int64 {
	return d.st.clock + min(max(d.now-d.st.pruned, 0), milliseconds(24*time.Hour))
}

// putEpoch replaces an epoch that is held.
func (d *edit) putEpoch(e epoch) {
	d.st.epochs = d.st.epochs.Put(epochRow{e.id, state.NewSegment(epochRecord{e})})
}

// enterEpoch enters an epoch. What is retained is tried with its keys, once and for all, unless an orphaned commit led to it before.
func (d *edit) enterEpoch(e epoch) {
	d.st.serial++
	b := *e.epochMeta
	b.serial = d.st.serial
	e.epochMeta = &b
	e.stored.meta = state.NewSegment(e.epochMeta)
	e.lastUsed = d.local()
	if p, ok := d.st.epoch(e.parent); ok && !e.isRoot() {
		e.quarantined = p.quarantined
		if c, ok := d.st.commits.Get(segmap.ByID(p.id)); ok && e.derived() && !p.derived() {
			d.evictCommit(c) // what leads to the parent leads to what is read in this one, too
		}
	}
	d.putEpoch(e)
	d.rescan(e)
	if p, ok := d.st.epoch(d.st.preferred); d.st.eligible(e) && (!ok || d.st.compare(e.epochMeta, p.epochMeta) < 0) {
		d.prefer(e.id)
	}
	d.deriveChildren(e.id)
	d.evict(maxEpochs)
}

// prefer makes an epoch the preferred one. Who was preferred before keeps the date; if it is no ancestor, others who
// still are there lack the way to it, or from it, and are told in the next messages.
func (d *edit) prefer(id proto.EpochID) {
	old, ok := d.st.epoch(d.st.preferred)
	d.st.preferred = id
	if !ok || old.id == id {
		return
	}
	old.lastUsed = d.local()
	d.putEpoch(old)
	if _, descends := d.st.path(old.id, id); descends {
		return
	}
	if from, ok := d.st.commonAncestor(old.id, id); ok {
		d.schedule(catchUp{from: from, to: old.id, left: replacedUses})
	}
}

// dropEpoch forgets an epoch, and a root with its last.
func (d *edit) dropEpoch(e epoch) {
	d.st.epochs = d.st.epochs.Drop(segmap.ByID(e.id))
	d.unlink(e.id)
	for r := range d.st.epochs.All() {
		if r.epoch().root == e.root {
			return
		}
	}
	d.st.roots = d.st.roots.Drop(segmap.Key{Place: e.root})
	d.tp.roots = d.tp.roots.Drop(segmap.Key{Place: e.root})
}

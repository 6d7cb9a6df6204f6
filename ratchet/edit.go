package ratchet

import (
	"slices"
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/ratchet/internal/asking"
	"github.com/trefoil-im/trefoil/ratchet/internal/epochs"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/orphans"
	"github.com/trefoil-im/trefoil/ratchet/internal/parts"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/rekey"
	"github.com/trefoil-im/trefoil/state"
)

// edit is the next value of a space while a call makes it: the three parts, the time of the call, and what leaves with the
// value. It is copied to try something: all that it holds is immutable, so a copy that is dropped leaves nothing.
type edit struct {
	base Space
	st   stateBody
	tp   templateBody
	ev   dkg.Evals
	now  millis // wall clock
	max  int    // longest frame to be sent, in bytes
	seal int    // boxes of a rekey that are sealed at most
	most int    // boxes of a whole of a rekey at most, beside those of owners; 0: as many as it has room for

	events []state.Event
	ready  []orphans.FrameName // retained frames that may be readable now
	frames [][]byte            // to be sent to the space, in this order
	done   []orphans.FrameName // retained frames that are dealt with
	lost   []orphans.FrameName // retained frames that are given up at a bound: not acknowledged, so that they come again

	checks *checks // of signatures that are checked in another goroutine; nil: each is checked at once

	queued bool                                     // frames for the space wait in the outbox: a ticket that was made lies there, too
	unsent bool                                     // frames for the space wait in the outbox since before
	load   func(orphans.FrameName) (incoming, bool) // a frame that the vault retains; nil without a vault
	failed error                                    // of the store, while a frame was loaded

	made []epochs.Candidate // derived in this call, with what is not kept of a candidate

	fresh []proto.EpochID // epochs that came to be known, or more of them: a rekey that waits may be made from one
}

// newEdit returns the edit of a space at a time, with its clock moved. It returns state.ErrIncomplete for the zero Space, and
// state.ErrCorrupt if its parts are of different spaces.
func newEdit(s Space, now time.Time, o Options) (edit, error) {
	d := edit{base: s, st: stateOf(s), tp: templateOf(s), ev: s.Evals(), now: now.UnixMilli(), max: o.maxFrame(), seal: sealAtOnce}
	if s.ID() == (state.ID{}) || d.st.self.IsZero() {
		return edit{}, state.ErrIncomplete
	}
	if d.st.space != s.ID() || d.tp.space != s.ID() {
		return edit{}, state.ErrCorrupt
	}
	d.st.clock = d.st.clock.at(d.now)
	return d, nil
}

// space returns the next value.
func (d *edit) space() Space { return withTemplate(withState(d.base, d.st), d.tp).WithEvals(d.ev) }

// age returns the time of the pruning clock.
func (d *edit) age() millis { return d.st.clock.reading }

// emit reports an event, once.
func (d *edit) emit(events ...state.Event) {
	for _, e := range events {
		if !slices.ContainsFunc(d.events, func(o state.Event) bool { return o.String() == e.String() }) {
			d.events = append(slices.Clip(d.events), e)
		}
	}
}

// send puts frames behind those that leave with the value.
func (d *edit) send(frames ...[]byte) { d.frames = append(slices.Clip(d.frames), frames...) }

// These replace a piece of the state.
func (d *edit) setIdentity(me identity)    { d.st.self = state.NewSegment(me) }
func (d *edit) setNews(a announcements)    { d.st.news = state.NewSegment(a) }
func (d *edit) setOrphans(x orphans.Index) { d.st.orphans = state.NewSegment(x) }
func (d *edit) setLines(l lines)           { d.st.lines = state.NewSegment(l) }
func (d *edit) setDesk(k members.Desk)     { d.st.desk = state.NewSegment(k) }
func (d *edit) setAsking(a asking.Asking)  { d.st.asking = state.NewSegment(a) }
func (d *edit) setParts(p parts.Sets)      { d.st.parts = state.NewSegment(p) }
func (d *edit) setRekeys(r rekey.Rekeys)   { d.st.rekeys = state.NewSegment(r) }
func (d *edit) share(id proto.EpochID) (dkg.Share, bool) {
	r, ok := d.st.roots.Get(segmap.ByID(id))
	return r.share.Value().Share, ok
}

// root returns the members of a root held, under its terms.
func (d *edit) root(id proto.EpochID) (members.Root, bool) {
	row, ok := d.st.roots.Get(segmap.ByID(id))
	if !ok {
		return members.Root{}, false
	}
	return row.root(d.tp)
}

// setRoot replaces the members of a root held.
func (d *edit) setRoot(r members.Root) {
	if row, ok := d.st.roots.Get(segmap.ByID(r.ID())); ok {
		d.st.roots = d.st.roots.Put(row.with(r))
	}
}

// preferred returns the preferred epoch with its root. It is not ok if none can be preferred.
func (d *edit) preferred() (e epochs.Epoch, r members.Root, ok bool) {
	if e, ok = d.st.forest.Preferred(); ok {
		r, ok = d.root(e.Root())
	}
	return e, r, ok
}

// clockOf is the time of the call as package members takes it.
func (d *edit) clockOf() members.Clock { return members.Clock{Wall: d.now, Age: d.age()} }

package ratchet

import (
	"errors"
	"slices"

	"github.com/trefoil-im/trefoil/ratchet/internal/epochs"
	"github.com/trefoil-im/trefoil/ratchet/internal/orphans"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// turnedUp reports what a search found about makers of commits, and about one's own.
func (d *edit) turnedUp(found orphans.Result) {
	for _, p := range found.Misled {
		d.emit(Event{Kind: Misled, Index: p.Commit.Core.Maker})
	}
	for _, c := range found.Own {
		d.ownCommit(c)
	}
}

// ownCommit takes in a commit of the own index that the state does not know (§4): somebody used the own key, or made another
// binding of this index; or this state is not the newest. Each commit is reported once, and asked about each time.
func (d *edit) ownCommit(c orphans.OwnCommit) {
	parent, ok := d.st.forest.Epoch(c.Parent)
	r, held := d.root(parentRoot(parent, ok))
	if !ok || !held || c.Shown.Commit.Core.Maker != d.st.me().index || !d.provesOwn(parent, c.Shown) {
		return
	}
	me, child := d.st.me(), parent.Child(d.st.space, c.Shown.Commit)
	key, err := c.Shown.VerifyMaker(r, child)
	told := d.st.reported.Value()
	switch {
	case err != nil:
		return
	case told.has(child):
	case key == me.signing.Public && !d.st.rhythm.restored:
		d.emit(Event{Kind: Impersonated, Index: me.index})
	default:
		d.emit(Event{Kind: Conflict, Index: me.index, Key: PublicKey{key}, Own: true})
	}
	if !told.has(child) {
		d.st.reported = state.NewSegment(told.with(child))
	}
	d.st.rhythm.ask = true
	d.turnedUpIn(parent)
}

// reported are the commits of the own index that were reported, each by the epoch that it makes, the oldest first: whatever else is read
// below one finds it again.
type reported struct{ list []proto.EpochID }

// maxReported is how many are remembered: those of some 30,000 messages of a twin that commits when it has to (§5). One that was
// forgotten is reported anew when it is found again.
const maxReported = 256

func (r reported) has(id proto.EpochID) bool { return slices.Contains(r.list, id) }

func (r reported) with(id proto.EpochID) reported {
	list := append(slices.Clone(r.list), id)
	return reported{list[max(0, len(list)-maxReported):]}
}

// Encode implements state.Piece.
func (r reported) Encode(e *state.Encoder) {
	e.Uint32(uint32(len(r.list)))
	for _, id := range r.list {
		e.Fixed(id[:])
	}
}

// Decode implements state.Piece.
func (reported) Decode(d *state.Decoder) (r reported, err error) {
	for range d.Count(maxReported, len(proto.EpochID{})) {
		var id proto.EpochID
		d.Into(id[:])
		r.list = append(r.list, id)
	}
	return r, d.Err()
}

func parentRoot(e epochs.Epoch, ok bool) (id proto.EpochID) {
	if ok {
		id = e.Root()
	}
	return id
}

// provesOwn reports whether the proof of a commit of the own index is right: else anybody in the epoch could have made it.
func (d *edit) provesOwn(parent epochs.Epoch, p proto.Shown) bool {
	_, err := d.st.forest.Derive(parent, p, suite.PublicKey{}, d.share)
	return errors.Is(err, epochs.ErrOwnCommit)
}

// ownMessage takes in a message under the own index that this state did not send.
func (d *edit) ownMessage(l *reading) {
	me := d.st.me()
	if l.maker == me.maker() && !d.st.rhythm.restored {
		d.emit(Event{Kind: Impersonated, Index: me.index})
	} else {
		d.emit(Event{Kind: Conflict, Index: me.index, Key: PublicKey{l.maker.Key}, Own: true})
	}
	d.turnedUpIn(l.epoch)
}

// turnedUpIn sets the member back because of a message or commit of its own in an epoch that it does not know. If it sends in that
// epoch, or whoever was there can follow to where it sends, it commits at once. Else its next message commits, and none is due because of
// it: two devices that send under one index, and are both awake, would answer each other's commits with commits for ever (D180).
func (d *edit) turnedUpIn(e epochs.Epoch) {
	due := d.st.rhythm.commit || !d.usedUp(e) || !d.leftBehind(e)
	d.setBack()
	d.st.rhythm.commit = due
}

// leftBehind reports whether a commit that this state made lies above where the member sends, and not above an epoch: another holder of
// the own key follows everything but that.
func (d *edit) leftBehind(e epochs.Epoch) bool {
	p, ok := d.st.forest.Preferred()
	if !ok {
		return false
	}
	for at := range d.st.forest.Line(p.ID()) {
		if at.Derived() && at.Maker() == d.st.me().maker() {
			return !d.st.forest.IsBelow(e.ID(), at.ID())
		}
	}
	return false
}

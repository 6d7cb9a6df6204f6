package ratchet

import (
	"errors"

	"github.com/trefoil-im/trefoil/ratchet/internal/epochs"
	"github.com/trefoil-im/trefoil/ratchet/internal/orphans"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
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
// binding of this index; or this state is not the newest.
func (d *edit) ownCommit(c orphans.OwnCommit) {
	parent, ok := d.st.forest.Epoch(c.Parent)
	r, held := d.root(parentRoot(parent, ok))
	if !ok || !held || !d.provesOwn(parent, c.Shown) {
		return
	}
	me := d.st.me()
	key, err := c.Shown.VerifyMaker(r, parent.Child(d.st.space, c.Shown.Commit))
	switch {
	case err != nil:
		return
	case key == me.signing.Public && !d.st.rhythm.restored:
		d.emit(Event{Kind: Impersonated, Index: me.index})
	default:
		d.emit(Event{Kind: Conflict, Index: me.index, Key: PublicKey{key}, Own: true})
	}
	d.st.rhythm.ask = true
	d.setBack()
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
func (d *edit) ownMessage(l reading) {
	me := d.st.me()
	if l.maker == me.maker() && !d.st.rhythm.restored {
		d.emit(Event{Kind: Impersonated, Index: me.index})
	} else {
		d.emit(Event{Kind: Conflict, Index: me.index, Key: PublicKey{l.maker.Key}, Own: true})
	}
	d.setBack()
}

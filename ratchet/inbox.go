package ratchet

import (
	"math"

	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// drawInbox draws an inbox key and returns the announcements that say it in the next own epoch. Its counter is the minutes since
// 1970, or one more than the last one.
func (d *edit) drawInbox(a announcements) announcements {
	me := d.st.me()
	k := inboxKey{counter: uint32(min(max(max(d.now, 0)/minute, int64(me.drawn)+1), math.MaxUint32)), secret: suite.NewKEMSecret(me.newest().secret.Public.KEM())}
	d.setIdentity(me.withInbox(k))
	a.update = proto.NewUpdate(d.st.space, me.index, k.counter, k.secret.Public, me.signing)
	a.updateDue, a.updatedAt = true, d.age()
	return a
}

// inboxAfter is how long, by the pruning clock, a private inbox key stays after it was found to be of no use: what was boxed to it is
// late by then.
const inboxAfter = 7 * day

// boxedTo notes by which inbox key a root was entered.
func (d *edit) boxedTo(k suite.KEMKey) {
	me := d.st.me()
	for _, own := range me.inboxes {
		if own.secret.Public.Equal(k) && (!me.entered || own.counter > me.boxed) {
			me.boxed, me.entered = own.counter, true
		}
	}
	d.setIdentity(me)
}

// pruneInboxes erases the private inbox keys that are of no use (§9): a root was entered by a box to this key or a newer one, and a newer
// key went out in an epoch that this member made and in or below which another one was read.
func (d *edit) pruneInboxes() {
	me, news := d.st.me(), d.st.news.Value()
	e, held := d.st.forest.Epoch(news.updateIn)
	if !me.entered || news.update.IsZero() || !held || e.HeardOnly(me.index) {
		return
	}
	all := make([]inboxKey, 0, len(me.inboxes))
	for at, k := range me.inboxes {
		switch {
		case k.counter > me.boxed || k.counter >= news.update.Counter || k.secret.IsZero():
		case k.over == 0:
			k.over = max(d.age(), 1)
		case d.st.clock.age(k.over) < inboxAfter:
		case at == 0:
			k.secret = suite.KEMSecret{Public: k.secret.Public}
		default:
			continue
		}
		all = append(all, k)
	}
	me.inboxes = all
	d.setIdentity(me)
}

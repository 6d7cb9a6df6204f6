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
	k := inboxKey{uint32(min(max(max(d.now, 0)/minute, int64(me.drawn)+1), math.MaxUint32)), suite.NewKEMSecret(me.newest().secret.Public.KEM())}
	d.setIdentity(me.withInbox(k))
	a.update = proto.NewUpdate(d.st.space, me.index, k.counter, k.secret.Public, me.signing)
	a.updateDue, a.updatedAt = true, d.age()
	return a
}

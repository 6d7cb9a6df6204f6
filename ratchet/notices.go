package ratchet

import (
	"bytes"

	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// When a member says the notice of a root that the owners of the preferred one do not hold (§10). All are of the pruning clock.
const (
	noticeTurn  = hour   // that the member of each of the first places waits longer, so that one of them does it
	noticeFirst = 16     // how many these are
	noticeLater = minute // that the member of each later place waits longer
	noticeAgain = day    // between two times
)

// sayNotices says the notices of other roots by which somebody is gone whom the preferred one lists: its owners do not hold these, or they
// would make a rekey. One was restored from a copy, say, and somebody whom it had removed since answered it first.
func (d *edit) sayNotices(r members.Root) {
	for row := range d.st.roots.All() {
		t, _ := d.tp.terms(row.id)
		gone, missed := r.Misses(t.notice)
		if !missed {
			continue
		}
		x, held := d.root(row.id)
		if try := *d; held && d.noticeDue(r, x, gone) && try.say(statement(t.notice)) == nil {
			try.setRoot(x.NoticeSaid(d.age()))
			*d = try
		}
	}
}

// noticeDue reports whether it is this member's turn to say in a root the notice of another one. The order is that in which who is gone would be
// answered there, by members that hold it: whoever came into this root alone has no place before them.
func (d *edit) noticeDue(r, of members.Root, gone members.Binding) bool {
	root, held := d.st.forest.Epoch(r.ID())
	_, since := root.Seen()
	wait := millis(noticeTurn)
	if said := of.Said(); said > 0 {
		since, wait = max(since, said), wait+noticeAgain
	}
	if !held || d.st.clock.age(since) < wait {
		return false // of no place; those take time in proportion to the members
	}
	place, in := of.Place(d.st.me().index, gone.Index, gone.Key)
	wait += millis(min(place, noticeFirst))*noticeTurn + millis(max(0, place-noticeFirst))*noticeLater
	return in && d.st.clock.age(since) >= wait
}

// noticeRead takes in that a member said a notice where the owners of the preferred root read it: for a day nobody else needs to. Whoever is gone
// says what others do not read, or what has the id of the root only, to keep them from it.
func (d *edit) noticeRead(l *reading, s proto.Statement) {
	n, ok := s.(proto.Notice)
	_, r, known := d.preferred()
	if !ok || !known || l.epoch.Root() != r.ID() || r.Gone(l.maker.Index) {
		return
	}
	t, _ := d.tp.terms(n.Root())
	if x, held := d.root(n.Root()); held && bytes.Equal(t.notice.Encode(), n.Encode()) {
		d.setRoot(x.NoticeSaid(d.age()))
	}
}

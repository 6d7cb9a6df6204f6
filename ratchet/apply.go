package ratchet

import (
	"errors"
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/asking"
	"github.com/trefoil-im/trefoil/ratchet/internal/invites"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/orphans"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// ticket says what became of the key that the tickets of this member came under.
func (d *edit) ticket() orphans.Ticket {
	since, gone := d.st.asking.Value().KeysGone()
	return orphans.Ticket{Gone: gone, For: d.st.clock.age(since)}
}

// takeAnswered takes in the counter of a request that its asker says was answered, and that its sender was read.
func takeAnswered(d *edit, l *reading) {
	counter := l.said.Inner.Answered
	if counter > 0 {
		if r, ok := d.root(l.epoch.Root()); ok {
			if next, err := r.Answered(l.maker, counter, d.now); err == nil {
				d.setRoot(next)
			}
		}
	}
	d.setDesk(d.st.desk.Value().Read(l.maker, counter, d.clockOf()))
	if a := d.st.asking.Value(); a.Merged() {
		d.asked(a.ReadFrom(l.maker.Index, d.st.me().index, d.unreadSinceAsking(), d.clockOf()))
	}
}

// takeUpdate takes in a new inbox key.
func takeUpdate(d *edit, l *reading) {
	u := l.said.Inner.Update
	if u.IsZero() {
		return
	}
	r, ok := d.root(l.epoch.Root())
	if !ok {
		return
	}
	next, err := r.Update(u)
	if d.refuse(l, err) {
		return
	}
	d.setRoot(next)
	if me := d.st.me(); l.maker == me.maker() && u.Counter > me.drawn { // of a state that was lost
		me.drawn = u.Counter
		d.setIdentity(me)
	}
}

// takeIntroduced takes in introductions of others.
func takeIntroduced(d *edit, l *reading) {
	for _, i := range l.said.Inner.Introduced {
		r, ok := d.root(l.epoch.Root())
		if !ok {
			return
		}
		next, change, err := r.Introduce(i, members.Via{By: l.maker.Index})
		if d.refuse(l, err) {
			continue
		}
		d.changed(next, change)
	}
}

// takeShown takes in requests that the sender answered (D68): everybody learns of them, and the member itself of those that it did
// not make.
func takeShown(d *edit, l *reading) {
	if len(l.said.Inner.Shown) == 0 {
		return
	}
	r, ok := d.root(l.epoch.Root())
	if !ok {
		return
	}
	for _, s := range l.said.Inner.Shown {
		desk, news := d.st.desk.Value().Show(s, r, d.clockOf())
		d.setDesk(desk)
		switch me := d.st.me(); {
		case !news:
		case s.Index != me.index:
			b, _ := r.ListedBinding(s.Index)
			d.emit(Event{Kind: Resynced, Index: s.Index, Key: PublicKey{b.Key}})
		case s.Verify(d.st.space, me.signing.Public) == nil && d.st.asking.Value().Whose(s.Request, s.Counter) == asking.Others:
			d.emit(Event{Kind: Impersonated, Index: me.index})
		}
	}
}

// takeStatement takes in a statement.
func takeStatement(d *edit, l *reading) {
	if !l.said.Inner.Statement {
		return
	}
	s, err := proto.ParseStatement(l.said.Inner.Plaintext)
	if d.refuse(l, err) {
		return
	}
	switch s := s.(type) {
	case proto.InviteMade:
		d.refuse(l, d.takeInvite(s))
	case proto.InviteWanted:
		d.wanted(l.maker, s.For)
	case proto.RootKey:
		d.refuse(l, d.takeRootKey(s))
	case proto.InviteGiven:
		d.givenByOther(l, s)
		d.refuse(l, d.takeGiven(l, s))
	default:
		d.refuse(l, d.apply(s, l.epoch.Root()))
		d.noticeRead(l, s)
		if b, ok := s.(proto.Bind); ok && b.Index == d.st.me().index {
			d.displaced()
		}
	}
}

// errUnsaid: the statement in a message cannot be taken in yet, because it is beyond a bound, or names a root that is not held.
var errUnsaid = fmt.Errorf("%w: statements", outcome.ErrBound)

// sayable returns errUnsaid for a message whose statement would be refused for a reason that ends: no bound may lose an honest one.
func (d *edit) sayable(l *reading) error {
	if !l.said.Inner.Statement {
		return nil
	}
	s, err := proto.ParseStatement(l.said.Inner.Plaintext)
	if err != nil {
		return nil
	}
	try := *d
	switch s := s.(type) {
	case proto.InviteMade:
		err = try.takeInvite(s)
	case proto.OwnerStatement:
		err = try.apply(s, l.epoch.Root())
	}
	if errors.Is(err, members.ErrLimit) || errors.Is(err, members.ErrUnknown) {
		return errUnsaid
	}
	return nil
}

// unsaid tries the statements that wait, when there may be room for one, or a root is held that one names.
func (d *edit) unsaid() {
	d.retry(d.st.orphans.Value().Unsaid()...)
}

// apply takes in a statement in all roots held, and returns what became of it in one of them.
func (d *edit) apply(s proto.Statement, in proto.EpochID) (reason error) {
	if b, ok := s.(proto.Bind); ok {
		d.retry(d.st.orphans.Value().Strangers(b.Index)...)
	}
	for row := range d.st.roots.All() {
		r, ok := d.root(row.id)
		if !ok {
			continue
		}
		next, change, err := r.Apply(s, d.ageOf(s, r), d.now)
		if err == nil {
			d.changed(next, change)
			d.unsaid()
		} else if row.id == in {
			reason = err
		}
	}
	return reason
}

// refuse reports what was refused of a message: it is read all the same. It returns whether anything was; what is known already is no
// reason for a report.
func (d *edit) refuse(l *reading, err error) bool {
	if err != nil && !errors.Is(err, members.ErrStale) {
		d.emit(Event{Kind: StatementRefused, Index: l.maker.Index, Reason: err})
	}
	return err != nil
}

// takeInvite takes in an invite that an owner made, and m of it if this member holds a seat.
func (d *edit) takeInvite(s proto.InviteMade) error {
	r, ok := d.root(s.Record.Certificate.Root)
	if !ok {
		return members.ErrUnknown
	}
	next, change, err := r.AddRecord(s.Record, d.st.forest.Entered())
	switch {
	case err == nil:
		r = next
		d.changed(r, change)
		d.earlyLinks()
	case !errors.Is(err, members.ErrStale): // known: it may bring m
		return err
	}
	if !d.dealsFrom(r) {
		return nil
	}
	ev, err := invites.Keep(d.ev, r, s, d.st.me().index, d.inboxSecrets())
	if err == nil {
		d.ev = ev
	}
	return err
}

// inboxSecrets returns the private inbox keys, the newest first.
func (d *edit) inboxSecrets() (out []suite.KEMSecret) {
	all := d.st.me().inboxes
	for k := range all {
		out = append(out, all[len(all)-1-k].secret)
	}
	return out
}

// takeGiven hands the link on that an owner gave to this member.
func (d *edit) takeGiven(l *reading, s proto.InviteGiven) error {
	r, ok := d.root(l.epoch.Root())
	if !ok || s.Asker != d.st.me().index {
		return nil
	}
	if b, ok := r.ListedBinding(l.maker.Index); !ok || b.Maker != l.maker {
		return members.ErrNoEffect // a seat is of the listed binding, not of a twin
	}
	err := d.handLink(r, l.maker.Index, s)
	if x := d.st.duties.Value(); errors.Is(err, invites.ErrEarly) && len(x.early) < maxEarly {
		x.early = append(slices.Clip(x.early), early{r.ID(), l.maker.Index, s})
		d.st.duties = state.NewSegment(x)
		return nil
	}
	return err
}

// handLink hands a link on that an owner gave.
func (d *edit) handLink(r members.Root, from dkg.Index, s proto.InviteGiven) error {
	link, err := invites.Given(r, s, from, s.Asker, d.inboxSecrets())
	switch {
	case err != nil:
	case s.For == proto.ForDevice:
		err = d.takeEntrance(link)
	default:
		d.emit(Event{Kind: LinkGiven, Index: from, Link: link})
	}
	return err
}

// earlyLinks hands the links on that waited for the record of their invite.
func (d *edit) earlyLinks() {
	x := d.st.duties.Value()
	if len(x.early) == 0 {
		return
	}
	x.early = slices.DeleteFunc(slices.Clone(x.early), func(e early) bool {
		r, ok := d.root(e.root)
		return !ok || !errors.Is(d.handLink(r, e.from, e.said), invites.ErrEarly)
	})
	d.st.duties = state.NewSegment(x)
}

// displaced takes in what the binds, a notice or a ticket make of this member's place: whether they name another binding of its index, known
// here or not. Owners may contradict each other, so what was read first may not be what counts: as long as it has no other index it comes
// back to this one.
func (d *edit) displaced() {
	me, a := d.st.me(), d.st.asking.Value()
	_, r, ok := d.preferred()
	if !ok || d.st.phase != Member {
		return
	}
	switch lost := r.Displaces(me.index, me.body(r)); {
	case lost:
		d.displace()
	case a.Lost():
		a = a.Reinstated(d.clockOf())
		_, gone := a.KeysGone()
		d.asked(a, asking.Change{KeyGone: gone})
		d.emit(Event{Kind: Joined, Index: me.index, Key: PublicKey{me.signing.Public}})
	}
}

// displace gives this member's place up: it takes another index of its run, or asks from now on once a day.
func (d *edit) displace() {
	if a := d.st.asking.Value(); !a.Lost() {
		l, _ := d.opened()
		if a, c, err := a.Displaced(d.asker(), l, d.clockOf()); err == nil {
			d.asked(a, c)
		}
	}
}

// takeWord takes in the statement of a refusal. It counts like one that was read. A bind that an owner signed for another binding of this
// member's index, and that names the root in which it stands, or as of which it asks, displaces it whatever was said there before: whoever answers knows of all
// that, or others have left this root and it will not be heard there any more. One that comes late, after a ticket for its request, may be
// older than what the ticket told, or repeated: it is one among those that were read.
func (d *edit) takeWord(s proto.Statement, late bool) {
	_, r, ok := d.preferred()
	if !ok || s == nil {
		return
	}
	_ = d.apply(s, r.ID()) // what is false has no effect
	b, is := s.(proto.Bind)
	if !is || d.st.phase != Member {
		return
	}
	_, r, _ = d.preferred() // with what was taken in
	me := d.st.me()
	at := r
	if under, is := d.asksUnder(r); is && b.Root == under {
		if older, held := d.root(under); held {
			at = older
		}
	}
	_, err := proto.VerifyOwner(b, at)
	beside := !late && err == nil && b.Root == at.ID() && b.Index == me.index && b.Body != me.body(at)
	if beside || r.Displaces(me.index, me.body(r)) {
		d.displace()
	}
}

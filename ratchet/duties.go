package ratchet

import (
	"slices"
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/invites"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/orphans"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/state"
)

// duties is what an owner owes to members: links that they asked for; and of who asked, links that came early.
type duties struct {
	wanted []wanted // who asked for a link and got none yet
	given  []given
	early  []early
}

// wanted is what a member asked for.
type wanted struct {
	asker dkg.Index
	of    proto.Purpose
}

// early is a link that was given to this member before the record of its invite came.
type early struct {
	root proto.EpochID
	from dkg.Index
	said proto.InviteGiven
}

// given is an invite that was made for a member to hand on.
type given struct {
	asker dkg.Index
	name  proto.InviteName
}

// Bounds of invites that members ask for (§9).
const (
	maxGivenTo   = 3  // open ones of a member
	maxGiven     = 64 // open ones of all
	maxWanted    = 256
	maxEarly     = 8
	givenForMost = 7 * 24 * time.Hour
)

// maxDecided is how many indices an owner decides about at a time: whoever has a public link can make a second binding of each of its
// run.
const maxDecided = 8

// Encode implements state.Piece.
func (x duties) Encode(e *state.Encoder) {
	e.Uint32(uint32(len(x.wanted)))
	for _, w := range x.wanted {
		e.Uint32(uint32(w.asker))
		e.Uint8(uint8(w.of))
	}
	e.Uint32(uint32(len(x.given)))
	for _, g := range x.given {
		e.Uint32(uint32(g.asker))
		e.Fixed(g.name[:])
	}
	e.Uint32(uint32(len(x.early)))
	for _, y := range x.early {
		e.Fixed(y.root[:])
		e.Uint32(uint32(y.from))
		e.Bytes(proto.EncodeStatement(y.said))
	}
}

// Decode implements state.Piece.
func (duties) Decode(d *state.Decoder) (x duties, err error) {
	for range d.Count(maxWanted, 5) {
		w := wanted{dkg.Index(d.Uint32()), proto.Purpose(d.Uint8())}
		if w.of > proto.ForDevice {
			err = wire.ErrMalformed
		}
		x.wanted = append(x.wanted, w)
	}
	for range d.Count(maxGiven, 20) {
		g := given{asker: dkg.Index(d.Uint32())}
		d.Into(g.name[:])
		x.given = append(x.given, g)
	}
	for range d.Count(maxEarly, 40) {
		var y early
		d.Into(y.root[:])
		y.from = dkg.Index(d.Uint32())
		load(d, &err, &y.said, proto.MaxPlaintext, func(b []byte) (proto.InviteGiven, error) {
			s, err := proto.ParseStatement(b)
			given, ok := s.(proto.InviteGiven)
			if err == nil && !ok {
				err = wire.ErrMalformed
			}
			return given, err
		})
		x.early = append(x.early, y)
	}
	if err == nil {
		err = d.Err()
	}
	return x, err
}

// wanted notes that a member asked for a link.
func (d *edit) wanted(who proto.Maker, of proto.Purpose) {
	x, w := d.st.duties.Value(), wanted{who.Index, of}
	_, r, ok := d.preferred()
	if _, owner := d.place(r); !ok || !owner || slices.Contains(x.wanted, w) || len(x.wanted) >= maxWanted {
		return
	}
	if b, known := r.ListedBinding(who.Index); of == proto.ForDevice && (!known || b.Maker != who) {
		return // a twin has no devices
	}
	x.wanted = append(slices.Clip(x.wanted), w)
	d.st.duties = state.NewSegment(x)
}

// pruneJoins lets go of what is too old of tickets, parts and invites.
func (d *edit) pruneJoins() {
	if r := d.st.repeats.Value(); len(r.list) > 0 {
		d.st.repeats = state.NewSegment(r.pruned(d.age()))
	}
	if _, r, ok := d.preferred(); ok {
		d.settleInvites(r)
	}
	if since, gone := d.st.asking.Value().KeysGone(); gone && since > 0 { // what was sent before joining may be known as that now (§9)
		x, retry := d.st.orphans.Value().TicketGone()
		d.setOrphans(x)
		d.retry(retry...)
	}
}

// answerDue makes the deferred requests ready whose turn has come.
func (d *edit) answerDue() error {
	d.answerFrames(true)
	return nil
}

// answerFrames makes deferred requests ready: those whose turn has come, or all.
func (d *edit) answerFrames(due bool) {
	d.retry(d.deferred(due)...)
}

// deferred returns the retained frames of deferred requests: those whose turn has come, or all. One that a bound gave up is none.
func (d *edit) deferred(due bool) (out []orphans.FrameName) {
	for _, f := range d.st.desk.Value().Frames(due, d.now) {
		if _, noted := d.st.orphans.Value().Get(f); noted {
			out = append(out, f)
		}
	}
	return out
}

// oweDue reports whether this member owes something to others.
func (d *edit) oweDue() bool {
	try := *d
	try.frames = nil
	return try.owe() == nil && (len(try.frames) > 0 || try.st.devices != d.st.devices)
}

// owe does what a member owes to others: what a joiner lacks, and what it owes by its role, as an owner, or as the one that got the
// root owner key.
func (d *edit) owe() error {
	d.maintainWishes()
	if _, r, ok := d.preferred(); ok && d.st.phase == Member {
		d.sayRecent(r)
		d.confirmRootKey()
		d.repeatRemovals(r)
		_, r, _ = d.preferred() // without whom that removed
		d.sayNotices(r)
		d.maintainOwner()
	}
	return nil
}

// settleInvites ends the offers of invites that are over, and forgets to whom they were given.
func (d *edit) settleInvites(r members.Root) {
	d.ev, _ = invites.Settle(d.ev, r)
	x := d.st.duties.Value()
	kept := slices.DeleteFunc(slices.Clone(x.given), func(g given) bool { return !isOpen(r, g.name) && !d.offers(g.name) })
	if len(kept) < len(x.given) {
		x.given = kept
		d.st.duties = state.NewSegment(x)
	}
}

// isOpen reports whether a root has an open invite of a name.
func isOpen(r members.Root, n proto.InviteName) bool {
	x, ok := r.Invite(n)
	return ok && x.IsOpen()
}

// offers reports whether this owner keeps an offer of a name.
func (d *edit) offers(n proto.InviteName) bool {
	for o := range d.ev.Offers() {
		if o.Name == n {
			return true
		}
	}
	return false
}

// endGiven takes back the invites that this owner gave to members that are gone: another owner that removed them may not know of these.
func (d *edit) endGiven() {
	for _, g := range d.st.duties.Value().given {
		e, r, ok := d.preferred()
		if !ok || !r.Gone(g.asker) || !isOpen(r, g.name) {
			continue
		}
		try := *d
		if said, err := invites.End(r, d.invitesOwner(), e.ID(), g.name); try.stateAll(said, err) == nil {
			*d = try
		}
	}
}

// maintainOwner does what an owner owes in the preferred root. What cannot be said now is said later.
func (d *edit) maintainOwner() {
	_, r, _ := d.preferred()
	place, ok := d.place(r)
	if !ok {
		return
	}
	d.settleInvites(r)
	if r.Size() < 2 {
		return
	}
	if !r.ListsGone() && d.st.rekeys.Value().Draft.IsZero() { // else a rekey is near, with which they go, and somebody who is gone reads here
		d.recoverInvites(r, (*edit).sayMade)
	}
	d.bindTwins(proto.Said{Root: r.ID(), By: place})
	d.judgeDevices()
	d.endGiven()
	d.giveLinks() // not to whom judgeDevices found out
}

// recoverInvites takes in the own invites again that a rekey by another owner crossed, and says them. One that cannot go on is reported.
func (d *edit) recoverInvites(r members.Root, say func(*edit, invites.Made) error) {
	x := invites.Recover(d.ev, r, d.rootsFrom(r)[1:], d.invitesOwner())
	d.ev = x.Evals
	d.invitesDead(x.Dead)
	for _, made := range x.Again {
		try := *d
		if try.addInvite(made) == nil && say(&try, made) == nil {
			*d = try
		}
	}
}

// noteInvites is recoverInvites of which nothing is said: the records go with a rekey that is being made.
func (d *edit) noteInvites() {
	if _, r, ok := d.preferred(); ok {
		d.recoverInvites(r, func(*edit, invites.Made) error { return nil })
	}
}

// invitesDead reports invites that ended although nobody used them.
func (d *edit) invitesDead(first []dkg.Index) {
	for _, i := range first {
		d.emit(Event{Kind: InviteDead, Index: i})
	}
}

// sayOwed says a statement of this owner and takes it in.
func (d *edit) sayOwed(s proto.Statement) bool {
	try := *d
	if err := try.declare(s); err != nil {
		return false
	}
	*d = try
	return true
}

// bindTwins says which of two bindings is listed, of indices of which one was read, here or in an older root, and no owner decided: what was
// read first differs from member to member (D57), and others may have read the other one (D102).
func (d *edit) bindTwins(said proto.Said) {
	_, r, _ := d.preferred()
	decided := 0
	for i := range r.All() {
		b, ok := r.Undecided(i, said.By)
		if !ok {
			continue
		}
		if decided++; decided > maxDecided {
			return
		}
		d.sayOwed(proto.Sign(proto.Bind{Said: said, Index: i, Body: b.Body}, d.st.space, d.st.me().signing))
	}
}

// giveLinks answers members that asked for a link.
func (d *edit) giveLinks() {
	x := d.st.duties.Value()
	if len(x.wanted) == 0 {
		return
	}
	_, r, _ := d.preferred()
	asked, removing := x.wanted, d.st.rekeys.Value().Draft.Wish().Removes
	x.wanted = nil
	d.st.duties = state.NewSegment(x)
	for _, w := range asked {
		b, known := r.ListedBinding(w.asker)
		if !known || r.Gone(w.asker) || removing(w.asker) {
			continue
		}
		try := *d
		if (w.of == proto.ForDevice && try.giveForDevice(r, b.Maker)) || (w.of == proto.ToHandOn && try.giveToHandOn(r, w.asker)) {
			*d = try
		}
	}
}

// giveToHandOn gives a link to a member that may invite. It reports whether it did.
func (d *edit) giveToHandOn(r members.Root, i dkg.Index) bool {
	x, open := d.st.duties.Value(), 0
	for _, g := range x.given {
		if g.asker == i {
			open++
		}
	}
	if !d.mayAsk(r, i) || open >= maxGivenTo || len(x.given) >= maxGiven {
		return false
	}
	made, ok := d.give(r, i, proto.ToHandOn)
	if ok {
		x = d.st.duties.Value()
		x.given = append(slices.Clip(x.given), given{i, made.Record.Certificate.Name()})
		d.st.duties = state.NewSegment(x)
	}
	return ok
}

// give makes an invite and says its link to a member.
func (d *edit) give(r members.Root, i dkg.Index, of proto.Purpose) (invites.Made, bool) {
	made, err := d.invite(invite.Private(givenForMost))
	if err != nil {
		return made, false
	}
	link, err := invites.Link(made.Link)
	if err != nil {
		return made, false
	}
	said, err := invites.Give(r, i, link)
	said.For, said.Index, said.Name = of, made.Link.First, made.Record.Certificate.Name()
	return made, err == nil && d.say(statement(said)) == nil
}

// mayAsk reports whether a member may ask for links: all may, or it has the right.
func (d *edit) mayAsk(r members.Root, i dkg.Index) bool {
	b, ok := r.ListedBinding(i)
	return r.Policy().MembersMayInvite || ok && r.Rights(b.Maker)&proto.MayInvite != 0
}

// invitesOwner is this owner as package invites takes it.
func (d *edit) invitesOwner() invites.Owner {
	return invites.Owner{Key: d.st.me().signing, Self: d.st.me().index, Newest: d.st.me().owners.Counter}
}

// given returns the greatest index that somebody has or had, or may come to have, in any root held: one that came in another root than the
// preferred one is to be listed in the next.
func (d *edit) given() (last dkg.Index) {
	for row := range d.st.roots.All() {
		if r, ok := d.root(row.id); ok {
			last = max(last, invites.Last(r))
		}
	}
	return last
}

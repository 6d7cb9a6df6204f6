package ratchet

import (
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/asking"
	"github.com/trefoil-im/trefoil/ratchet/internal/epochs"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/orphans"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Join returns the space of a device that opened a link, and the frame of the request that is to be posted to the space. The
// profile is what others are shown of this member, at most MaxApplicationData bytes. The space is Joining until a ticket lets it in:
// Opener enters tickets, Maintain asks again, and events tell what it waits for (StillWaiting, Hint) and how it ended (Joined,
// Refused). Join returns ErrMalformed for the zero Link and one whose fields say nothing, and ErrTooLong.
//
//go:noinline
func Join(l invite.Link, now time.Time, profile []byte) (Space, []byte, error) {
	return join(l, now, profile, nil)
}

func join(l invite.Link, now time.Time, profile, vouch []byte) (Space, []byte, error) {
	link, err := openLink(l)
	if err != nil {
		return Space{}, nil, err
	}
	if len(profile) > MaxApplicationData {
		return Space{}, nil, ErrTooLong
	}
	ms := now.UnixMilli()
	inbox := suite.NewKEMSecret(link.Suite.KEM())
	me := identity{
		unconfirmed: link.Space, index: link.First, signing: suite.NewSigningKey(link.Suite.Scheme()), inboxes: []inboxKey{{secret: inbox}},
		rest: proto.Rest{Inbox: proto.HashOfInbox(inbox.Public), Capabilities: capabilities(), Person: vouch, App: profile, Time: uint64(max(ms, 0))},
	}
	st := newState(me, ms)
	st.space, st.phase = link.Space, Joining
	tp := newTemplate(link.Space)
	tp.link = state.NewSegment(openedLink{secret.Own(l.Bytes())})
	d := edit{st: st, tp: tp, ev: dkg.NoEvals(), now: ms}
	a, c, err := asking.Join(d.asker(), link, d.clockOf())
	if err != nil {
		return Space{}, nil, err
	}
	d.setAsking(a)
	s, err := newSpace(link.Space, d.st, d.tp, d.ev)
	return s, c.Post, err
}

// asker is what this member says of itself when it asks.
func (d *edit) asker() asking.Self {
	me := d.st.me()
	s := asking.Self{
		Space: d.st.space, Signing: me.signing, Rest: me.rest, Inbox: me.inboxes[0].secret.Public, Binding: me.binding, Owners: me.owners.Counter,
	}
	if _, r, ok := d.preferred(); ok {
		s.Suite = r.Suite()
	} else if l, ok := d.opened(); ok {
		s.Suite = l.Suite
	}
	return s
}

// asked takes in what became of the own requests, and reports it.
func (d *edit) asked(a asking.Asking, c asking.Change) {
	d.setAsking(a)
	if c.Post != nil && !d.unsent { // else what it repeats lies in the outbox, or what was to be sent before it
		d.send(c.Post)
	}
	if c.StillWaiting != 0 {
		d.emit(Event{Kind: StillWaiting, Since: c.StillWaiting})
	}
	if c.Hint != 0 {
		d.emit(Event{Kind: Hint, Reason: hints[c.Hint]})
	}
	if c.Taken {
		d.emit(Event{Kind: Conflict, Index: d.st.me().index, Own: true})
	}
	d.takeWord(c.Said, c.Late)
	if _, word := c.Said.(proto.Bind); word && !c.Late && !c.Taken && !d.st.asking.Value().Lost() { // it names a root that is not held, say
		d.emit(Event{Kind: Hint, Reason: hints[proto.HintNotListed]})
	}
	switch c.Refused {
	case asking.ErrTaken:
		d.emit(Event{Kind: Refused, Reason: outcome.ErrInviteTaken})
	case asking.ErrDead:
		d.emit(Event{Kind: Refused, Reason: outcome.ErrInviteDead})
	}
	if c.EraseSeed {
		d.tp.link = state.NewSegment(openedLink{})
	}
	sets, retry := d.st.parts.Value().Keep(func(n proto.Name) bool {
		_, ok := d.ownRequest(n)
		return ok
	})
	if len(retry) > 0 {
		d.setParts(sets)
		d.retry(retry...)
	}
	if c.KeyGone {
		x, retry := d.st.orphans.Value().TicketGone()
		d.setOrphans(x)
		d.retry(retry...)
	}
}

// ownRequest returns the own request that a ticket or refusal with a name answers.
func (d *edit) ownRequest(n proto.Name) (asking.Own, bool) {
	a := d.st.asking.Value()
	if own, ok := a.Find(d.st.space, n); ok {
		return own, true
	}
	if l, ok := d.opened(); ok && a.Joining() && l.Kind == dkg.Direct && proto.DirectRequest(l).Name() == n {
		own, err := a.OfDirect(l)
		return own, err == nil
	}
	return asking.Own{}, false
}

// askAgain makes a request, whatever the time. It reports whether it did.
func (d *edit) askAgain() bool {
	a := d.st.asking.Value()
	e, r, ok := d.preferred()
	if !ok || d.st.phase != Member || d.behind() {
		return false
	}
	t, ok := d.tp.terms(r.ID())
	if !ok {
		return false
	}
	root, k := r.ID(), t.template.K
	if under, is := d.asksUnder(r); is {
		if of, kept := d.tp.keys.Value().of(under); kept {
			root, k = under, of
		}
	}
	proof := d.st.me().certifiedIn(root)
	if r, held := d.root(root); held {
		proof = d.st.me().credential(r)
	}
	news := d.drawInbox(d.st.news.Value())
	a, c, err := a.Ask(d.asker(), asking.Position{
		Index: d.st.me().index, Preferred: e.ID(), Update: news.update, Root: root, K: k, Proof: proof,
	}, d.clockOf())
	if err != nil {
		return false
	}
	d.setNews(news)
	d.asked(a, c)
	d.st.rhythm.ask = false
	return true
}

// asksUnder returns the root as of which this member asks that stands in another one, since those who can answer may not hold that (D208).
func (d *edit) asksUnder(r members.Root) (proto.EpochID, bool) {
	until := d.st.rhythm.askUntil
	return d.st.rhythm.askUnder, until.Counter > 0 && until.Newer(r.Owners().Rank())
}

// askDue reports whether something is due about the own requests: one is to be made or posted again, there is something to be told, or a
// key is to be erased.
func (d *edit) askDue() bool {
	if d.asksFor() || len(d.lateWholes()) > 0 {
		return true
	}
	a := d.st.asking.Value()
	_, c, err := d.tick(a)
	return err == nil && !c.IsZero()
}

func (d *edit) tick(a asking.Asking) (asking.Asking, asking.Change, error) {
	l, _ := d.opened()
	a, c, err := a.Tick(d.asker(), l, d.unreadSinceAsking(), d.clockOf())
	c.Ask = c.Ask && !d.behind() && d.st.phase == Member
	return a, c, err
}

// asksFor reports whether a member needs a ticket and may ask for one now.
func (d *edit) asksFor() bool {
	e, r, ok := d.preferred()
	if !ok || d.st.phase != Member || d.behind() || !d.st.asking.Value().MayAsk(d.clockOf()) {
		return false
	}
	stuck := d.st.rhythm.restored || (d.st.rhythm.commit || d.healDue(e, r)) && !d.hasPlace(e)
	_, under := d.asksUnder(r)
	under = under && passed(d.now, d.st.asking.Value().Asked(), day) // also if one was answered: by somebody that stands here, too
	return d.st.rhythm.ask || under || stuck && !d.st.asking.Value().Waiting() || d.asksFrom(e, r) || d.toldDue()
}

// asksFrom reports whether a ticket is due because of frames that cannot be read. Who is gone in its root can send nothing there, and asks at
// once: another root may have been preferred in which it is a member.
func (d *edit) asksFrom(e epochs.Epoch, r members.Root) bool {
	due := d.waits(e)
	return due == orphans.Ask || due == orphans.Send && r.Gone(d.st.me().index)
}

// toldWaits are the times after which a member asks again that prefers what was only told (D56).
var toldWaits = [...]millis{hour, 4 * hour, day}

// noteTold notes since when what is preferred was only told.
func (d *edit) noteTold() {
	if e, only := d.st.forest.ToldOnly(); only && e.ID() != d.st.rhythm.told {
		d.st.rhythm.told, d.st.rhythm.toldAt, d.st.rhythm.toldAsks = e.ID(), d.now, 0
	}
}

// toldDue reports whether a ticket is to be asked for because the preferred branch was only told, and nobody but who told it was read
// there: others, if there are any, may say that they do not hold it.
func (d *edit) toldDue() bool {
	x := d.st.rhythm
	e, only := d.st.forest.ToldOnly()
	if !only || e.ID() != x.told || int(x.toldAsks) >= len(toldWaits) || !passed(d.now, x.toldAt, toldWaits[x.toldAsks]) {
		return false
	}
	r, ok := d.root(e.Root())
	for i := range r.All() {
		if ok && i != d.st.me().index && !r.Gone(i) && !e.ToldBy(i) {
			return true
		}
	}
	return false
}

// ask does what is due about the own requests. It returns ErrTooSoon if nothing is. While something waits to be sent no request is
// made: it would lie behind the one before, of which others know nothing yet (§9).
func (d *edit) ask() error {
	late := d.giveUpWholes()
	wanted := d.asksFor()
	a, c, err := d.tick(d.st.asking.Value())
	if err != nil {
		return err
	}
	d.asked(a, c)
	if d.unsent {
		return nil
	}
	if !wanted && !c.Ask {
		if c.IsZero() && !late {
			return outcome.ErrTooSoon
		}
		return nil
	}
	if d.toldDue() {
		d.st.rhythm.toldAsks++
	}
	if e, r, ok := d.preferred(); ok && d.asksFrom(e, r) {
		d.setOrphans(d.st.orphans.Value().Did(orphans.Ask, d.now))
	}
	if !d.askAgain() {
		return outcome.ErrPhase
	}
	return nil
}

// unreadSinceAsking reports whether something that waits since before the last request may be read by a further ticket (D53).
func (d *edit) unreadSinceAsking() bool {
	return d.st.orphans.Value().WaitsSince(d.st.asking.Value().Asked())
}

// answeredDue reports whether the counter of the own request is to be said, which ends it for others. As long as something waits
// that a further ticket may bring, those whose turn comes later go on answering (§9, After a merge).
func (d *edit) answeredDue() bool {
	return d.st.news.Value().answeredLeft > 0 && (d.st.asking.Value().Joined() || !d.unreadSinceAsking())
}

// hints are the errors of what members that cannot answer a request hint at.
var hints = map[proto.HintReason]error{
	proto.HintExpired: outcome.ErrHintExpired, proto.HintClosed: outcome.ErrHintClosed, proto.HintOldCounter: outcome.ErrHintOldCounter,
	proto.HintNotListed: outcome.ErrHintNotListed, proto.HintOwnerNeeded: outcome.ErrHintOwnerNeeded,
}

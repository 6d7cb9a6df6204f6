package ratchet

import (
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/asking"
	"github.com/trefoil-im/trefoil/ratchet/internal/epochs"
	"github.com/trefoil-im/trefoil/ratchet/internal/invites"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// enterTicket opens a ticket for an own request, checks it, and merges what it tells (§9). Nothing of it counts if a check fails.
func (d *edit) enterTicket(own asking.Own, whole []byte) error {
	t, err := proto.OpenTicket(own.Context, own.Ticket, whole)
	if err != nil {
		return forged(err)
	}
	me, link, joins := d.st.me(), proto.Link{}, d.st.asking.Value().Joining()
	want := proto.Expected{Owners: me.owners.Counter, Suite: d.asker().Suite}
	if joins {
		var ok bool
		if link, ok = d.opened(); !ok {
			return outcome.ErrStale
		}
		want.Owners = max(want.Owners, uint64(link.Owners))
	}
	c, err := t.Verify(own.Context, want)
	if err != nil {
		return forged(err)
	}
	if joins {
		if err := d.letIn(own, c, link); err != nil {
			return err
		}
	}
	r, held := d.root(c.Root.ID())
	if !held {
		if err := d.enterToldRoot(own, c); err != nil {
			return err
		}
		r, _ = d.root(c.Root.ID())
	}
	switch {
	case d.comesAfter(r.ID()):
		return fmt.Errorf("%w: ticket of an older root", outcome.ErrStale)
	case r.Gone(c.Body.Issuer):
		return fmt.Errorf("%w: ticket of somebody who is gone", outcome.ErrForged)
	}
	if held && !joins && c.Body.ShareForm == proto.BoxedShare {
		if s, err := d.boxedShare(own.Context.Index, c.Body.ShareBox); err != nil || d.publicOf(r, s) != nil {
			return fmt.Errorf("%w: share in a ticket", outcome.ErrForged)
		}
	}
	if held && !joins {
		d.deriveToldRoot(c)
		r, _ = d.root(c.Root.ID())
	}
	_, stood, had := d.preferred()
	d.told(r, c, joins)
	d.merge(own, c, joins)
	if had {
		d.reportRekeyed(stood, had)
	}
	d.displaced()
	return nil
}

// forged returns the outcome of a check that failed.
func forged(err error) error { return fmt.Errorf("%w: ticket: %w", outcome.ErrForged, err) }

// letIn makes a joiner a member by the checked ticket for one of its requests.
func (d *edit) letIn(own asking.Own, c proto.CheckedTicket, link proto.Link) error {
	b, i := c.Body, own.Context.Index
	if b.Certificate.IsZero() || b.Certificate.Admission != own.Binding.Admission {
		return fmt.Errorf("%w: certificate in a ticket", outcome.ErrForged)
	}
	terms, err := newRootTerms(b.Origin, b.Root.Notice, b.Template, b.Root.Roster)
	if err != nil {
		return forged(err)
	}
	s, err := invites.OpenShare(link, b.Masked, i, terms.template.Public)
	if b.ShareForm == proto.BoxedShare && err != nil {
		if s, err = d.boxedShare(i, b.ShareBox); err == nil {
			err = terms.template.Public.Verify(s)
		}
	}
	if err != nil {
		return forged(err)
	}
	r, held := d.root(terms.ID())
	me, first := d.st.me(), !held && d.st.forest.Entered() == 0
	me.origin, me.owners, me.index, me.binding, me.certificates = b.Origin, terms.template.Owners, i, own.Binding, []proto.Certificate{b.Certificate}
	d.setIdentity(me)
	d.st.phase = Member
	d.setAsking(d.entered(own, b.Issuer))
	if first {
		d.st.forest = epochs.New(d.st.space, i)
	} else { // another index of the same run: what was to be said was of the one before
		d.setNews(announcements{})
		d.st.forest = d.st.forest.As(i)
	}
	switch {
	case held:
	case first:
		r = members.NewRoot(terms.Terms)
		d.st.roots = d.st.roots.Put(newRootRow(r, s))
		d.tp = d.tp.with(terms)
		d.grow(d.st.forest.WithRoot(rootOf(terms), d.age()))
	default: // a rekey made it since this device was let in before
		if err := d.enterTold(newRoot{terms: terms, share: s}); err != nil {
			return err
		}
		r, _ = d.root(terms.ID())
	}
	credential := proto.Credential{Certificate: b.Certificate, Binding: own.Binding}
	r, _, err = r.Introduce(proto.Introduction{Credential: credential, Rest: me.rest, Inbox: me.inboxes[0].secret.Public}, members.Via{})
	if err != nil {
		return forged(err)
	}
	// It counts as heard for itself: it says something at once, which others read before they read a twin.
	if next, _, err := r.ReadFrom(proto.Maker{Index: i, Key: me.signing.Public}, d.reads()); err == nil {
		r = next
	}
	d.st.roots = d.st.roots.Put(newRootRow(r, s))
	return nil
}

// entered returns what is asked once a ticket was entered, and notes that a restored member is up to date if it asked for it since: the
// ticket for a request from before the copy may be as old.
func (d *edit) entered(own asking.Own, issuer dkg.Index) asking.Asking {
	a := d.st.asking.Value()
	if a.Whose(own.Context.Request, own.Counter) == asking.Mine {
		d.st.rhythm.restored = false
	}
	if own.Context.Direct {
		return a.EnteredDirect(issuer, d.clockOf())
	}
	return a.Entered(own.Context.Request.Name(), issuer, d.clockOf())
}

// rootOf returns what the forest knows of a root.
func rootOf(t rootTerms) epochs.Root {
	return epochs.Root{ID: t.ID(), Generation: t.template.Rekey, Rank: t.notice.Signer, Depth: t.template.Depth, Public: t.template.Public}
}

// boxedShare opens the share that an owner boxed to an inbox key of this member.
func (d *edit) boxedShare(i dkg.Index, box []byte) (dkg.Share, error) {
	for _, k := range slices.Backward(d.st.me().inboxes) {
		if s, err := proto.OpenShare(d.st.space, k.secret, i, box); err == nil {
			return s, nil
		}
	}
	return dkg.Share{}, suite.ErrInvalid
}

func (d *edit) publicOf(r members.Root, s dkg.Share) error { return r.Commitment().Verify(s) }

// told takes in what a ticket tells of members, statements and invites, as if it had come live. To who joins, profiles are no change.
func (d *edit) told(r members.Root, c proto.CheckedTicket, joins bool) {
	take := func(next members.Root, change members.Change, err error) {
		if err != nil {
			return
		}
		if joins {
			change.Profiled, change.Appointed = nil, nil
		}
		r = d.changed(next, change)
	}
	if r.ID() == c.Root.ID() {
		next, change := r.TellAll(c.Members)
		take(next, change, nil)
	}
	for _, s := range c.Statements {
		take(r.Apply(s, d.ageOf(s, r), d.now))
	}
	for _, a := range c.Body.Answered {
		if b, ok := r.ListedBinding(a.Index); ok {
			if next, err := r.Answered(b.Maker, a.Counter, d.now); err == nil {
				r = next
			}
		}
	}
	d.setRoot(r)
	var named []dkg.Index // of which a further binding may be taken in
	for _, s := range c.Statements {
		if b, ok := s.(proto.Bind); ok {
			named = append(named, b.Index)
		}
	}
	d.retry(d.st.orphans.Value().Strangers(named...)...)
	if u := c.Body.Update; !u.IsZero() && u.Index == d.st.me().index && u.VerifySignature(d.st.space, d.st.me().signing.Public) == nil {
		me := d.st.me()
		me.drawn = max(me.drawn, u.Counter)
		d.setIdentity(me)
	}
}

// toldInvites takes in the invites of a ticket, open and used, once its epochs were entered: who came by them, or will, may not read in
// these, which may be older than the invite (§9, Merging, step 7).
func (d *edit) toldInvites(c proto.CheckedTicket) {
	serial := d.st.forest.Entered()
	for _, x := range c.Body.Records {
		if r, ok := d.root(c.Root.ID()); ok {
			if next, change, err := r.AddRecord(x, serial); err == nil {
				d.changed(next, change)
			}
		}
	}
}

// ageOf says how the root that a statement names stands to one in which it is to count.
func (d *edit) ageOf(s proto.Statement, r members.Root) members.Age {
	of, ok := s.(proto.OwnerStatement)
	if !ok {
		return members.Unheld
	}
	t, held := d.tp.terms(of.RootNamed())
	switch {
	case !held:
		return members.Unheld
	case t.Rekey() < r.Rekey():
		return members.Older
	}
	return members.Newer
}

// merge takes in the epochs of a ticket, and what follows from having been answered (§9, After a merge).
func (d *edit) merge(own asking.Own, c proto.CheckedTicket, joins bool) {
	before, stood := d.st.forest.Preferred()
	t := epochs.Ticket{
		Issuer: c.Body.Issuer, Counter: own.Counter, Asked: own.Preferred, Holds: c.Body.HoldsPreferred, Joining: own.Joining,
	}
	for _, e := range c.Epochs {
		t.Epochs = append(t.Epochs, d.toldEpoch(e, c))
	}
	returned := d.returned(c.Body.Returned)
	f, change := d.st.forest.Merge(t, d.share, d.age())
	d.grow(f, change)
	d.returned(returned)
	d.toldInvites(c)
	d.asked(d.entered(own, c.Body.Issuer), asking.Change{})
	d.setOrphans(d.st.orphans.Value().Merged(d.now))
	news := d.st.news.Value()
	if own.Counter > news.answered {
		news.answered, news.answeredLeft = own.Counter, sayings
	}
	after, stands := d.st.forest.Preferred() // none where a newer owner list bars the roots held, and the told one was told without its epochs
	inStep := !joins && stood && stands && after.ID() == before.ID() && (own.Answered || own.Preferred == before.ID() && c.Body.HoldsPreferred)
	if !inStep {
		d.st.rhythm.commit = true
		news.updateDue = news.updateDue || !news.update.IsZero()
	}
	d.st.rhythm.ask = false
	d.setNews(news)
	d.noteTold()
	if joins {
		d.st.rhythm.committed = d.age()
		d.emit(Event{Kind: Joined, Index: d.st.me().index, Key: PublicKey{d.st.me().signing.Public}})
	}
	if d.st.rhythm.commit {
		_ = d.say(proto.Inner{}) // at once: a reader that is silent is unseen. If it cannot be said now, Maintain sees to it
	}
}

// returned enters the epochs of own commits of which a ticket brings the secrets, and returns the commits whose parents are not held
// yet. In these epochs, and below, this member may have sent already.
func (d *edit) returned(all []proto.Returned) []proto.Returned {
	for {
		var left []proto.Returned
		moved := false
		for _, x := range all {
			parent, ok := d.st.forest.Epoch(x.Parent)
			if !ok {
				left = append(left, x)
			} else if d.enterReturned(parent, x) {
				d.setBack()
				moved = true
			}
		}
		if all = left; !moved {
			return left
		}
	}
}

// enterReturned enters the epoch of one of them, and reports whether it did.
func (d *edit) enterReturned(parent epochs.Epoch, x proto.Returned) bool {
	child := parent.Child(d.st.space, x.Shown.Commit)
	r, ok := d.root(parent.Root())
	if held, known := d.st.forest.Epoch(child); !ok || known && held.Derived() || x.Shown.Commit.Core.Maker != d.st.me().index {
		return false
	}
	key, err := x.Shown.VerifyMaker(r, child)
	if err != nil {
		return false
	}
	f, change, err := d.st.forest.Return(x, key, d.share, d.age())
	if err != nil {
		return false
	}
	d.grow(f, change)
	return true
}

// toldEpoch returns a checked epoch as the forest takes it.
func (d *edit) toldEpoch(e proto.CheckedEpoch, c proto.CheckedTicket) epochs.TicketEpoch {
	root := c.Body.Root.Notice
	if e.Root != c.Root.ID() {
		root = c.Body.Earlier.Notice
	}
	out := epochs.TicketEpoch{TicketEpoch: e.TicketEpoch, ID: e.ID, Root: e.Root, Place: e.Place(d.st.space, root.Common), Check: root.Check, Maker: e.Maker}
	if !e.IsRoot() {
		out.Check = e.Commit.Check
		maker := e.Commit.Core.Maker
		at := slices.IndexFunc(c.Members, func(m proto.CheckedMember) bool { return m.Index == maker && m.Key == e.Maker })
		if _, listed := c.Root.Listed(maker); !listed && at >= 0 {
			out.Credential = c.Members[at].Credential
		}
	}
	return out
}

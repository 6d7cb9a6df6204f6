package ratchet

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/epochs"
	"github.com/trefoil-im/trefoil/ratchet/internal/invites"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// NewInvite implements step.Taker.
func (d taker) NewInvite(t invite.Terms, made *invite.Made) error {
	if made == nil {
		return ErrPolicy
	}
	m, err := d.invite(t)
	if err != nil {
		return err
	}
	link, err := invites.Link(m.Link)
	if err != nil {
		return err
	}
	*made = invite.Made{Name: m.Record.Certificate.Name(), Link: link}
	if t.Kind() == dkg.Direct {
		made.Ticket, err = d.directTicket(m)
	}
	return err
}

// invite makes an invite and says it.
func (d *edit) invite(t invite.Terms) (invites.Made, error) {
	made, err := d.noteInvite(t)
	if err != nil {
		return invites.Made{}, err
	}
	return made, d.sayMade(made)
}

// sayMade says an invite whose record is known here.
func (d *edit) sayMade(m invites.Made) error {
	for _, s := range m.Statements {
		if err := d.say(statement(s)); err != nil {
			return err
		}
	}
	return nil
}

// addInvite takes in the record of an invite.
func (d *edit) addInvite(m invites.Made) error {
	r, ok := d.root(m.Record.Certificate.Root)
	if !ok {
		return ErrPhase
	}
	next, change, err := r.AddRecord(m.Record, d.st.forest.Entered())
	if err != nil {
		return err
	}
	d.changed(next, change)
	return nil
}

// noteInvite makes an invite and says nothing of it.
func (d *edit) noteInvite(t invite.Terms) (invites.Made, error) {
	_, r, ok := d.preferred()
	if !ok {
		return invites.Made{}, ErrPhase
	}
	ev, made, err := invites.Make(d.ev, r, d.given(), d.invitesOwner(), t, d.now)
	if err != nil {
		return invites.Made{}, stepError(err)
	}
	d.ev = ev
	return made, d.addInvite(made)
}

// directTicket returns the frames of the ticket of a direct link.
func (d *edit) directTicket(m invites.Made) ([][]byte, error) {
	_, r, _ := d.preferred()
	key, err := proto.DirectTicketKey(m.Link.Seed, m.Link.Space, m.Link.Suite)
	if err != nil {
		return nil, err
	}
	ctx := proto.TicketContext{Space: d.st.space, Request: proto.DirectRequest(m.Link), Index: m.Link.First, Direct: true}
	b, err := d.ticketBody(r, ctx.Index, ctx.Request)
	if err != nil {
		return nil, err
	}
	b.Certificate, b.Masked = m.Record.Certificate, m.Record.Masked
	return d.sealTicket(r, ctx, key.Public, b, epochs.TicketQuery{Joiner: true, Since: d.st.forest.Entered()})
}

// stepError returns the error of this package for one of package invites.
func stepError(err error) error {
	switch {
	case errors.Is(err, invites.ErrNoOwner):
		return ErrPhase
	case errors.Is(err, invites.ErrTerms), errors.Is(err, invites.ErrMember):
		return ErrPolicy
	}
	return err
}

// EndInvite implements step.Taker.
func (d taker) EndInvite(name [16]byte, places []dkg.Index) error {
	e, r, ok := d.preferred()
	if !ok {
		return ErrPhase
	}
	if _, owner := d.place(r); !owner {
		return ErrPhase
	}
	said, err := invites.End(r, d.invitesOwner(), e.ID(), name, places...)
	return d.stateAll(said, err)
}

func (d *edit) stateAll(said []proto.OwnerStatement, err error) error {
	if err != nil {
		return stepError(err)
	}
	for _, s := range said {
		if err := d.declare(s); err != nil {
			return err
		}
	}
	if _, r, ok := d.preferred(); ok {
		d.ev, _ = invites.Settle(d.ev, r)
	}
	return nil
}

// WantInvite implements step.Taker.
func (d taker) WantInvite() error {
	_, r, ok := d.preferred()
	if !ok {
		return ErrPhase
	}
	if !d.mayAsk(r, d.st.me().index) {
		return ErrPolicy
	}
	return d.say(statement(proto.InviteWanted{Invite: dkg.Private, For: proto.ToHandOn}))
}

// Invites returns the invites of the space as they stand at a time, in ascending order of their places; none for a member that is no
// owner. Of those that ended before a rekey it tells as long as epochs of before are held: 30 days at least.
func Invites(s Space, now time.Time) []invite.Invite {
	d, err := newEdit(s, now, Options{})
	if err != nil {
		return nil
	}
	_, r, ok := d.preferred()
	if _, owner := d.place(r); !ok || !owner {
		return nil
	}
	return slices.Collect(invites.Ledger(d.rootsFrom(r), d.now))
}

// rootsFrom returns a root and all others that are held, the newest first.
func (d *edit) rootsFrom(r members.Root) []members.Root {
	roots := []members.Root{r}
	for row := range d.st.roots.All() {
		if old, ok := d.root(row.id); ok && old.ID() != r.ID() {
			roots = append(roots, old)
		}
	}
	slices.SortStableFunc(roots[1:], func(a, b members.Root) int { return cmp.Compare(b.Rekey(), a.Rekey()) })
	return roots
}

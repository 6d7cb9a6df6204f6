package ratchet

import (
	"errors"
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/epochs"
	"github.com/trefoil-im/trefoil/ratchet/internal/invites"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/state"
)

// Step is something that a member says of the space: Do takes it in a vault, On on a value. Errors are those of the function that
// made it, and of Encrypt.
type Step struct{ do func(*edit) error }

// Do returns an update that takes a step and puts its frames into the outbox.
func Do(o Options, s Step) func(*state.Tx[Space]) error {
	return func(tx *state.Tx[Space]) error {
		d, err := newEdit(tx.Value(), o.now(), o)
		if err != nil {
			return err
		}
		if err := s.do(&d); err != nil {
			return err
		}
		d.leave(tx, o)
		return nil
	}
}

// On takes the step. The space that comes back must be durable before the frames leave. On error it is the one passed in.
func (s Step) On(v Space, now time.Time) (Space, [][]byte, error) {
	d, err := newEdit(v, now, Options{})
	if err != nil {
		return v, nil, err
	}
	if err := s.do(&d); err != nil {
		return v, nil, err
	}
	return d.space(), d.frames, nil
}

// InviteOptions say what an invite is to be.
type InviteOptions struct {
	Kind     dkg.Kind
	Count    uint32        // of dkg.Public: how many may come by it, a multiple of 16
	Lifetime time.Duration // 0 for ever; counted in hours
	Ticket   bool          // of dkg.Direct: with the ticket, so that who gets both is a member at once
}

// Invite is an invite that was made.
type Invite struct {
	Name [16]byte
	Link Link
	// Ticket are the frames of the ticket of a direct link. With the link they are a member's state: they travel in a session only.
	Ticket [][]byte
}

// NewInvite returns the step with which an owner makes an invite, which is put into made. It returns ErrPhase for a member that is no
// owner, ErrPolicy for an invite that there is not, dkg.ErrExhausted if no place is left or as many invites are open as may be, and
// dkg.ErrReadOnly.
func NewInvite(o InviteOptions, made *Invite) Step {
	return Step{func(d *edit) error {
		w := invites.Wish{Kind: o.Kind, Count: o.Count}
		if o.Lifetime > 0 {
			w.Expires = uint32((d.now + o.Lifetime.Milliseconds() + hour - 1) / hour)
		}
		m, err := d.invite(w)
		if err != nil {
			return err
		}
		*made = Invite{Name: m.Record.Certificate.Name(), Link: newLink(m.Link)}
		if o.Ticket && o.Kind == dkg.Direct {
			made.Ticket, err = d.directTicket(m)
		}
		return err
	}}
}

// invite makes an invite and says it.
func (d *edit) invite(w invites.Wish) (invites.Made, error) {
	_, r, ok := d.preferred()
	if !ok || d.st.owner.Value().isNone() {
		return invites.Made{}, ErrPhase
	}
	ev, made, err := invites.Make(d.ev, r, d.invitesOwner(), w)
	if err != nil {
		return invites.Made{}, stepError(err)
	}
	d.ev = ev
	next, change, err := r.AddRecord(made.Record, d.st.forest.Entered())
	if err != nil {
		return invites.Made{}, err
	}
	d.changed(next, change)
	for _, s := range made.Statements {
		if err := d.say(statement(s)); err != nil {
			return invites.Made{}, err
		}
	}
	return made, nil
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
	case errors.Is(err, invites.ErrWish), errors.Is(err, invites.ErrMember):
		return ErrPolicy
	}
	return err
}

// EndInvite returns the step with which an owner takes an invite back. It returns ErrPhase for a member that is no owner, and ErrPolicy
// for an invite that is not known or by which its one member came: Remove is for members.
func EndInvite(name [16]byte) Step {
	return Step{func(d *edit) error {
		e, r, ok := d.preferred()
		if !ok || d.st.owner.Value().isNone() {
			return ErrPhase
		}
		said, err := invites.End(r, d.invitesOwner(), name, e.ID())
		return d.stateAll(said, err)
	}}
}

// Revoke returns the step with which an owner takes places back that nobody came with, of a public invite too. Its errors are those of
// EndInvite.
func Revoke(indices ...dkg.Index) Step {
	return Step{func(d *edit) error {
		e, r, ok := d.preferred()
		if !ok || d.st.owner.Value().isNone() {
			return ErrPhase
		}
		said, err := invites.Revoke(r, d.invitesOwner(), e.ID(), indices...)
		return d.stateAll(said, err)
	}}
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

// declare says a statement of this member or owner, and takes it in.
func (d *edit) declare(s proto.Statement) error {
	if err := d.say(statement(s)); err != nil {
		return err
	}
	of, ok := s.(proto.OwnerStatement)
	_, r, held := d.preferred()
	if !held {
		return ErrPhase
	}
	if err := d.apply(s, r.ID()); err != nil && ok && of.RootNamed() == r.ID() && !errors.Is(err, members.ErrStale) {
		return err
	}
	return nil
}

// statement returns the message that says a statement.
func statement(s proto.Statement) proto.Inner {
	return proto.Inner{Statement: true, Plaintext: proto.EncodeStatement(s)}
}

// SetTitle returns the step with which an owner names the space: at most 1 KiB. It returns ErrTooLong, and ErrPhase for a member that
// is no owner.
func SetTitle(title []byte) Step {
	return Step{func(d *edit) error {
		_, r, ok := d.preferred()
		if len(title) > proto.MaxTitle {
			return ErrTooLong
		}
		k := d.st.owner.Value()
		if !ok || k.isNone() {
			return ErrPhase
		}
		place, ok := r.Owners().PlaceOf(k.owner.Public)
		if !ok {
			return ErrPhase
		}
		counter := uint64(max(d.now, 1))
		if old, ok := r.Title(); ok {
			counter = max(counter, old.Counter+1)
		}
		return d.declare(proto.Sign(proto.Title{Said: proto.Said{Root: r.ID(), By: place}, Counter: counter, Title: title}, d.st.space, k.owner))
	}}
}

// SetProfile returns the step with which a member changes what others are shown of it: at most MaxApplicationData bytes. It returns
// ErrTooLong.
func SetProfile(profile []byte) Step {
	return Step{func(d *edit) error {
		_, r, ok := d.preferred()
		if len(profile) > MaxApplicationData {
			return ErrTooLong
		}
		me := d.st.me()
		b, known := r.Binding(me.maker())
		if !ok || !known {
			return ErrPhase
		}
		counter := max(uint64(max(d.now, 1)), b.Profile.Counter+1)
		return d.declare(proto.Sign(proto.Profile{Index: me.index, Counter: counter, App: profile}, d.st.space, me.signing))
	}}
}

// WantInvite returns the step with which a member asks an owner for a link to hand on; it comes with the event LinkGiven. It returns
// ErrPolicy where members may not invite.
func WantInvite() Step {
	return Step{func(d *edit) error {
		_, r, ok := d.preferred()
		if !ok {
			return ErrPhase
		}
		if !r.Policy().MembersMayInvite {
			return ErrPolicy
		}
		return d.say(statement(proto.InviteWanted{Invite: dkg.Private}))
	}}
}

// Leave returns the step with which a member leaves: it sends nothing afterwards, and others do not show it. Until owners rekey it can
// read. It returns ErrPhase for the only owner.
func Leave() Step {
	return Step{func(d *edit) error {
		e, r, ok := d.preferred()
		if !ok {
			return ErrPhase
		}
		if k := d.st.owner.Value(); !k.isNone() && len(r.Owners().Keys) < 2 {
			return ErrPhase
		}
		me := d.st.me()
		b, ok := r.Binding(me.maker())
		if !ok {
			return ErrPhase
		}
		s := proto.Leave{Index: me.index, Body: b.Body, Root: r.ID(), Epoch: e.ID(), Time: uint64(max(d.now, 0))}
		if err := d.declare(proto.Sign(s, d.st.space, me.signing)); err != nil {
			return err
		}
		d.st.phase = Left
		return nil
	}}
}

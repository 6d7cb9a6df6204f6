package ratchet

import (
	"errors"
	"math"
	"slices"
	"time"

	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/state"
)

// Step is something that a member says of the space: Do takes it in a vault, On on a value. Errors are those of the function that
// made it, and of Encrypt.
type Step struct{ do func(editing) error }

// editing is an *edit: see State for why a Step does not say so.
type editing interface{ isEdit() }

func (*edit) isEdit() {}

// stepOf returns the step that an edit takes.
func stepOf(do func(*edit) error) Step { return Step{func(e editing) error { return do(e.(*edit)) }} }

// Do returns an update that takes a step and puts its frames into the outbox.
//
//go:noinline
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
	d.noteSaid(s)
	return nil
}

// statement returns the message that says a statement.
func statement(s proto.Statement) proto.Inner {
	return proto.Inner{Statement: true, Plaintext: proto.EncodeStatement(s)}
}

// SetTitle returns the step with which an owner, or a member with the right, names the space: at most 1 KiB. It returns ErrTooLong, and
// ErrPhase for another member.
//
//go:noinline
func SetTitle(title []byte) Step {
	return stepOf(func(d *edit) error {
		_, r, ok := d.preferred()
		if len(title) > proto.MaxTitle {
			return ErrTooLong
		}
		me := d.st.me()
		said := proto.Said{Root: r.ID()}
		place, owner := d.place(r)
		role, may := r.Role(me.maker(), proto.MayTitle)
		switch {
		case !ok || !owner && !may:
			return ErrPhase
		case owner:
			said.By = place
		default:
			said.Role = role
		}
		counter := uint64(max(d.now, 1))
		if old, ok := r.Title(); ok {
			counter = max(counter, min(old.Counter, math.MaxUint64-1)+1)
		}
		return d.declare(proto.Sign(proto.Title{Said: said, Counter: counter, Title: title}, d.st.space, me.signing))
	})
}

// SetProfile returns the step with which a member changes what others are shown of it: at most MaxApplicationData bytes. It returns
// ErrTooLong.
//
//go:noinline
func SetProfile(profile []byte) Step {
	return stepOf(func(d *edit) error {
		_, r, ok := d.preferred()
		if len(profile) > MaxApplicationData {
			return ErrTooLong
		}
		me := d.st.me()
		b, known := r.Binding(me.maker())
		if !ok || !known {
			return ErrPhase
		}
		counter := uint64(max(d.now, 1))
		for i := range r.All() { // other devices of the person have set it, too
			if o, ok := r.ListedBinding(i); ok && (o.Maker == b.Maker || r.PersonOf(o) == r.PersonOf(b)) {
				counter = max(counter, o.Profile.Counter+1)
			}
		}
		return d.declare(proto.Sign(proto.Profile{Index: me.index, Counter: counter, App: profile}, d.st.space, me.signing))
	})
}

// Flag says yes to what a call would refuse.
type Flag uint8

// Orphan: the space may be left without an owner, or without the root owner key. Nobody can be removed or let in from then on, or nobody
// become an owner.
const Orphan Flag = 1

// Leave returns the step with which a member leaves: it sends nothing afterwards, and others do not show it. Until owners rekey it can
// read. It returns ErrPhase, and ErrOrphan for the only owner and for the member that holds the root owner key, unless the flag Orphan is
// given.
//
//go:noinline
func Leave(flags ...Flag) Step {
	return stepOf(func(d *edit) error {
		e, r, ok := d.preferred()
		if !ok {
			return ErrPhase
		}
		if d.sole(r) && !slices.Contains(flags, Orphan) {
			return ErrOrphan
		}
		me := d.st.me()
		b, ok := r.Binding(me.maker())
		if !ok {
			return ErrPhase
		}
		s := proto.Leave{Index: me.index, Body: b.Body, Root: r.ID(), Epoch: e.ID(), Time: uint64(max(d.now, 0))}
		said := proto.Sign(s, d.st.space, me.signing)
		if err := d.say(statement(said)); err != nil {
			return err
		}
		d.st.phase = Left
		return d.apply(said, r.ID())
	})
}

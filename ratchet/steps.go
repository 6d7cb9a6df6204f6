package ratchet

import (
	"errors"
	"math"
	"slices"
	"time"

	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/step"
	"github.com/trefoil-im/trefoil/state"
)

// Do returns an update that takes a step, such as step.Remove(3), and puts its frames into the outbox. The function that made the step says
// which errors there are.
//
//go:noinline
func Do(o Options, s step.Step) func(*state.Tx[Space]) error {
	return func(tx *state.Tx[Space]) error {
		d, err := newEdit(tx.Value(), o.now(), o)
		if err != nil {
			return err
		}
		if err := d.take(s); err != nil {
			return err
		}
		d.leave(tx, o)
		return nil
	}
}

// Take takes a step. The space that comes back must be durable before the frames leave. On error it is the one passed in.
//
//go:noinline
func Take(s Space, now time.Time, what step.Step) (Space, [][]byte, error) {
	d, err := newEdit(s, now, Options{})
	if err != nil {
		return s, nil, err
	}
	if err := d.take(what); err != nil {
		return s, nil, err
	}
	return d.space(), d.frames, nil
}

// taker takes the steps of package step.
type taker struct{ *edit }

var _ step.Taker = taker{}

// take takes a step. An edit of which one failed is not to be used.
func (d *edit) take(s step.Step) error { return s.By(taker{d}) }

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

// SetTitle implements step.Taker.
func (d taker) SetTitle(title []byte) error {
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
}

// SetProfile implements step.Taker.
func (d taker) SetProfile(profile []byte) error {
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
}

// Leave implements step.Taker.
func (d taker) Leave(flags []step.Flag) error {
	e, r, ok := d.preferred()
	if !ok {
		return ErrPhase
	}
	if d.sole(r) && !slices.Contains(flags, step.Orphan) {
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
}

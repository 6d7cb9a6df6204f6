package ratchet

import (
	"slices"
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// admissible returns the member that an introduction makes, or why it makes none. Introductions count in the preferred
// root only, and the first one per index.
func (d *edit) admissible(r root, t rootTerms, in proto.Introduction) (member, error) {
	p, _, _, ok := d.preferred()
	switch {
	case !ok || r.id != p.root || in.Rekey != r.rekey:
		return member{}, outcome.ErrStale
	case in.Index.Check(t.template.Depth) != nil:
		return member{}, outcome.ErrMalformed
	case d.revoked(r, in.Index):
		return member{}, outcome.ErrInviteDead
	}
	box, err := in.Verify(d.st.space, d.st.identity().owners, t.template.Policy)
	if err != nil {
		return member{}, outcome.ErrForged
	}
	return member{
		RosterEntry: in.Entry(), introduction: in.Encode(), app: in.App, inboxKey: box.Bytes(),
	}, nil
}

// introduce accepts a member of a root.
func (d *edit) introduce(r root, m member) {
	r, _ = d.st.root(r.id)
	r.members = r.members.Put(m)
	d.setRoot(r)
	d.progress = true
	d.emit(Introduced{m.Index, PublicKey{m.signingKey()}})
	if next, err := d.ev.Redeem(m.Index); err == nil {
		d.ev = next
	}
	if next, err := d.ev.MoveCursorPast(m.Index); err == nil {
		d.ev = next
	}
	if len(r.pending) > 0 {
		d.rosterStatement(r.pending)
	}
}

// revoked reports whether an index was revoked in a root.
func (d *edit) revoked(r root, i dkg.Index) bool {
	for _, st := range r.revocations() {
		if _, ok := slices.BinarySearch(st.Indices, i); ok {
			return true
		}
	}
	return false
}

// revocations returns the revoke statements of a root.
func (r root) revocations() (out []proto.RevokeStatement) {
	for _, raw := range r.revokes {
		if c, err := proto.ParseStatement(raw); err == nil && c.Revoke != nil {
			out = append(out, *c.Revoke)
		}
	}
	return out
}

// applyStatement applies a control statement that a verified message of a member carried, or returns why not.
func (d *edit) applyStatement(sender dkg.Index, raw []byte) error {
	c, err := proto.ParseStatement(raw)
	if err != nil {
		return outcome.ErrMalformed
	}
	switch c.Kind {
	case proto.KindLeave:
		return d.leaves(c)
	case proto.KindRevoke:
		return d.revokeStatement(raw)
	case proto.KindRoster:
		return d.rosterStatement(raw)
	}
	return outcome.ErrMalformed
}

// leaves notes that a member leaves: in every root in which it has the same signing key.
func (d *edit) leaves(c proto.Statement) error {
	found := false
	for row := range d.st.roots.All() {
		r := row.record.Value()
		m, ok := r.members.Get(segmap.ByIndex(uint32(c.Leave.Index)))
		if !ok || c.Verify(d.st.space, m.signingKey()) != nil {
			continue
		}
		found = true
		if m.left {
			continue
		}
		m.left = true
		r.members = r.members.Put(m)
		d.setRoot(r)
		if d.st.isOwner() {
			d.emit(LeavePending{m.Index})
		}
	}
	if !found {
		return outcome.ErrForged
	}
	return nil
}

// revokeStatement applies a revoke statement. What was refused before stays refused.
func (d *edit) revokeStatement(raw []byte) error {
	c, err := proto.ParseStatement(raw)
	if err != nil || c.Kind != proto.KindRevoke {
		return outcome.ErrMalformed
	}
	r, ok := d.st.root(c.Revoke.Root)
	if !ok {
		return outcome.ErrStale
	}
	if err := c.VerifyOwner(d.st.space, d.st.identity().owners); err != nil {
		return outcome.ErrForged
	}
	kept := [][]byte{raw}
	for k, held := range r.revocations() {
		switch {
		case held.Covers(*c.Revoke):
			return outcome.ErrStale
		case !c.Revoke.Covers(held):
			kept = append(kept, r.revokes[k])
		}
	}
	if len(kept) > proto.MaxRevokes {
		return outcome.ErrLimit
	}
	r.revokes = kept
	d.setRoot(r)
	if id, _ := d.ev.Root(); id == r.id {
		for _, i := range c.Revoke.Indices {
			if next, err := d.ev.Revoke(i); err == nil {
				d.ev = next
			}
		}
	}
	return nil
}

// rosterStatement applies a roster statement: the members it names need their introductions no more. It says nothing of
// others. If it names somebody who was not introduced here yet, or in another way, it waits.
func (d *edit) rosterStatement(raw []byte) error {
	c, err := proto.ParseStatement(raw)
	if err != nil || c.Kind != proto.KindRoster {
		return outcome.ErrMalformed
	}
	r, ok := d.st.root(c.Roster.Root)
	if !ok {
		return outcome.ErrStale
	}
	if err := c.VerifyOwner(d.st.space, d.st.identity().owners); err != nil {
		return outcome.ErrForged
	}
	t, ok := d.tp.terms(r.id)
	if !ok {
		return outcome.ErrStale
	}
	named := r.named(t.notice)
	if named.Contains(c.Roster.Members) || !c.Roster.Members.Contains(named) {
		return outcome.ErrStale // nothing new, or by an owner that does not know of all it named before
	}
	if signed, _ := r.roster(c.Roster.Members); signed.Digest() != c.Roster.Digest {
		if p, err := proto.ParseStatement(r.pending); err != nil || !p.Roster.Members.Contains(c.Roster.Members) {
			r.pending = raw
			d.setRoot(r)
		}
		return nil
	}
	for m := range r.members.All() {
		if c.Roster.Members.Has(m.Index) && len(m.introduction) > 0 {
			m.introduction = nil
			r.members = r.members.Put(m)
		}
	}
	r.signed = raw
	if p, err := proto.ParseStatement(r.pending); err == nil && c.Roster.Members.Contains(p.Roster.Members) {
		r.pending = nil
	}
	d.setRoot(r)
	return nil
}

// Leave says to all members that this one leaves, and ends sending. Owners are told and rekey: until then this member can
// still read. An owner leaves after a rekey by another, the last one cannot: both get ErrPhase.
func Leave(s Space, now time.Time) (Space, []byte, error) {
	d, err := newEdit(s, now)
	if err != nil {
		return s, nil, err
	}
	_, r, _, err := d.target()
	if err != nil {
		return s, nil, err
	}
	if d.st.isOwner() {
		return s, nil, outcome.ErrPhase
	}
	me := d.st.identity()
	c := proto.SignLeave(d.st.space, proto.LeaveStatement{Index: me.index, Rekey: r.rekey, Time: d.now}, me.signing)
	e, err := d.send(outgoing{plaintext: c.Encode(), statement: true, signed: true})
	if err != nil {
		return s, nil, err
	}
	d.st.phase = Left
	return d.space(), e.Bytes(), nil
}

// signRoster makes the members as this dealer knows them the roster that tickets build on, so that they need not hold all
// introductions. It returns ErrPhase for a member that is not the dealer, and ErrTooLong in a space with indices over 2^18.
func signRoster(s Space, now time.Time) (Space, []byte, error) {
	return dealerStatement(s, now, func(d *edit, r root, owner suite.SigningKey) (proto.Statement, error) {
		all := proto.Roster{}
		for m := range r.members.All() {
			all.Entries = append(all.Entries, m.RosterEntry)
		}
		st := proto.RosterStatement{Root: r.id, Members: all.Bitmap(), Digest: all.Digest()}
		if len(st.Members) > proto.MaxSignedMembers {
			return proto.Statement{}, outcome.ErrTooLong
		}
		return proto.SignRoster(d.st.space, st, owner), nil
	})
}

// dealerStatement makes a statement of the dealer, applies it here, and seals it to all.
func dealerStatement(s Space, now time.Time, state func(*edit, root, suite.SigningKey) (proto.Statement, error)) (Space, []byte, error) {
	d, err := newEdit(s, now)
	if err != nil {
		return s, nil, err
	}
	_, r, _, err := d.target()
	if err != nil {
		return s, nil, err
	}
	if !d.isDealer() {
		return s, nil, outcome.ErrPhase
	}
	c, err := state(d, r, d.st.owner.Value().owner)
	if err != nil {
		return s, nil, err
	}
	raw := c.Encode()
	if err := d.applyStatement(d.st.identity().index, raw); err != nil {
		return s, nil, err
	}
	e, err := d.send(outgoing{plaintext: raw, statement: true, signed: true})
	if err != nil {
		return s, nil, err
	}
	return d.space(), e.Bytes(), nil
}

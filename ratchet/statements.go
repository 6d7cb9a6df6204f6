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
func (w *work) admissible(r root, t terms, in proto.Introduction) (member, error) {
	p, _, _, ok := w.preferred()
	switch {
	case !ok || r.id != p.root || in.Rekey != r.rekey:
		return member{}, outcome.ErrStale
	case in.Index.Check(t.template.Depth) != nil:
		return member{}, outcome.ErrMalformed
	case w.revoked(r, in.Index):
		return member{}, outcome.ErrInviteDead
	}
	box, err := in.Verify(w.st.space, w.self().owners, t.template.Policy)
	if err != nil {
		return member{}, outcome.ErrForged
	}
	return member{
		RosterEntry: in.Entry(), introduction: in.Encode(), app: in.App, inboxKey: box.Bytes(),
	}, nil
}

// introduce accepts a member of a root.
func (w *work) introduce(r root, m member) {
	r, _ = w.st.root(r.id)
	r.members = r.members.Put(m)
	w.setRoot(r)
	w.learned = true
	w.emit(Introduced{m.Index, PublicKey{m.signingKey()}})
	if next, err := w.ev.Redeem(m.Index); err == nil {
		w.ev = next
	}
	if next, err := w.ev.MoveCursorPast(m.Index); err == nil {
		w.ev = next
	}
	if len(r.pending) > 0 {
		w.rosterStatement(r.pending)
	}
}

// revoked reports whether an index was revoked in a root.
func (w *work) revoked(r root, i dkg.Index) bool {
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

// control applies a control statement that a verified message of a member carried, or returns why not.
func (w *work) control(sender dkg.Index, raw []byte) error {
	c, err := proto.ParseStatement(raw)
	if err != nil {
		return outcome.ErrMalformed
	}
	switch c.Kind {
	case proto.KindLeave:
		return w.leaves(c)
	case proto.KindRevoke:
		return w.revokeStatement(raw)
	case proto.KindRoster:
		return w.rosterStatement(raw)
	}
	return outcome.ErrMalformed
}

// leaves notes that a member leaves: in every root in which it has the same signing key.
func (w *work) leaves(c proto.Statement) error {
	found := false
	for row := range w.st.roots.All() {
		r := row.record.Value()
		m, ok := r.members.Get(segmap.ByIndex(uint32(c.Leave.Index)))
		if !ok || c.Verify(w.st.space, m.signingKey()) != nil {
			continue
		}
		found = true
		if m.left {
			continue
		}
		m.left = true
		r.members = r.members.Put(m)
		w.setRoot(r)
		if w.isOwner() {
			w.emit(LeavePending{m.Index})
		}
	}
	if !found {
		return outcome.ErrForged
	}
	return nil
}

// proto.RevokeStatement applies a revoke statement. What was refused before stays refused.
func (w *work) revokeStatement(raw []byte) error {
	c, err := proto.ParseStatement(raw)
	if err != nil || c.Kind != proto.KindRevoke {
		return outcome.ErrMalformed
	}
	r, ok := w.st.root(c.Revoke.Root)
	if !ok {
		return outcome.ErrStale
	}
	if err := c.VerifyOwner(w.st.space, w.self().owners); err != nil {
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
	w.setRoot(r)
	if id, _ := w.ev.Root(); id == r.id {
		for _, i := range c.Revoke.Indices {
			if next, err := w.ev.Revoke(i); err == nil {
				w.ev = next
			}
		}
	}
	return nil
}

// proto.RosterStatement applies a roster statement: the members it names need their introductions no more. It says nothing of
// others. If it names somebody who was not introduced here yet, or in another way, it waits.
func (w *work) rosterStatement(raw []byte) error {
	c, err := proto.ParseStatement(raw)
	if err != nil || c.Kind != proto.KindRoster {
		return outcome.ErrMalformed
	}
	r, ok := w.st.root(c.Roster.Root)
	if !ok {
		return outcome.ErrStale
	}
	if err := c.VerifyOwner(w.st.space, w.self().owners); err != nil {
		return outcome.ErrForged
	}
	t, ok := w.tp.terms(r.id)
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
			w.setRoot(r)
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
	w.setRoot(r)
	return nil
}

// Leave says to all members that this one leaves, and ends sending. Owners are told and rekey: until then this member can
// still read. An owner leaves after a rekey by another, the last one cannot: both get ErrPhase.
func Leave(s Space, now time.Time) (Space, []byte, error) {
	w, err := begin(s, now)
	if err != nil {
		return s, nil, err
	}
	_, r, _, err := w.sending()
	if err != nil {
		return s, nil, err
	}
	if w.isOwner() {
		return s, nil, outcome.ErrPhase
	}
	d := w.self()
	c := proto.SignLeave(w.st.space, proto.LeaveStatement{Index: d.index, Rekey: r.rekey, Time: w.now}, d.signing)
	e, err := w.send(outgoing{plaintext: c.Encode(), control: true, signed: true})
	if err != nil {
		return s, nil, err
	}
	w.st.phase = Left
	return w.space(), e.Bytes(), nil
}

// signRoster makes the members as this dealer knows them the roster that tickets build on, so that they need not hold all
// introductions. It returns ErrPhase for a member that is not the dealer, and ErrTooLong in a space with indices over 2^18.
func signRoster(s Space, now time.Time) (Space, []byte, error) {
	return dealerStatement(s, now, func(w *work, r root, owner suite.SigningKey) (proto.Statement, error) {
		all := proto.Roster{}
		for m := range r.members.All() {
			all.Entries = append(all.Entries, m.RosterEntry)
		}
		st := proto.RosterStatement{Root: r.id, Members: all.Bitmap(), Digest: all.Digest()}
		if len(st.Members) > proto.MaxSignedMembers {
			return proto.Statement{}, outcome.ErrTooLong
		}
		return proto.SignRoster(w.st.space, st, owner), nil
	})
}

// dealerStatement makes a statement of the dealer, applies it here, and seals it to all.
func dealerStatement(s Space, now time.Time, state func(*work, root, suite.SigningKey) (proto.Statement, error)) (Space, []byte, error) {
	w, err := begin(s, now)
	if err != nil {
		return s, nil, err
	}
	_, r, _, err := w.sending()
	if err != nil {
		return s, nil, err
	}
	if !w.isDealer() {
		return s, nil, outcome.ErrPhase
	}
	c, err := state(w, r, w.st.owner.Value().owner)
	if err != nil {
		return s, nil, err
	}
	raw := c.Encode()
	if err := w.control(w.self().index, raw); err != nil {
		return s, nil, err
	}
	e, err := w.send(outgoing{plaintext: raw, control: true, signed: true})
	if err != nil {
		return s, nil, err
	}
	return w.space(), e.Bytes(), nil
}

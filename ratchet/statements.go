package ratchet

import (
	"slices"
	"time"

	"github.com/trefoil-im/trefoil/dkg"
)

// admissible returns the member that an introduction makes, or why it makes none. Introductions count in the preferred
// root only, and the first one per index.
func (w *work) admissible(r root, t terms, in introduction) (member, error) {
	p, _, _, ok := w.preferred()
	switch {
	case !ok || r.id != p.root || in.rekey != r.rekey:
		return member{}, ErrStale
	case in.index.Check(t.template.depth) != nil:
		return member{}, ErrMalformed
	case w.revoked(r, in.index):
		return member{}, ErrInviteDead
	}
	box, err := in.verify(w.st.space, w.self().owners, t.template.policy)
	if err != nil {
		return member{}, ErrForged
	}
	return member{
		rosterEntry: in.entry(), introduction: in.encode(), app: in.app, inboxKey: box.bytes(),
	}, nil
}

// introduce accepts a member of a root.
func (w *work) introduce(r root, m member) {
	r, _ = w.st.root(r.id)
	r.members = r.members.put(m)
	w.setRoot(r)
	w.learned = true
	w.emit(Introduced{m.index, m.signingKey()})
	if next, err := w.ev.Redeem(m.index); err == nil {
		w.ev = next
	}
	if next, err := w.ev.MoveCursorPast(m.index); err == nil {
		w.ev = next
	}
	if len(r.pending) > 0 {
		w.rosterStatement(r.pending)
	}
}

// revoked reports whether an index was revoked in a root.
func (w *work) revoked(r root, i dkg.Index) bool {
	for _, st := range r.revocations() {
		if _, ok := slices.BinarySearch(st.indices, i); ok {
			return true
		}
	}
	return false
}

// revocations returns the revoke statements of a root.
func (r root) revocations() (out []revokeStatement) {
	for _, raw := range r.revokes {
		if c, err := parseControl(raw); err == nil && c.revoke != nil {
			out = append(out, *c.revoke)
		}
	}
	return out
}

// control applies a control statement that a verified message of a member carried, or returns why not.
func (w *work) control(sender dkg.Index, raw []byte) error {
	c, err := parseControl(raw)
	if err != nil {
		return ErrMalformed
	}
	switch c.kind {
	case controlLeave:
		return w.leaves(c)
	case controlRevoke:
		return w.revokeStatement(raw)
	case controlRoster:
		return w.rosterStatement(raw)
	}
	return ErrMalformed
}

// leaves notes that a member leaves: in every root in which it has the same signing key.
func (w *work) leaves(c control) error {
	found := false
	for row := range w.st.roots.all() {
		r := row.record.Value()
		m, ok := r.members.get(byIndex(uint32(c.leave.index)))
		if !ok || c.verify(w.st.space, m.signingKey()) != nil {
			continue
		}
		found = true
		if m.left {
			continue
		}
		m.left = true
		r.members = r.members.put(m)
		w.setRoot(r)
		if w.isOwner() {
			w.emit(LeavePending{m.index})
		}
	}
	if !found {
		return ErrForged
	}
	return nil
}

// revokeStatement applies a revoke statement. What was refused before stays refused.
func (w *work) revokeStatement(raw []byte) error {
	c, err := parseControl(raw)
	if err != nil || c.kind != controlRevoke {
		return ErrMalformed
	}
	r, ok := w.st.root(c.revoke.root)
	if !ok {
		return ErrStale
	}
	if err := c.verifyOwner(w.st.space, w.self().owners); err != nil {
		return ErrForged
	}
	kept := [][]byte{raw}
	for k, held := range r.revocations() {
		switch {
		case held.covers(*c.revoke):
			return ErrStale
		case !c.revoke.covers(held):
			kept = append(kept, r.revokes[k])
		}
	}
	if len(kept) > maxRevokes {
		return ErrLimit
	}
	r.revokes = kept
	w.setRoot(r)
	if id, _ := w.ev.Root(); id == r.id {
		for _, i := range c.revoke.indices {
			if next, err := w.ev.Revoke(i); err == nil {
				w.ev = next
			}
		}
	}
	return nil
}

// rosterStatement applies a roster statement: the members it names need their introductions no more. It says nothing of
// others. If it names somebody who was not introduced here yet, or in another way, it waits.
func (w *work) rosterStatement(raw []byte) error {
	c, err := parseControl(raw)
	if err != nil || c.kind != controlRoster {
		return ErrMalformed
	}
	r, ok := w.st.root(c.roster.root)
	if !ok {
		return ErrStale
	}
	if err := c.verifyOwner(w.st.space, w.self().owners); err != nil {
		return ErrForged
	}
	t, ok := w.tp.terms(r.id)
	if !ok {
		return ErrStale
	}
	named := r.named(t.notice)
	if named.contains(c.roster.members) || !c.roster.members.contains(named) {
		return ErrStale // nothing new, or by an owner that does not know of all it named before
	}
	if signed, _ := r.roster(c.roster.members); signed.digest() != c.roster.digest {
		if p, err := parseControl(r.pending); err != nil || !p.roster.members.contains(c.roster.members) {
			r.pending = raw
			w.setRoot(r)
		}
		return nil
	}
	for m := range r.members.all() {
		if c.roster.members.has(m.index) && len(m.introduction) > 0 {
			m.introduction = nil
			r.members = r.members.put(m)
		}
	}
	r.signed = raw
	if p, err := parseControl(r.pending); err == nil && c.roster.members.contains(p.roster.members) {
		r.pending = nil
	}
	w.setRoot(r)
	return nil
}

// Leave says to all members that this one leaves, and ends sending. Owners are told and rekey: until then this member can
// still read. An owner leaves after a rekey by another, the last one cannot: both get ErrPhase.
func Leave(s Space, now time.Time) (Space, Envelope, error) {
	w, err := begin(s, now)
	if err != nil {
		return s, Envelope{}, err
	}
	_, r, _, err := w.sending()
	if err != nil {
		return s, Envelope{}, err
	}
	if w.isOwner() {
		return s, Envelope{}, ErrPhase
	}
	d := w.self()
	c := newLeave(w.st.space, leaveStatement{d.index, r.rekey, w.now}, d.signing)
	e, err := w.send(outgoing{plaintext: c.encode(), control: true, signed: true})
	if err != nil {
		return s, Envelope{}, err
	}
	w.st.phase = Left
	return w.space(), e, nil
}

// Revoke takes invites back that nobody used yet: introductions of these indices are refused from now on. Whoever was let
// in already stays. It returns ErrPhase for a member that is not the dealer, and dkg.ErrIndex or dkg.ErrLedger for an
// index that is not open.
func Revoke(s Space, now time.Time, indices ...dkg.Index) (Space, Envelope, error) {
	return dealerStatement(s, now, func(w *work, r root, owner signingKey) (control, error) {
		next, err := w.ev.Revoke(indices...)
		if err != nil {
			return control{}, err
		}
		w.ev = next
		st := revokeStatement{root: r.id, indices: slices.Clone(indices)}
		for _, held := range r.revocations() {
			st.indices = append(st.indices, held.indices...)
		}
		c := newRevoke(w.st.space, st, owner)
		if len(c.revoke.indices) > maxRevoked {
			return control{}, ErrTooLong
		}
		return c, nil
	})
}

// SignRoster makes the members as this dealer knows them the roster that tickets build on, so that they need not hold all
// introductions. It returns ErrPhase for a member that is not the dealer, and ErrTooLong in a space with indices over 2^18.
func SignRoster(s Space, now time.Time) (Space, Envelope, error) {
	return dealerStatement(s, now, func(w *work, r root, owner signingKey) (control, error) {
		all := roster{}
		for m := range r.members.all() {
			all.entries = append(all.entries, m.rosterEntry)
		}
		st := rosterStatement{root: r.id, members: all.bitmap(), digest: all.digest()}
		if len(st.members) > maxSignedMembers {
			return control{}, ErrTooLong
		}
		return newRoster(w.st.space, st, owner), nil
	})
}

// dealerStatement makes a statement of the dealer, applies it here, and seals it to all.
func dealerStatement(s Space, now time.Time, state func(*work, root, signingKey) (control, error)) (Space, Envelope, error) {
	w, err := begin(s, now)
	if err != nil {
		return s, Envelope{}, err
	}
	_, r, _, err := w.sending()
	if err != nil {
		return s, Envelope{}, err
	}
	if !w.isDealer() {
		return s, Envelope{}, ErrPhase
	}
	c, err := state(w, r, w.st.owner.Value().owner)
	if err != nil {
		return s, Envelope{}, err
	}
	raw := c.encode()
	if err := w.control(w.self().index, raw); err != nil {
		return s, Envelope{}, err
	}
	e, err := w.send(outgoing{plaintext: raw, control: true, signed: true})
	if err != nil {
		return s, Envelope{}, err
	}
	return w.space(), e, nil
}

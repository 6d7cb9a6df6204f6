package members

import (
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// Gone reports whether an index is not a member any more: by the notice or that of another root, a revoke, the removal by a member with
// the right, or the leave of its listed binding.
func (r Root) Gone(i dkg.Index) bool {
	if r.notice.Gone.Has(i) || r.united.Has(i) || r.revoked.Has(i) || r.removedByRole(i) {
		return true
	}
	if !r.members.Has(segmap.ByIndex(uint32(i))) {
		return false // only the notice says anything of it
	}
	b, ok := r.ListedBinding(i)
	return ok && b.Left()
}

// Readmits reports whether somebody is not gone whom a statement named that an earlier value of the root held. A removal by a role to which
// others by the same member came to be preferred names nobody any more.
func (r Root) Readmits(earlier Root) bool {
	if !earlier.revoked.Within(r.revoked) || !earlier.united.Within(r.united) {
		return true
	}
	for x := range earlier.statements.removals.Unshared(r.statements.removals) {
		if !r.statements.removals.Has(x.key) && !r.outran(x) {
			return true
		}
	}
	for m := range earlier.members.Unshared(r.members) {
		for _, b := range m.bindings {
			if now, ok := r.Binding(b.Maker); ok && b.Left() && !now.Left() {
				return true
			}
		}
	}
	return false
}

// GoneSet returns gone as a set, as the fingerprint has it.
func (r Root) GoneSet() proto.Bitmap {
	out := r.notice.Gone.Union(r.united).Union(r.revoked)
	var left []dkg.Index
	for m := range r.members.All() {
		if at, ok := m.listed(r.Terms); ok && m.bindings[at].Left() {
			left = append(left, m.index)
		}
	}
	if len(r.removed) > 0 {
		for i := range r.All() {
			if r.removedByRole(i) {
				left = append(left, i)
			}
		}
	}
	return out.Union(proto.NewBitmap(left...))
}

// leave takes in that a member goes. It counts for the binding that it names: a twin cannot make the other leave.
func (r Root) leave(s proto.Leave) (Root, Change, error) {
	m := r.member(s.Index)
	at := slices.IndexFunc(m.bindings, func(b Binding) bool { return b.Body == s.Body })
	if at < 0 {
		return r, Change{}, ErrUnknown
	}
	b := m.bindings[at]
	if err := proto.VerifyStatement(s, r.Space(), b.Key); err != nil {
		return r, Change{}, err
	}
	if b.Left() {
		return r, Change{}, ErrStale // repeated with the same bytes; another one of the same key says nothing new
	}
	was := r.Gone(s.Index)
	next := b.Identity
	next.Leave = s
	r = r.put(m.with(at, b.with(next)))
	return r, r.went(was, s.Index), nil
}

// heardOf takes in who is gone by the notice of another root, that may not be held: of the same or an earlier rekey generation, by an owner of
// this root (§10).
func (r Root) heardOf(n proto.Notice) (Root, Change, error) {
	switch {
	case !r.counts(n):
		return r, Change{}, ErrNoEffect
	case n.Gone.Within(r.notice.Gone.Union(r.united)):
		return r, Change{}, ErrStale
	}
	if err := n.Verify(r.origin); err != nil {
		return r, Change{}, err
	}
	var change Change
	for i := range r.All() {
		if n.Gone.Has(i) && !r.Gone(i) {
			change.Gone = append(change.Gone, i)
		}
	}
	return r.Unite(n.Gone), change, nil
}

// counts reports whether who is gone by the notice of a root is so in this one, too.
func (r Root) counts(n proto.Notice) bool {
	signer, _ := n.Owners.At(n.Signer)
	_, owner := r.Owners().PlaceOf(signer)
	return owner && n.Common.Rekey <= r.Rekey() && n.Root() != r.ID()
}

// Misses returns a member that is gone by the notice of another root alone: owners that held that one would make a rekey without it.
func (r Root) Misses(n proto.Notice) (Binding, bool) {
	if n.Gone.Within(r.notice.Gone) || !r.counts(n) {
		return Binding{}, false
	}
	known := r
	known.united = nil
	for i := range r.All() {
		if !n.Gone.Has(i) || known.Gone(i) {
			continue
		}
		if b, ok := r.ListedBinding(i); ok {
			return b, true
		}
	}
	return Binding{}, false
}

// Said returns when the notice was said last as a statement, by the pruning clock; 0 if it was not.
func (r Root) Said() Millis { return r.said }

// NoticeSaid takes in that somebody said the notice as a statement.
func (r Root) NoticeSaid(at Millis) Root { r.said = at; return r }

func (r Root) went(was bool, i dkg.Index) (c Change) {
	if !was && r.Gone(i) {
		c.Gone = append(c.Gone, i)
	}
	return c
}

// revoke takes indices back, under whatever binding. At the bound a statement goes that another one of the same owner contains
// (D58); the indices stay revoked.
func (r Root) revoke(place uint8, s proto.Revoke) (Root, Change, error) {
	if s.Indices[len(s.Indices)-1].Check(r.Depth()) != nil {
		return r, Change{}, ErrNoEffect
	}
	kept, err := keep(r.statements.revokes, saidBy(place, s))
	if err != nil {
		return r, Change{}, err
	}
	var change Change
	for _, i := range s.Indices {
		if !r.Gone(i) {
			change.Gone = append(change.Gone, i)
		}
	}
	r.statements.revokes = kept
	r.revoked = r.revoked.Union(proto.NewBitmap(s.Indices...))
	var erased []proto.Tag
	r, erased = r.end(func(c proto.Certificate) bool { return c.Count == 1 && r.revoked.Has(c.First) })
	change.Erased = erased
	return r, change, nil
}

// keep returns the revokes that are kept with another one. If there is no room for it, one goes that another one of the same owner contains.
func keep(kept segmap.Map[said], x said) (segmap.Map[said], error) {
	if kept.Has(x.key) {
		return kept, ErrStale
	}
	if kept.Size() >= maxRevokes {
		switch at, ok := contained(kept, x); {
		case !ok:
			return kept, ErrLimit
		case at == x.key:
			return kept, ErrStale
		default:
			kept = kept.Drop(at)
		}
	}
	return kept.Put(x), nil
}

// contained returns a revoke that another one of the same owner contains, of those kept and x.
func contained(kept segmap.Map[said], x said) (segmap.Key, bool) {
	all := append(slices.Collect(kept.All()), x)
	for _, a := range all {
		for _, b := range all {
			if a.key != b.key && a.place == b.place && covers(b.what.(proto.Revoke), a.what.(proto.Revoke)) {
				return a.key, true
			}
		}
	}
	return segmap.Key{}, false
}

// covers reports whether a names all indices that b names.
func covers(a, b proto.Revoke) bool {
	if len(b.Indices) > len(a.Indices) {
		return false
	}
	at := 0
	for _, i := range b.Indices {
		n, ok := slices.BinarySearch(a.Indices[at:], i)
		if !ok {
			return false
		}
		at += n
	}
	return true
}

// close ends an invite of a run. It makes nobody gone. At the bound one goes whose certificate is past its lifetime.
func (r Root) close(place uint8, s proto.Close, now Millis) (Root, Change, error) {
	x := saidBy(place, s)
	kept := r.statements.closes
	if kept.Has(x.key) {
		return r, Change{}, ErrStale
	}
	if kept.Size() >= maxCloses {
		at, ok := r.pastClose(now)
		if !ok {
			return r, Change{}, ErrLimit
		}
		kept = kept.Drop(at)
	}
	r.statements.closes = kept.Put(x)
	r, erased := r.end(func(c proto.Certificate) bool { return c.Name() == s.Invite })
	return r, Change{Erased: erased}, nil
}

func (r Root) pastClose(now Millis) (segmap.Key, bool) {
	for x := range r.statements.closes.All() {
		if rec, ok := r.records.Get(recordKey(x.what.(proto.Close).Invite)); ok && rec.Certificate.ExpiredAt(uint64(now)) {
			return x.key, true
		}
	}
	return segmap.Key{}, false
}

// Closed reports whether an owner took a run back.
func (r Root) Closed(name proto.InviteName) bool {
	_, ok := r.closed(name)
	return ok
}

// closed returns the statement that took an invite back.
func (r Root) closed(name proto.InviteName) (proto.Close, bool) {
	x, ok := r.statements.closes.Get(saidBy(0, proto.Close{Invite: name}).key)
	if !ok {
		return proto.Close{}, false
	}
	return x.what.(proto.Close), true
}

// revokes returns the revoke statements that name an index.
func (r Root) revokes(i dkg.Index) (out []proto.Revoke) {
	if !r.revoked.Has(i) {
		return nil
	}
	for x := range r.statements.revokes.All() {
		s := x.what.(proto.Revoke)
		if _, ok := slices.BinarySearch(s.Indices, i); ok {
			out = append(out, s)
		}
	}
	return out
}

// Fate is what becomes of the content of a message.
type Fate uint8

const (
	// Delivered: its sender is a member.
	Delivered Fate = iota
	// AfterRemoval: its sender is gone, and nobody can tell whether it was sent before.
	AfterRemoval
	// Withheld: it was sent after its sender was gone.
	Withheld
)

// Fate returns what becomes of a message of a maker in an epoch of this root. Below reports whether the first epoch lies below
// the second: a revoke withholds at and below the epoch in which it was said, a leave below it only, since what was sent just
// before it was sent in the same one (D44).
func (r Root) Fate(k Maker, e proto.EpochID, below func(e, other proto.EpochID) bool) Fate {
	if r.notice.Gone.Has(k.Index) {
		return Withheld
	}
	fate := Delivered
	if r.united.Has(k.Index) || r.removedByRole(k.Index) {
		fate = AfterRemoval
	}
	for _, s := range r.revokes(k.Index) {
		if s.Epoch == e || below(e, s.Epoch) {
			return Withheld
		}
		fate = AfterRemoval
	}
	if b, ok := r.Binding(k); ok && b.Left() {
		if below(e, b.Leave.Epoch) {
			return Withheld
		}
		fate = AfterRemoval
	}
	return fate
}

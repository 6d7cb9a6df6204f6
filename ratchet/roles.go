package ratchet

import (
	"maps"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/rekey"
	"github.com/trefoil-im/trefoil/ratchet/rules"
)

// Appoint implements step.Taker.
func (d taker) Appoint(rights rules.Rights, indices []dkg.Index) error {
	_, r, ok := d.preferred()
	if !ok {
		return ErrPhase
	}
	place, owner := d.place(r)
	if !owner {
		return ErrPhase
	}
	if rights > rules.MayInvite|rules.MayRemove|rules.MayTitle || rights != 0 && tooManyRoles(r, indices) {
		return ErrPolicy
	}
	var less rekey.Wish
	for _, i := range indices {
		b, known := r.ListedBinding(i)
		if !known || r.Gone(i) {
			return ErrPolicy
		}
		now := r.Rights(b.Maker)
		if now&^rights != 0 {
			less = less.And(rekey.Wish{Roles: []proto.Grant{{Index: i, Rights: rights}}})
		}
		if rights&^now == 0 {
			continue
		}
		said := proto.Role{Root: r.ID(), By: place, Index: i, Key: b.Key, Rights: rights}
		if err := d.declare(proto.Sign(said, d.st.space, d.st.me().signing)); err != nil {
			return err
		}
	}
	if less.IsZero() {
		return nil
	}
	if !d.mayDeal(less) {
		return ErrPhase
	}
	return d.beginRekey(less)
}

func anyOwner(uint8) bool { return true }

// tooManyRoles reports whether more members would have a role with these than may, of whom some may have one already.
func tooManyRoles(r members.Root, indices []dkg.Index) bool {
	had := rightsOf(r)
	all := maps.Clone(had)
	for _, i := range indices {
		all[i] = 0
	}
	return len(all) > max(proto.MaxRoles, len(had))
}

// SetPolicy implements step.Taker.
func (d taker) SetPolicy(p rules.Policy) error {
	_, r, ok := d.preferred()
	if !ok || !d.mayDeal(rekey.Wish{}) {
		return ErrPhase
	}
	next, err := encodePolicy(p)
	root := string(d.st.me().origin.RootOwner.Scheme())
	if err != nil || next.Suite != r.Suite() || p.RootScheme != "" && p.RootScheme != root {
		return ErrPolicy
	}
	return d.beginRekey(rekey.Wish{Policy: next})
}

// removeByRole says that a member with the right removes others.
func (d *edit) removeByRole(r members.Root, indices []dkg.Index) error {
	e, _, _ := d.preferred()
	me := d.st.me()
	role, ok := r.Role(me.maker(), proto.MayRemove)
	if !ok {
		return ErrPhase
	}
	all := slices.Concat(indices, r.RemovedBy(me.maker())) // the later one contains those before
	slices.Sort(all)
	for part := range slices.Chunk(slices.Compact(all), proto.MaxRevoked) {
		said := proto.Said{Root: r.ID(), Role: role}
		if err := d.declare(proto.Sign(proto.Revoke{Said: said, Epoch: e.ID(), Indices: part}, d.st.space, me.signing)); err != nil {
			return err
		}
	}
	return nil
}

// repeatRemovals says again in the preferred root whom this member removed in an older one, if its dealer had not heard of it.
func (d *edit) repeatRemovals(r members.Root) {
	me := d.st.me().maker()
	if _, ok := r.Role(me, proto.MayRemove); !ok {
		return
	}
	var again []dkg.Index
	for row := range d.st.roots.All() {
		old, ok := d.root(row.id)
		if !ok || old.ID() == r.ID() {
			continue
		}
		for _, i := range old.RemovedBy(me) {
			b, known := r.ListedBinding(i)
			if _, owner := r.Owners().PlaceOf(b.Key); known && !owner && old.Gone(i) && !r.Gone(i) { // no role removes an owner
				again = append(again, i)
			}
		}
	}
	if len(again) > 0 {
		try := *d
		if try.removeByRole(r, again) == nil {
			*d = try
		}
	}
}

// saidAgain returns what a dealer says in the root that it makes: the rights of members by owners that stay, as they were or are wished to
// be, and a title that was said by a role.
func (d *edit) saidAgain(r members.Root, w rekey.Wish, n rekey.New) (out [][]byte) {
	me := d.st.me()
	by, ok := n.Template.Owners.PlaceOf(me.signing.Public)
	if !ok {
		return nil
	}
	roles := r.Roles(func(place uint8) bool {
		k, _ := r.Owner(place)
		_, stays := n.Template.Owners.PlaceOf(k)
		return stays
	})
	for _, g := range (rekey.Wish{Roles: roles}).And(rekey.Wish{Roles: w.Roles}).Roles {
		b, known := r.ListedBinding(g.Index)
		if _, stays := n.Roster.Find(g.Index); known && stays && g.Rights != 0 && len(out) < proto.MaxRoles {
			out = append(out, proto.EncodeStatement(proto.Sign(
				proto.Role{Root: n.ID, By: by, Index: g.Index, Key: b.Key, Rights: g.Rights}, d.st.space, me.signing)))
		}
	}
	if t, named := r.Title(); named && !t.Role.IsZero() {
		if t.Counter > uint64(d.now+hour) { // which nobody could go beyond
			t.Counter = uint64(max(d.now, 1))
		}
		t.Said = proto.Said{Root: n.ID, By: by}
		out = append(out, proto.EncodeStatement(proto.Sign(t, d.st.space, me.signing)))
	}
	return out
}

// rightsOf returns the rights of all members of a root.
func rightsOf(r members.Root) map[dkg.Index]rules.Rights {
	out := map[dkg.Index]rules.Rights{}
	for _, g := range r.Roles(anyOwner) {
		out[g.Index] = g.Rights
	}
	return out
}

// reportRoot reports what the root that is preferred now changes beside its members.
func (d *edit) reportRoot(before, now members.Root) {
	if now.Owners().Hash() != before.Owners().Hash() {
		d.emit(Event{Kind: OwnersChanged})
	}
	if now.Policy() != before.Policy() {
		d.emit(Event{Kind: PolicyChanged})
	}
	old, rights := rightsOf(before), rightsOf(now)
	for i := range now.All() {
		if old[i] != rights[i] && !now.Gone(i) {
			d.emit(Event{Kind: RoleChanged, Index: i})
		}
	}
}

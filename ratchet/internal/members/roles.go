package members

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/segmap"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// Bounds of what is kept of roles (§7). Owners give roles to at most proto.MaxRoles members; a member's later removal contains its
// earlier ones, and names at most as many indices as a statement has room for, or several statements as many as the depth has.
const (
	maxRoles    = 256
	maxRemovals = 4 // of one member
)

// Seats returns the owners that are members, by their places: each is the member that is listed under the owner's key and not gone.
func (r Root) Seats() map[uint8]dkg.Index {
	out := make(map[uint8]dkg.Index)
	for i := range r.All() {
		b, ok := r.ListedBinding(i)
		if place, owner := r.Owners().PlaceOf(b.Key); ok && owner && !r.Gone(i) {
			out[place] = i
		}
	}
	return out
}

// IsOwner reports whether the notice lists an index under the key of an owner. Nothing else counts, so that all judge alike.
func (r Root) IsOwner(i dkg.Index) bool {
	k, listed := r.Listed(i)
	_, owner := r.Owners().PlaceOf(k)
	return listed && owner
}

// Rights returns the rights that owners gave a member in this root.
func (r Root) Rights(k Maker) (all proto.Rights) {
	for x := range r.statements.roles.All() {
		if s := x.what.(proto.Role); s.Maker() == k {
			all |= s.Rights
		}
	}
	return all
}

// Role returns a role of a member that has a right, by which it may say something.
func (r Root) Role(k Maker, right proto.Rights) (proto.Role, bool) {
	for x := range r.statements.roles.All() {
		if s := x.what.(proto.Role); s.Maker() == k && s.Rights&right != 0 {
			return s, true
		}
	}
	return proto.Role{}, false
}

// Roles returns which members have rights in this root by an owner that stays, ascending. Who is gone has none.
func (r Root) Roles(stays func(owner uint8) bool) (out []proto.Grant) {
	for x := range r.statements.roles.All() {
		s := x.what.(proto.Role)
		if b, ok := r.ListedBinding(s.Index); !ok || b.Maker != s.Maker() || r.Gone(s.Index) || !stays(x.place) {
			continue
		}
		at, found := slices.BinarySearchFunc(out, s.Index, func(g proto.Grant, i dkg.Index) int { return int(g.Index) - int(i) })
		if !found {
			out = slices.Insert(out, at, proto.Grant{Index: s.Index})
		}
		out[at].Rights |= s.Rights
	}
	return out
}

// give takes in that an owner gives a member rights. They only grow within a root: a rekey takes them back.
func (r Root) give(place uint8, s proto.Role) (Root, Change, error) {
	x := saidBy(place, s)
	switch {
	case s.Root != r.ID() || s.Index.Check(r.Depth()) != nil:
		return r, Change{}, ErrNoEffect
	case r.statements.roles.Has(x.key):
		return r, Change{}, ErrStale
	case r.statements.roles.Size() >= maxRoles:
		return r, Change{}, ErrLimit
	}
	before := r.Rights(s.Maker())
	r.statements.roles = r.statements.roles.Put(x)
	if r.Rights(s.Maker()) == before {
		return r, Change{}, nil
	}
	return r, Change{Appointed: []dkg.Index{s.Index}}, nil
}

// remove takes in that a member with the right removes others. Of what one member says those count that come first: which these are, all
// come to, in whatever order it is heard, and whoever was gone before (D176). An index counts once a binding of it is known, so that nobody
// uses up indices.
func (r Root) remove(place uint8, s proto.Revoke) (Root, Change, error) {
	if s.Indices[len(s.Indices)-1].Check(r.Depth()) != nil {
		return r, Change{}, ErrNoEffect
	}
	x, kept := saidBy(place, s), r.statements.removals
	if kept.Has(x.key) {
		return r, Change{}, ErrStale
	}
	kept = kept.Put(x)
	if own := removalsOf(kept, x.member()); len(own) > maxRemovals {
		last := slices.MaxFunc(own, compareRemovals)
		if last.key == x.key {
			return r, Change{}, ErrStale
		}
		kept = kept.Drop(last.key)
	}
	before := r
	r.statements.removals = kept
	r.removed = indicesOf(kept)
	var change Change
	for _, i := range s.Indices {
		if !before.Gone(i) && r.Gone(i) {
			change.Gone = append(change.Gone, i)
		}
	}
	return r, change, nil
}

// removalsOf returns what one member said that removes others.
func removalsOf(kept segmap.Map[said], by Maker) (out []said) {
	for x := range kept.All() {
		if x.member() == by {
			out = append(out, x)
		}
	}
	return out
}

// compareRemovals orders removals by one member: the one that names more comes first, then the one with the smaller hash.
func compareRemovals(a, b said) int {
	x, y := proto.StatementHash(a.what), proto.StatementHash(b.what)
	return cmp.Or(cmp.Compare(len(b.what.(proto.Revoke).Indices), len(a.what.(proto.Revoke).Indices)), bytes.Compare(x[:], y[:]))
}

// outran reports whether as many removals by one member come before one as are kept.
func (r Root) outran(x said) bool {
	first := 0
	for _, o := range removalsOf(r.statements.removals, x.member()) {
		if compareRemovals(o, x) < 0 {
			first++
		}
	}
	return first == maxRemovals
}

// removedByRole reports whether a member was removed by another one with the right. No owner is.
func (r Root) removedByRole(i dkg.Index) bool {
	if !r.removed.Has(i) || r.IsOwner(i) {
		return false
	}
	_, known := r.ListedBinding(i)
	return known
}

// RemovedBy returns whom a member removed by its role.
func (r Root) RemovedBy(k Maker) (out []dkg.Index) {
	for x := range r.statements.removals.All() {
		if s := x.what.(proto.Revoke); s.Role.Maker() == k {
			out = append(out, s.Indices...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

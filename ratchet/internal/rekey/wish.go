package rekey

import (
	"cmp"
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Wish is what a rekey is to change besides the shares. The zero Wish is nothing.
type Wish struct {
	Remove []dkg.Index       // ascending
	Owners []suite.PublicKey // the new owner list; none: as it is
	Signed proto.OwnerList   // the new owner list, signed by those who hold the root owner key; none: Owners
	Policy proto.Policy      // zero: as it is
	Roles  []proto.Grant     // the rights of some members from then on, ascending; Rights 0 takes them back
}

// IsZero reports whether nothing is wished.
func (w Wish) IsZero() bool {
	return len(w.Remove) == 0 && !w.NamesOwners() && w.Policy == (proto.Policy{}) && len(w.Roles) == 0
}

// NamesOwners reports whether a new owner list is wished.
func (w Wish) NamesOwners() bool { return len(w.Owners) > 0 || !w.Signed.IsZero() }

// And returns both wishes; where they contradict each other the later one.
func (w Wish) And(later Wish) Wish {
	w.Remove = slices.Compact(slices.Sorted(slices.Values(slices.Concat(w.Remove, later.Remove))))
	if later.NamesOwners() {
		w.Owners, w.Signed = later.Owners, later.Signed
	}
	if later.Policy != (proto.Policy{}) {
		w.Policy = later.Policy
	}
	roles := slices.Clone(later.Roles)
	for _, g := range w.Roles {
		if !slices.ContainsFunc(roles, func(o proto.Grant) bool { return o.Index == g.Index }) {
			roles = append(roles, g)
		}
	}
	slices.SortFunc(roles, func(a, b proto.Grant) int { return cmp.Compare(a.Index, b.Index) })
	w.Roles = roles
	return w
}

// Removes reports whether an index is to be removed.
func (w Wish) Removes(i dkg.Index) bool {
	_, ok := slices.BinarySearch(w.Remove, i)
	return ok
}

func (w Wish) encode(e *state.Encoder) {
	e.Uint32(uint32(len(w.Remove)))
	for _, i := range w.Remove {
		e.Uint32(uint32(i))
	}
	e.Uint32(uint32(len(w.Owners)))
	for _, k := range w.Owners {
		e.Bytes(k.Bytes())
	}
	e.Bool(!w.Signed.IsZero())
	if !w.Signed.IsZero() {
		e.Bytes(w.Signed.Encode())
	}
	e.Bool(w.Policy != proto.Policy{})
	if w.Policy != (proto.Policy{}) {
		e.Bytes(w.Policy.Encode())
	}
	e.Uint32(uint32(len(w.Roles)))
	for _, g := range w.Roles {
		e.Uint32(uint32(g.Index))
		e.Uint8(uint8(g.Rights))
	}
}

func decodeWish(d *state.Decoder) (w Wish, err error) {
	for range d.Count(1<<dkg.MaxDepth, 4) {
		w.Remove = append(w.Remove, dkg.Index(d.Uint32()))
	}
	for range d.Count(proto.MaxOwners, 4) {
		k, bad := suite.LoadPublicKey(d.Bytes(suite.MaxPublicKey))
		w.Owners, err = append(w.Owners, k), cmp.Or(err, bad)
	}
	if d.Bool() {
		var bad error
		w.Signed, bad = proto.ParseOwnerList(d.Bytes(proto.MaxRekey))
		err = cmp.Or(err, bad)
	}
	if d.Bool() {
		var bad error
		w.Policy, bad = proto.ParsePolicy(d.Bytes(16))
		err = cmp.Or(err, bad)
	}
	for range d.Count(1<<dkg.MaxDepth, 5) {
		w.Roles = append(w.Roles, proto.Grant{Index: dkg.Index(d.Uint32()), Rights: proto.Rights(d.Uint8())})
	}
	return w, cmp.Or(d.Err(), err)
}

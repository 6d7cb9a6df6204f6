package ratchet

import (
	"slices"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/rekey"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// SetOwners implements step.Taker.
func (d taker) SetOwners(indices []dkg.Index) error {
	_, r, ok := d.preferred()
	if !ok || d.st.rootOwner.Value().key.IsZero() {
		return ErrPhase
	}
	keys, err := d.keysOf(r, indices)
	if err != nil || !slices.Contains(keys, d.st.me().signing.Public) {
		return ErrPolicy
	}
	return d.beginRekey(rekey.Wish{Owners: keys})
}

// HandOver implements step.Taker.
func (d taker) HandOver(to dkg.Index) error {
	_, r, ok := d.preferred()
	root := d.st.rootOwner.Value()
	if !ok || root.key.IsZero() {
		return ErrPhase
	}
	b, known := r.ListedBinding(to)
	if !known || r.Gone(to) || to == d.st.me().index {
		return ErrPolicy
	}
	inbox, known := b.InboxKey()
	if !known {
		return ErrPhase
	}
	box, err := inbox.Seal(suite.HPKERoot, d.st.space, uint32(to), root.key.Seed.Expose())
	if err != nil {
		return ErrPhase
	}
	root.seen = max(uint64(max(d.now, 1)), root.seen+1)
	root.to = to
	d.setRootOwner(root)
	return d.say(statement(proto.Sign(proto.RootKey{Counter: root.seen, Index: to, Box: box}, d.st.space, root.key)))
}

// TakeRootKey implements step.Taker.
func (d taker) TakeRootKey(keep func(key []byte) error) error {
	root := d.st.rootOwner.Value()
	if root.key.IsZero() {
		return ErrPhase
	}
	if keep == nil {
		return ErrPolicy
	}
	if err := keep(slices.Clone(root.key.Seed.Expose())); err != nil {
		return err
	}
	d.signWish()
	root.key, root.to, root.owed = suite.SigningKey{}, 0, false
	d.setRootOwner(root)
	return nil
}

// PutRootKey implements step.Taker.
func (d taker) PutRootKey(key []byte) error {
	if d.st.phase != Member {
		return ErrPhase
	}
	if !d.holdRootKey(secret.New(key)) {
		return ErrPolicy
	}
	return nil
}

// signWish signs the owner list that a rekey under way is to carry, before the root owner key leaves this device: SetOwners is carried out
// all the same.
func (d *edit) signWish() {
	x, root, me := d.st.rekeys.Value(), d.st.rootOwner.Value(), d.st.me()
	w := x.Draft.Wish()
	e, r, ok := d.preferred()
	if !ok || len(w.Owners) == 0 {
		return
	}
	keys := d.ownersAfter(w, d.staying(e, r, w))
	if l, err := proto.NewOwnerList(root.key, me.origin, me.owners.Counter+1, r.Rekey()+1, keys...); err == nil {
		x.Draft = x.Draft.Wishing(rekey.Wish{Signed: l})
		d.setRekeys(x)
	}
}

// holdRootKey keeps the root owner key, if it is that of the space.
func (d *edit) holdRootKey(seed secret.Bytes) bool {
	public := d.st.me().origin.RootOwner
	k, err := suite.ParseSigningKey(public.Scheme(), seed)
	if err != nil || k.Public != public {
		return false
	}
	root := d.st.rootOwner.Value()
	root.key, root.to = k, 0
	d.setRootOwner(root)
	return true
}

// takeRootKey takes in that the root owner key was handed on: to this member, or by it.
func (d *edit) takeRootKey(s proto.RootKey) error {
	root, me := d.st.rootOwner.Value(), d.st.me()
	if err := proto.VerifyStatement(s, d.st.space, me.origin.RootOwner); err != nil {
		return err
	}
	switch own := s.Index == me.index; {
	case len(s.Box) == 0 && root.to == s.Index && root.seen == s.Counter && !root.key.IsZero():
		d.signWish()
		d.setRootOwner(rootOwner{seen: root.seen})
		d.emit(Event{Kind: HandedOver, Index: s.Index})
	case s.Counter <= root.seen:
		return members.ErrStale // a copy of an older one gives nothing back
	case len(s.Box) > 0 && own && d.st.phase == Member:
		for _, k := range d.inboxSecrets() {
			seed, err := k.Open(suite.HPKERoot, d.st.space, uint32(me.index), s.Box)
			if err != nil || !d.holdRootKey(seed) {
				continue
			}
			root := d.st.rootOwner.Value()
			root.seen, root.owed = s.Counter, true
			d.setRootOwner(root)
			d.emit(Event{Kind: HandedOver, Index: me.index})
			return nil
		}
		return members.ErrNoEffect
	default:
		root.seen = s.Counter
		d.setRootOwner(root)
	}
	return nil
}

// confirmRootKey says that this member has the root owner key that was handed to it.
func (d *edit) confirmRootKey() {
	root := d.st.rootOwner.Value()
	if !root.owed {
		return
	}
	if d.sayOwed(proto.Sign(proto.RootKey{Counter: root.seen, Index: d.st.me().index}, d.st.space, root.key)) {
		root.owed = false
		d.setRootOwner(root)
	}
}

// place returns where this member stands in the owner list of a root.
func (d *edit) place(r members.Root) (uint8, bool) {
	return r.Owners().PlaceOf(d.st.me().signing.Public)
}

// sole reports whether the space would be orphaned without this member: others are in it, and it is the only owner, or the root owner key
// is on this device alone as far as it knows.
func (d *edit) sole(r members.Root) bool {
	me := d.st.me().index
	if len(r.Roster()) < 2 || r.Gone(me) || d.st.phase != Member {
		return false
	}
	_, owner := d.place(r)
	seats := r.Seats()
	return owner && len(seats) < 2 || !d.st.rootOwner.Value().key.IsZero()
}

// ownersAfter returns the keys of the owners of the root that a rekey makes: those that were wished or that there are, and with the root
// owner key here only those of members that stay.
func (d *edit) ownersAfter(w rekey.Wish, stay []members.Binding) []suite.PublicKey {
	keys := d.st.me().owners.Keys
	if named := d.named(w); len(named) > 0 {
		keys = named
	}
	if d.counts(w.Signed) || d.st.rootOwner.Value().key.IsZero() {
		return keys
	}
	return slices.DeleteFunc(slices.Clone(keys), func(k suite.PublicKey) bool {
		return !slices.ContainsFunc(stay, func(b members.Binding) bool { return b.Key == k })
	})
}

// ownerList returns the owner list of the root that a rekey makes: one that others signed, the newest, or a new one for this root.
func (d *edit) ownerList(w rekey.Wish, keys []suite.PublicKey, generation uint64) (proto.OwnerList, error) {
	me := d.st.me()
	if d.counts(w.Signed) {
		return w.Signed, nil
	}
	if len(keys) == len(me.owners.Keys) && !slices.ContainsFunc(keys, func(k suite.PublicKey) bool { return !slices.Contains(me.owners.Keys, k) }) {
		return me.owners, nil
	}
	return proto.NewOwnerList(d.st.rootOwner.Value().key, me.origin, me.owners.Counter+1, generation, keys...)
}

// strangersOwn reports whether the list has an owner that is no member any more, which this device can take off.
func (d *edit) strangersOwn(r members.Root) bool {
	return !d.st.rootOwner.Value().key.IsZero() && len(r.Seats()) < len(r.Owners().Keys)
}

// rootOwner is what a member has of the root owner key.
type rootOwner struct {
	key  suite.SigningKey // zero: it is elsewhere
	seen uint64           // the greatest counter of a statement that handed it on
	to   dkg.Index        // to whom it was given by this member, who did not say so yet
	owed bool             // this member is to say that it has it
}

func (d *edit) setRootOwner(r rootOwner) { d.st.rootOwner = state.NewSegment(r) }

// Encode implements state.Piece.
func (r rootOwner) Encode(e *state.Encoder) {
	e.Bool(!r.key.IsZero())
	if !r.key.IsZero() {
		encodeSigningKey(e, r.key)
	}
	e.Uint64(r.seen)
	e.Uint32(uint32(r.to))
	e.Bool(r.owed)
}

// Decode implements state.Piece.
func (rootOwner) Decode(d *state.Decoder) (r rootOwner, err error) {
	if d.Bool() {
		if r.key, err = decodeSigningKey(d); err != nil {
			return rootOwner{}, err
		}
	}
	r.seen, r.to, r.owed = d.Uint64(), dkg.Index(d.Uint32()), d.Bool()
	if d.Err() == nil && r.key.IsZero() && (r.to != 0 || r.owed) {
		return rootOwner{}, wire.ErrMalformed
	}
	return r, d.Err()
}

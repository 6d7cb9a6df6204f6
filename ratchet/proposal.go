package ratchet

import (
	"slices"
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/epochs"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/rekey"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// ProposeOwners returns the bytes that the root owner key is to sign so that these members, and no others, are the owners: for a key that
// several people hold (§10, Shared root owner key), of which packages dkg/ceremony and dkg/frost make the shares and the signature. Any
// member can propose, and those who sign look with ProposedOwners at what they sign. It returns ErrPhase while there is no epoch, and
// ErrPolicy for an index that is no member's, none, and more than 16.
func ProposeOwners(s Space, indices ...dkg.Index) ([]byte, error) {
	d, r, err := lookAt(s)
	if err != nil {
		return nil, err
	}
	keys, err := d.keysOf(r, indices)
	if err != nil {
		return nil, err
	}
	me := d.st.me()
	l, err := proto.UnsignedOwnerList(me.owners.Counter+1, r.Rekey()+1, keys...)
	if err != nil {
		return nil, ErrPolicy
	}
	return l.Message(me.origin), nil
}

// ProposedOwners returns whom the bytes that ProposeOwners made name as owners, in ascending order. It returns ErrPolicy for bytes that are
// no list of owners of this space, came too late, or name somebody who is no member; and ErrPhase while there is no epoch, and for bytes of
// a member that is further on: they may be right once the mailbox was read, and are not to be signed before.
func ProposedOwners(s Space, message []byte) ([]dkg.Index, error) {
	d, r, err := lookAt(s)
	if err != nil {
		return nil, err
	}
	l, err := d.proposal(r, message)
	if err != nil {
		return nil, err
	}
	switch next := d.st.me().owners.Counter + 1; {
	case l.Counter < next:
		return nil, ErrPolicy
	case l.Counter > next: // with the greatest of all counters nobody could be named any more
		return nil, ErrPhase
	}
	var out []dkg.Index
	strangers := slices.Clone(l.Keys)
	for i := range r.All() {
		if b, ok := r.ListedBinding(i); ok && !r.Gone(i) && slices.Contains(l.Keys, b.Key) {
			out = append(out, i)
			strangers = slices.DeleteFunc(strangers, func(k suite.PublicKey) bool { return k == b.Key }) // it may have more than one place
		}
	}
	if len(strangers) > 0 {
		return nil, ErrPolicy
	}
	return out, nil
}

// PutOwners implements step.Taker.
func (d taker) PutOwners(message, signature []byte) error {
	_, r, ok := d.preferred()
	if !ok {
		return ErrPhase
	}
	l, err := d.proposal(r, message)
	if err != nil {
		return err
	}
	l.Signature = slices.Clone(signature)
	if l.Verify(d.st.me().origin) != nil || !l.Newer(d.st.me().owners) || !slices.Contains(l.Keys, d.st.me().signing.Public) {
		return ErrPolicy
	}
	w := rekey.Wish{Signed: l}
	if !d.mayDeal(w) {
		return ErrPhase
	}
	return d.beginRekey(w)
}

// lookAt returns a space and its preferred root, to be looked at.
func lookAt(s Space) (edit, members.Root, error) {
	d, err := newEdit(s, time.Time{}, Options{})
	if err != nil {
		return edit{}, members.Root{}, err
	}
	_, r, ok := d.preferred()
	if !ok {
		return edit{}, members.Root{}, ErrPhase
	}
	return d, r, nil
}

// proposal reads a list that is to be signed, or was.
func (d *edit) proposal(r members.Root, message []byte) (proto.OwnerList, error) {
	me := d.st.me()
	l, err := proto.ParseOwnerMessage(message, me.origin)
	switch {
	case err != nil, l.Counter < me.owners.Counter, l.Since < me.owners.Since:
		return proto.OwnerList{}, ErrPolicy
	case l.Since > r.Rekey()+1:
		return proto.OwnerList{}, ErrPhase
	}
	return l, nil
}

// keysOf returns the signing keys of members that are to be owners.
func (d *edit) keysOf(r members.Root, indices []dkg.Index) (keys []suite.PublicKey, err error) {
	e, _, _ := d.preferred()
	stay := r.Stay(d.st.forest.MakersAbove(e.ID()))
	for _, i := range indices {
		at := slices.IndexFunc(stay, func(b members.Binding) bool { return b.Index == i })
		if at < 0 {
			return nil, ErrPolicy
		}
		keys = append(keys, stay[at].Key)
	}
	slices.SortFunc(keys, suite.PublicKey.Compare)
	if keys = slices.Compact(keys); len(keys) == 0 || len(keys) > proto.MaxOwners {
		return nil, ErrPolicy
	}
	return keys, nil
}

// named returns the owners whom a rekey names: those of a list that is signed, or with the root owner key here those that were wished; none
// if they stay as they are.
func (d *edit) named(w rekey.Wish) []suite.PublicKey {
	switch {
	case d.counts(w.Signed):
		return w.Signed.Keys
	case !d.st.rootOwner.Value().key.IsZero():
		return w.Owners
	}
	return nil
}

// counts reports whether a signed list counts before the one that is known: there is a list, and no other one took its place.
func (d *edit) counts(l proto.OwnerList) bool { return !l.IsZero() && l.Newer(d.st.me().owners) }

// mayFinish reports whether a rekey can be finished. A new owner list from a member that was away would undo what owners did meanwhile, so
// the end of the mailbox was reached within the last hour; and a list that others signed is for the root that is made next, or an older one.
// From an epoch that was only told none is made: whoever told it can lie about the place of rekeys in its tree, so that nobody could follow.
// A commit of one's own, which is due there, leads out of it.
func (d *edit) mayFinish(e epochs.Epoch, w rekey.Wish, r members.Root) bool {
	return e.Derived() && (!w.NamesOwners() || d.fetched() && w.Signed.Since <= r.Rekey()+1)
}

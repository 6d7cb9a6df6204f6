package invites

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// Errors of this package, besides those of package dkg.
var (
	// ErrNoOwner: the key is of no owner of the root.
	ErrNoOwner = errors.New("ratchet: no owner of the root")
	// ErrTerms: an invite that there is not: of another kind, or with a run that is none.
	ErrTerms = errors.New("ratchet: no such invite")
	// ErrMember: who came by the invite is a member. A rekey removes members.
	ErrMember = errors.New("ratchet: somebody came by the invite")
	// ErrEarly: the record of the invite did not come yet.
	ErrEarly = errors.New("ratchet: link before its invite")
	// ErrForged: what is said of an invite does not fit it.
	ErrForged = errors.New("ratchet: false invite")
)

// Millis is a time in milliseconds since 1970.
type Millis = proto.Millis

// Owner is an owner that makes or ends invites.
type Owner struct {
	Key    suite.SigningKey
	Self   dkg.Index // as a member
	Newest uint64    // counter of the newest owner list: a joiner refuses what rests on an older one
}

// place returns where the owner stands in the list of a root, and how many there are.
func (o Owner) place(r members.Root) (uint8, int, error) {
	list := r.Owners()
	place, ok := list.PlaceOf(o.Key.Public)
	if !ok {
		return 0, 0, ErrNoOwner
	}
	return place, len(list.Keys), nil
}

func (o Owner) said(r members.Root) (proto.Said, error) {
	place, _, err := o.place(r)
	return proto.Said{Root: r.ID(), By: place}, err
}

// Made is an invite that was made.
type Made struct {
	Link       proto.Link
	Record     proto.Record
	Statements []proto.InviteMade // to be said to all, the first one with the record that is new
}

// Make makes an invite of indices past what was given in all roots (Last). Evals, record and link must be durable before the link
// leaves. It returns ErrNoOwner, ErrTerms, dkg.ErrReadOnly, also for evals of another root, as an owner has that followed a rekey by a
// ticket, and dkg.ErrExhausted at the end of the indices and at the bound of open invites.
func Make(ev dkg.Evals, r members.Root, given dkg.Index, o Owner, t invite.Terms, now Millis) (dkg.Evals, Made, error) {
	place, owners, err := o.place(r)
	if err != nil {
		return ev, Made{}, err
	}
	expires, ok := lifetime(t, now)
	if !ok {
		return ev, Made{}, ErrTerms
	}
	if ev.Root() != [32]byte(r.ID()) {
		return ev, Made{}, fmt.Errorf("%w: they are of another root", dkg.ErrReadOnly)
	}
	if len(r.Open()) >= proto.MaxTicketRecords {
		return ev, Made{}, fmt.Errorf("%w: as many invites are open as there may be", dkg.ErrExhausted)
	}
	next, err := ev.MoveCursorPast(given)
	if err != nil {
		return ev, Made{}, err
	}
	seed := secret.Random(suite.KeySize)
	keys, err := proto.KeysOfInvite(seed, r.Space(), r.Suite())
	if err != nil {
		return ev, Made{}, err
	}
	next, offer, err := next.Offer(dkg.Offer{Kind: t.Kind(), Count: t.Count(), Name: proto.NameOfInvite(keys.Admission.Public), M: keys.M}, int(place), owners)
	if err != nil {
		return ev, Made{}, err
	}
	v, err := next.Hide(offer, proto.MaskOf(keys.M, r.Space(), r.Commitment()))
	if err != nil {
		return ev, Made{}, err
	}
	c := proto.Certificate{Kind: t.Kind(), Root: r.ID(), Owner: place, First: offer.First, Count: offer.Count, Step: offer.Step,
		Expires: expires, Admission: keys.Admission.Public}.Sign(o.Key, r.Space())
	made := Made{
		Link: proto.Link{Kind: t.Kind(), Suite: r.Suite(), Space: r.Space(), First: offer.First, Count: offer.Count, Step: offer.Step,
			Seed: seed, Expires: expires, Owners: uint32(min(o.Newest, math.MaxUint32))},
		Record: proto.NewRecord(o.Key, r.Space(), c, keys.RequestKey, v),
	}
	made.Statements = boxed(made.Record, keys.M, r, others(r, o.Self))
	if len(made.Statements) == 0 {
		made.Statements = []proto.InviteMade{{Record: made.Record}}
	}
	return next, made, nil
}

// lifetime returns when an invite on these terms expires, in hours since 1970, 0 for never. It is not ok for terms of no invite.
func lifetime(t invite.Terms, now Millis) (expires uint32, ok bool) {
	const hour = int64(time.Hour / time.Millisecond)
	switch t.Kind() {
	case dkg.Private, dkg.Direct:
		ok = t.Count() == 1
	case dkg.Public:
		ok = t.Count() >= invite.Unit && t.Count()%invite.Unit == 0
	}
	if t.Lifetime() == 0 {
		return 0, ok
	}
	end := (now + t.Lifetime().Milliseconds() + hour - 1) / hour
	return uint32(min(max(end, 1), math.MaxUint32)), ok && t.Lifetime() > 0
}

// Last returns the greatest index that somebody has or had, or may come to have, in a root, 0 if there is none.
func Last(r members.Root) (last dkg.Index) {
	for i := range r.All() {
		last = max(last, i)
	}
	for _, x := range slices.Concat(r.Open(), r.Used()) {
		last = max(last, x.Certificate.First+dkg.Index(x.Certificate.Count-1)*dkg.Index(x.Certificate.Step))
	}
	gone := r.GoneSet()
	for i := dkg.Index(len(gone) * 8); i > last; i-- {
		if gone.Has(i) {
			last = i
		}
	}
	return last
}

// others returns the members in seats but oneself.
func others(r members.Root, self dkg.Index) (out []dkg.Index) {
	for _, i := range r.Seats() {
		if i != self {
			out = append(out, i)
		}
	}
	slices.Sort(out)
	return out
}

// boxed returns the statements that bring m of an invite to members in seats, as many as hold the boxes. Who has no inbox key that is
// known and can be boxed to is left out.
func boxed(x proto.Record, m secret.Bytes, r members.Root, to []dkg.Index) (out []proto.InviteMade) {
	var boxes []proto.MaskBox
	for _, i := range to {
		b, ok := r.ListedBinding(i)
		if !ok {
			continue
		}
		if k, ok := b.InboxKey(); ok {
			if box, err := k.Seal(suite.HPKEMask, r.Space(), uint32(i), m.Expose()); err == nil {
				boxes = append(boxes, proto.MaskBox{Index: i, Box: box})
			}
		}
	}
	for part := range slices.Chunk(boxes, proto.MaxMaskBoxes) {
		out = append(out, proto.InviteMade{Record: x, Boxes: part})
	}
	return out
}

// Keep takes in m of an invite that another owner made, after it was checked that the masked share of the record fits it. The record is
// the one that the root holds: of the one in the statement nobody may have looked at the signatures. It returns ErrForged if m does not
// fit, and the evals as they are if nothing is boxed to this member or the invite is not open.
func Keep(ev dkg.Evals, r members.Root, s proto.InviteMade, self dkg.Index, inboxes []suite.KEMSecret) (dkg.Evals, error) {
	at := slices.IndexFunc(s.Boxes, func(b proto.MaskBox) bool { return b.Index == self })
	held, known := r.Invite(s.Record.Certificate.Name())
	if at < 0 || !known || !held.IsOpen() {
		return ev, nil
	}
	var m secret.Bytes
	for _, k := range inboxes {
		if opened, err := k.Open(suite.HPKEMask, r.Space(), uint32(self), s.Boxes[at].Box); err == nil {
			m = opened
			break
		}
	}
	if m.Len() != dkg.OfferSecretSize {
		return ev, fmt.Errorf("%w: its secret does not open", ErrForged)
	}
	c := held.Certificate
	mask := proto.MaskOf(m, r.Space(), r.Commitment())
	if err := fits(mask, held.Masked, c, r.Commitment()); err != nil {
		return ev, err
	}
	for o := range ev.Offers() {
		if o.Name == c.Name() {
			return ev, nil
		}
	}
	return ev.KeepOffer(dkg.Offer{Name: c.Name(), Kind: c.Kind, First: c.First, Count: c.Count, Step: c.Step, M: m})
}

// fits checks that a masked share is that of its indices.
func fits(mask dkg.Mask, v secret.Bytes, c proto.Certificate, public dkg.Commitment) error {
	if c.Kind == dkg.Public {
		if p, err := mask.OpenPolynomial(v); err != nil || !p.Commitment().Equal(public) {
			return fmt.Errorf("%w: masked polynomial", ErrForged)
		}
		return nil
	}
	if _, err := open(mask, v, c.First, public); err != nil {
		return err
	}
	return nil
}

// open returns the share of an index that is masked, if it is the committed one.
func open(mask dkg.Mask, v secret.Bytes, i dkg.Index, public dkg.Commitment) (dkg.Share, error) {
	s, err := mask.OpenShare(v, i)
	if err == nil {
		err = public.Verify(s)
	}
	if err != nil {
		return dkg.Share{}, fmt.Errorf("%w: %w", ErrForged, err)
	}
	return s, nil
}

// OpenShare returns the share that a link and the masked share in a ticket give for an index (§9, checks of a ticket, step 7), or
// ErrForged.
func OpenShare(l proto.Link, v secret.Bytes, i dkg.Index, public dkg.Commitment) (dkg.Share, error) {
	keys, err := l.Keys()
	if err != nil {
		return dkg.Share{}, err
	}
	if !l.Covers(i) || v.IsZero() {
		return dkg.Share{}, fmt.Errorf("%w: index %d", ErrForged, i)
	}
	return open(proto.MaskOf(keys.M, l.Space, public), v, i, public)
}

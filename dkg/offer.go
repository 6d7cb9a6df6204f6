package dkg

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/state"
)

// Offer is an invite while it is open, as owners keep it: the indices that it holds, and the secret from which its Mask is made
// anew under another polynomial.
type Offer struct {
	Name  [16]byte     // unlike that of any other offer
	Kind  Kind         // Private, Public or Direct
	First Index        // the least of them
	Count uint32       // 1; of a Public one the length of its run
	Step  uint8        // 1; of a Public one the distance of its indices, 1 to MaxDealers
	M     secret.Bytes // OfferSecretSize bytes
}

// Last returns the greatest index that the offer holds.
func (o Offer) Last() Index { return o.First + Index(o.Count-1)*Index(o.Step) }

func (o Offer) valid() bool {
	last := uint64(o.First) + (uint64(o.Count)-1)*uint64(o.Step)
	return o.M.Len() == OfferSecretSize && o.First >= 1 && o.Count >= 1 && last <= uint64(MaxIndex) &&
		(o.Kind == Public && o.Step >= 1 && o.Step <= MaxDealers ||
			(o.Kind == Private || o.Kind == Direct) && o.Count == 1 && o.Step == 1)
}

// Offer takes the next index, or for a Public offer the next run of o.Count indices, and keeps the offer until it ends. Of o it
// reads Name, Kind, Count and M. Members that deal from one polynomial have places 0 to dealers - 1, and each takes indices
// ≡ its place modulo dealers, so that no two offer one. It returns evals in which these indices are never taken again, and the
// offer. It returns ErrReadOnly if CanDeal is false, ErrExhausted if capacity or MaxOffers is reached, and ErrOrder for an offer
// that is none, a name that is taken, or a place that is none.
func (e Evals) Offer(o Offer, place, dealers int) (Evals, Offer, error) {
	if dealers < 1 || dealers > MaxDealers || place < 0 || place >= dealers {
		return e, Offer{}, fmt.Errorf("%w: place %d of %d dealers", ErrOrder, place, dealers)
	}
	o.First, o.Step = 1, 1
	if o.Kind == Public {
		o.Step = uint8(dealers)
	}
	if !o.valid() {
		return e, Offer{}, fmt.Errorf("%w: offer of kind %d", ErrOrder, o.Kind)
	}
	if e.mode != dealing {
		return e, Offer{}, ErrReadOnly
	}
	for o.First = e.terms.Next; ; o.First++ {
		if uint64(o.First)+(uint64(o.Count)-1)*uint64(o.Step) > uint64(e.terms.Capacity) {
			return e, Offer{}, ErrExhausted
		}
		if int(o.First)%dealers != place {
			continue
		}
		if _, err := e.polynomial.Share(o.First); err == nil {
			break // or f(i) = 0: skipped for good, as the cursor moves past it
		}
	}
	next, err := e.KeepOffer(o)
	if err != nil {
		return e, Offer{}, err
	}
	return next, o, nil
}

// KeepOffer keeps an offer that another member made, or one that was made under an older root. The cursor is past its indices
// afterwards. It returns ErrReadOnly for NoEvals, ErrExhausted if MaxOffers is reached, ErrIndex if the depth does not have its
// indices, and ErrOrder for an offer that is none or a name that is taken.
func (e Evals) KeepOffer(o Offer) (Evals, error) {
	if !o.valid() {
		return e, fmt.Errorf("%w: offer of kind %d", ErrOrder, o.Kind)
	}
	if e.mode != dealing && e.mode != readOnly {
		return e, ErrReadOnly
	}
	if err := o.Last().Check(e.terms.Depth); err != nil {
		return e, err
	}
	list := e.offers.Value()
	at, ok := list.find(o.Name)
	switch {
	case ok:
		return e, fmt.Errorf("%w: a name of two offers", ErrOrder)
	case len(list) >= MaxOffers:
		return e, fmt.Errorf("%w: %d offers are open", ErrExhausted, len(list))
	}
	next := e
	next.terms.Next = max(e.terms.Next, o.Last()+1)
	next.offers = state.NewSegment(slices.Insert(slices.Clone(list), at, o))
	return next, nil
}

// EndOffer forgets an offer and its secret, since it was used, taken back, closed, or is past its lifetime. It returns ErrIndex if
// there is none of that name. Read-only evals allow it too.
func (e Evals) EndOffer(name [16]byte) (Evals, error) {
	list := e.offers.Value()
	at, ok := list.find(name)
	if !ok {
		return e, fmt.Errorf("%w: no offer of this name", ErrIndex)
	}
	next := e
	if list = slices.Delete(slices.Clone(list), at, at+1); len(list) > 0 {
		next.offers = state.NewSegment(list)
	} else {
		next.offers = state.Segment[offers]{}
	}
	return next, nil
}

// Offers yields the open offers in ascending order of their names.
func (e Evals) Offers() iter.Seq[Offer] { return slices.Values(e.offers.Value()) }

// Hide returns what an invite gives out for an offer, masked: the share of its index, or of a Public one the polynomial. It
// returns ErrReadOnly if CanDeal is false, and errors of Polynomial.Share.
func (e Evals) Hide(o Offer, m Mask) (secret.Bytes, error) {
	if e.mode != dealing {
		return secret.Bytes{}, ErrReadOnly
	}
	if o.Kind == Public {
		return m.HidePolynomial(e.polynomial), nil
	}
	s, err := e.polynomial.Share(o.First)
	if err != nil {
		return secret.Bytes{}, err
	}
	return m.HideShare(s), nil
}

// offers are the open offers in ascending order of their names. They are stored as one piece, of at most 15 KiB.
type offers []Offer

// offersName is the name of that piece.
const offersName = "offers"

func (l offers) find(name [16]byte) (int, bool) {
	return slices.BinarySearchFunc(l, name, func(o Offer, name [16]byte) int { return bytes.Compare(o.Name[:], name[:]) })
}

// offerSize is the length of a stored offer.
const offerSize = 16 + 1 + 4 + 4 + 1 + OfferSecretSize

// Encode implements state.Piece.
func (l offers) Encode(w *state.Encoder) {
	w.Uint32(uint32(len(l)))
	for _, o := range l {
		w.Fixed(o.Name[:])
		w.Uint8(uint8(o.Kind))
		w.Uint32(uint32(o.First))
		w.Uint32(o.Count)
		w.Uint8(o.Step)
		w.Fixed(o.M.Expose())
	}
}

// Decode implements state.Piece.
func (offers) Decode(r *state.Decoder) (offers, error) {
	n := r.Count(MaxOffers, offerSize)
	if n == 0 {
		return nil, errors.New("dkg: no offers where some are listed")
	}
	l := make(offers, n)
	for k := range l {
		o := &l[k]
		r.Into(o.Name[:])
		o.Kind = Kind(r.Uint8())
		o.First = Index(r.Uint32())
		o.Count = r.Uint32()
		o.Step = r.Uint8()
		o.M = secret.Own(r.Fixed(OfferSecretSize))
		if r.Err() != nil || !o.valid() || k > 0 && bytes.Compare(l[k-1].Name[:], o.Name[:]) >= 0 {
			return nil, errors.New("dkg: an offer is invalid or out of order")
		}
	}
	return l, nil
}

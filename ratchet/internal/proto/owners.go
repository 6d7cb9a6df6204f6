package proto

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// OwnerList names the owners of a space, signed with the root owner key (§2). Each key is of either scheme.
type OwnerList struct {
	Counter   uint64
	Since     uint64            // generation of the root that carries it first, or an earlier one; 0 of the genesis
	Keys      []suite.PublicKey // 1 to MaxOwners, shorter ones first, then ascending by their bytes
	Signature []byte
}

// compareOwners orders the keys of a list.
func compareOwners(a, b suite.PublicKey) int {
	x, y := a.Bytes(), b.Bytes()
	return cmp.Or(cmp.Compare(len(x), len(y)), bytes.Compare(x, y))
}

// NewOwnerList signs a list for the roots of a generation and later ones. The keys may come in any order. It returns suite.ErrInvalid for
// none, too many, or one twice.
func NewOwnerList(root suite.SigningKey, o Origin, counter, since uint64, keys ...suite.PublicKey) (OwnerList, error) {
	l, err := UnsignedOwnerList(counter, since, keys...)
	if err != nil {
		return OwnerList{}, err
	}
	space := o.Space()
	l.Signature = root.Sign(suite.SignOwner, space[:], l.body())
	return l, nil
}

// UnsignedOwnerList is NewOwnerList without the signature.
func UnsignedOwnerList(counter, since uint64, keys ...suite.PublicKey) (OwnerList, error) {
	l := OwnerList{Counter: counter, Since: since, Keys: slices.SortedFunc(slices.Values(keys), compareOwners)}
	if !l.ordered() {
		return OwnerList{}, invalid("owners")
	}
	return l, nil
}

// Message returns what the root owner key of the origin signs.
func (l OwnerList) Message(o Origin) []byte {
	space := o.Space()
	return o.RootOwner.Message(suite.SignOwner, space[:], l.body())
}

// ParseOwnerMessage reads what Message returns: a list without its signature.
func ParseOwnerMessage(b []byte, o Origin) (OwnerList, error) {
	space := o.Space()
	body, ok := bytes.CutPrefix(b, o.RootOwner.Message(suite.SignOwner, space[:]))
	if !ok {
		return OwnerList{}, fmt.Errorf("%w: message of an owner list", wire.ErrMalformed)
	}
	return parseAll(body, maxOwnerList, readOwnerListBody)
}

// IsZero reports whether there is no list.
func (l OwnerList) IsZero() bool { return len(l.Keys) == 0 }

// ordered reports whether the keys are as many as allowed, in order, and none twice.
func (l OwnerList) ordered() bool {
	for i := 1; i < len(l.Keys); i++ {
		if compareOwners(l.Keys[i-1], l.Keys[i]) >= 0 {
			return false
		}
	}
	return len(l.Keys) >= 1 && len(l.Keys) <= MaxOwners
}

// Verify checks that the root owner key of the origin signed the list, or returns suite.ErrInvalid.
func (l OwnerList) Verify(o Origin) error {
	space := o.Space()
	return o.RootOwner.Verify(l.Signature, suite.SignOwner, space[:], l.body())
}

// Newer reports whether a list counts before another one: the greater counter, and of two with one counter the smaller hash (§2).
func (l OwnerList) Newer(o OwnerList) bool {
	return l.Counter > o.Counter || l.Counter == o.Counter && l.Rank().Newer(o.Rank())
}

// Rank returns what decides between the list and others.
func (l OwnerList) Rank() ListRank { return ListRank{l.Counter, l.Hash()} }

// ListRank is what decides between two owner lists. The zero ListRank is that of no list.
type ListRank struct {
	Counter uint64
	Hash    Digest
}

// Newer reports whether a list counts before another one.
func (r ListRank) Newer(o ListRank) bool {
	if r.Counter != o.Counter {
		return r.Counter > o.Counter
	}
	return bytes.Compare(r.Hash[:], o.Hash[:]) < 0
}

// Hash returns H(list).
func (l OwnerList) Hash() Digest { return suite.Hash(l.Encode()) }

// At returns the key at a place.
func (l OwnerList) At(place uint8) (suite.PublicKey, bool) {
	if int(place) >= len(l.Keys) {
		return suite.PublicKey{}, false
	}
	return l.Keys[place], true
}

// PlaceOf returns the place of an owner.
func (l OwnerList) PlaceOf(k suite.PublicKey) (uint8, bool) {
	at := slices.Index(l.Keys, k)
	return uint8(max(at, 0)), at >= 0
}

func (l OwnerList) body() []byte { return encode(maxOwnerList, l.writeBody) }

func (l OwnerList) writeBody(w *wire.Writer) {
	w.U64(l.Counter)
	w.U64(l.Since)
	w.U8(uint8(len(l.Keys)))
	for _, k := range l.Keys {
		suite.WritePublicKey(w, k)
	}
}

// Encode returns u64 counter ‖ u64 generation ‖ u8 number ‖ vec16 owner key… ‖ vec16 signature.
func (l OwnerList) Encode() []byte {
	return encode(maxOwnerList, func(w *wire.Writer) {
		l.writeBody(w)
		w.Vec16(l.Signature)
	})
}

func readOwnerList(r *wire.Reader) OwnerList {
	l := readOwnerListBody(r)
	l.Signature = readSignature(r)
	return l
}

func readOwnerListBody(r *wire.Reader) (l OwnerList) {
	l.Counter = r.U64()
	l.Since = readGeneration(r)
	n := int(r.U8())
	if n > MaxOwners {
		r.Fail("number of owners")
	}
	for i := 0; i < n && r.Err() == nil; i++ {
		l.Keys = append(l.Keys, suite.ReadPublicKey(r))
	}
	if r.Err() == nil && !l.ordered() {
		r.Fail("owners")
	}
	return l
}

// ParseOwnerList reads an owner list without verifying it.
func ParseOwnerList(b []byte) (OwnerList, error) { return parseAll(b, maxOwnerList, readOwnerList) }

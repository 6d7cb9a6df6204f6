package proto

import (
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// OwnerList names the owners of a space, signed with the root owner key. Of several lists the one with the highest
// counter counts.
type OwnerList struct {
	Counter   uint64
	keys      []suite.PublicKey // 1 to maxOwners, ascending by their bytes
	signature []byte
}

// NewOwnerList signs a list. The keys may come in any order.
func NewOwnerList(root suite.SigningKey, space state.ID, counter uint64, keys ...suite.PublicKey) (OwnerList, error) {
	l := OwnerList{Counter: counter, keys: slices.Clone(keys)}
	slices.SortFunc(l.keys, suite.PublicKey.Compare)
	if err := l.check(); err != nil {
		return OwnerList{}, err
	}
	l.signature = root.Sign(suite.SignOwner, space[:], l.body())
	return l, nil
}

// check refuses lists that are empty, too long, out of order or of mixed schemes.
func (l OwnerList) check() error {
	if len(l.keys) == 0 || len(l.keys) > maxOwners {
		return fmt.Errorf("%w: number of owners", wire.ErrMalformed)
	}
	for i, k := range l.keys {
		if i > 0 && (l.keys[i-1].Compare(k) >= 0 || l.keys[0].Scheme() != k.Scheme()) {
			return fmt.Errorf("%w: order of owners", wire.ErrMalformed)
		}
	}
	return nil
}

// verify checks the signature with the root owner key.
func (l OwnerList) verify(o Origin) error {
	if len(l.keys) == 0 || l.keys[0].Scheme() != o.owner.Scheme() {
		return fmt.Errorf("%w: scheme of owners", suite.ErrInvalid)
	}
	space := o.Space()
	return o.owner.Verify(l.signature, suite.SignOwner, space[:], l.body())
}

// Contains reports whether k is an owner's key.
func (l OwnerList) Contains(k suite.PublicKey) bool { return slices.Contains(l.keys, k) }

// verifyAny checks a signature that any of the owners may have made.
func (l OwnerList) verifyAny(sig []byte, label string, parts ...[]byte) error {
	for _, k := range l.keys {
		if k.Verify(sig, label, parts...) == nil {
			return nil
		}
	}
	return fmt.Errorf("%w: no owner's signature", suite.ErrInvalid)
}

// body returns u64 counter ‖ u8 number ‖ each key behind its length in two bytes.
func (l OwnerList) body() []byte {
	w := wire.NewWriter(8 + 1 + len(l.keys)*(2+suite.MaxPublicKey) + 2 + suite.MaxSignature)
	w.U64(l.Counter)
	w.U8(uint8(len(l.keys)))
	for _, k := range l.keys {
		suite.WritePublicKey(w, k)
	}
	return w.Bytes()
}

// Encode returns body ‖ vec16 signature.
func (l OwnerList) Encode() []byte {
	w := wire.NewWriter(2 + suite.MaxSignature)
	w.Vec16(l.signature)
	return append(l.body(), w.Bytes()...)
}

// MaxOwnerList bounds its encoding.
const MaxOwnerList = 8 + 1 + maxOwners*(2+suite.MaxPublicKey) + 2 + suite.MaxSignature

// ParseOwnerList reads an owner list without verifying it.
func ParseOwnerList(b []byte) (l OwnerList, err error) {
	r := wire.NewReader(b)
	l.Counter = r.U64()
	n := r.U8()
	for i := 0; i < int(n) && r.Err() == nil; i++ {
		l.keys = append(l.keys, suite.ReadPublicKey(r))
	}
	l.signature = r.Vec16(suite.MaxSignature)
	if err = r.Done(); err == nil {
		err = l.check()
	}
	if err != nil {
		return OwnerList{}, err
	}
	return l, nil
}

// readOwnerList reads one behind its length in two bytes.
func readOwnerList(r *wire.Reader) OwnerList {
	return readNested(r, r.Vec16(MaxOwnerList), ParseOwnerList)
}

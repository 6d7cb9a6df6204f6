package session

import (
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/internal/wire"
)

// Shelf is what a directory keeps of one device that runs trefoil: its bundle and the one-time pre-keys that nobody has
// claimed. It is an immutable value without secrets. Whoever runs a directory saves what Claim returns before the key is
// handed out.
type Shelf struct {
	_       [0]func()
	bundle  Bundle
	oneTime []OneTimePreKey // in ascending order of ID
	highest uint32          // ID ever put on it
}

// NewShelf returns a shelf with a bundle and no one-time pre-keys.
func NewShelf(b Bundle) Shelf { return Shelf{bundle: b} }

// Bundle returns the bundle. It uses nothing up, however often it is asked for.
func (s Shelf) Bundle() Bundle { return s.bundle }

// Len returns how many one-time pre-keys can be claimed.
func (s Shelf) Len() int { return len(s.oneTime) }

// Stock returns the shelf with more one-time pre-keys. They must be the device's own, in ascending order of ID, and above
// all that were ever on the shelf, or else ErrUnverified or ErrReplayed is returned. No more than 1,000 can lie on it.
func (s Shelf) Stock(keys ...OneTimePreKey) (Shelf, error) {
	highest := s.highest
	for _, k := range keys {
		if k.mlkem == nil || !k.identity.Equal(s.bundle.identity) {
			return s, fmt.Errorf("%w: a one-time pre-key of another device", ErrUnverified)
		}
		if err := s.bundle.mailbox.Verify(labelled(labelOneTime, k.body()), k.signature[:]); err != nil {
			return s, err
		}
		if k.id <= highest {
			return s, fmt.Errorf("%w: the ID of a one-time pre-key", ErrReplayed)
		}
		highest = k.id
	}
	if len(s.oneTime)+len(keys) > maxOneTime {
		return s, fmt.Errorf("%w: the shelf is full", ErrNotReady)
	}
	next := s
	next.oneTime = append(slices.Clip(s.oneTime), keys...)
	next.highest = highest
	return next, nil
}

// Claim takes the oldest one-time pre-key off the shelf, or returns ErrNotReady if there is none; then the bundle serves
// alone.
func (s Shelf) Claim() (Shelf, OneTimePreKey, error) {
	if len(s.oneTime) == 0 {
		return s, OneTimePreKey{}, fmt.Errorf("%w: no one-time pre-key is left", ErrNotReady)
	}
	next := s
	next.oneTime = s.oneTime[1:]
	return next, s.oneTime[0], nil
}

// shelfVersion is the version of a stored Shelf.
const shelfVersion = 1

// MarshalBinary returns the shelf's encoding. It fails for a shelf without a bundle only.
func (s Shelf) MarshalBinary() ([]byte, error) {
	bundle, err := s.bundle.MarshalBinary()
	if err != nil {
		return nil, err
	}
	w := wire.NewWriter(16 + bundleSize + len(s.oneTime)*oneTimeSize)
	w.U16(shelfVersion)
	w.Fixed(bundle)
	w.U32(s.highest)
	w.U32(uint32(len(s.oneTime)))
	for _, k := range s.oneTime {
		w.Fixed(k.body())
		w.Fixed(k.signature[:])
	}
	return w.Bytes(), nil
}

// ParseShelf reads a shelf. Its signatures were checked when the keys were put on it.
func ParseShelf(in []byte) (s Shelf, err error) {
	r := wire.NewReader(in)
	r.Version16(shelfVersion, shelfVersion)
	bundle := r.Fixed(bundleSize)
	s.highest = r.U32()
	keys := make([][]byte, r.Count(maxOneTime, oneTimeSize))
	for i := range keys {
		keys[i] = r.Fixed(oneTimeSize)
	}
	if err := r.Done(); err != nil {
		return Shelf{}, malformed(err)
	}
	if s.bundle, err = ParseBundle(bundle); err != nil {
		return Shelf{}, err
	}
	last := uint32(0)
	for _, b := range keys {
		k, err := ParseOneTimePreKey(b)
		if err != nil {
			return Shelf{}, err
		}
		if k.id <= last || k.id > s.highest || !k.identity.Equal(s.bundle.identity) {
			return Shelf{}, fmt.Errorf("%w: one-time pre-keys of a shelf", ErrMalformed)
		}
		last = k.id
		s.oneTime = append(s.oneTime, k)
	}
	return s, nil
}

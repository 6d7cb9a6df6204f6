package directory

import (
	"errors"
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

// Errors of PreKeys.
var (
	// ErrReused: the number of a bundle or of a one-time pre-key is not above all before it.
	ErrReused = errors.New("directory: number of a pre-key was there before")
	// ErrFull: there is no room for more one-time pre-keys.
	ErrFull = errors.New("directory: too many one-time pre-keys")
	// ErrNoneLeft: every one-time pre-key was claimed.
	ErrNoneLeft = errors.New("directory: no one-time pre-key is left")
)

// MaxOneTime is how many one-time pre-keys are held of one device, claimable here and private in the device: 1.4 MB of
// public keys.
const MaxOneTime = 1000

// PreKeys is what a directory holds of one device that knows the hybrid suite: its bundle and the one-time pre-keys that
// nobody has claimed. It is an immutable value without secrets. A directory saves what Claim returns before it hands out the
// key, so that no key is handed out twice.
type PreKeys struct {
	_       [0]func()
	bundle  Bundle
	oneTime []OneTimePreKey // in ascending order of ID
	highest uint32          // ID ever added
}

// NewPreKeys returns the pre-keys of a device: its bundle, and no one-time pre-keys.
func NewPreKeys(b Bundle) PreKeys { return PreKeys{bundle: b} }

// Bundle returns the bundle. It consumes nothing.
func (s PreKeys) Bundle() Bundle { return s.bundle }

// Replace returns the value with a newer bundle of the same device. The one-time pre-keys that were published beside the one
// before are dropped, since the device erases them with its keys. It returns ErrUnverified for a bundle of another device
// and ErrReused for one that is not newer.
func (s PreKeys) Replace(b Bundle) (PreKeys, error) {
	if b.keys.MLKEM == nil || !b.identity.Equal(s.bundle.identity) || b.mailbox != s.bundle.mailbox {
		return s, fmt.Errorf("%w: a bundle of another device", key.ErrUnverified)
	}
	if err := b.verify(); err != nil {
		return s, err
	}
	if b.keys.Number <= s.bundle.keys.Number {
		return s, fmt.Errorf("%w: the number of a bundle", ErrReused)
	}
	s.bundle, s.oneTime = b, nil
	return s, nil
}

// Len returns how many one-time pre-keys can be claimed.
func (s PreKeys) Len() int { return len(s.oneTime) }

// Add returns the value with more one-time pre-keys. It returns ErrUnverified if one is not the device's own, ErrReused if
// the IDs do not ascend from above all that were ever added, and ErrFull if there would be more than MaxOneTime.
func (s PreKeys) Add(keys ...OneTimePreKey) (PreKeys, error) {
	highest := s.highest
	for _, k := range keys {
		if k.mlkem == nil || !k.identity.Equal(s.bundle.identity) {
			return s, fmt.Errorf("%w: a one-time pre-key of another device", key.ErrUnverified)
		}
		if err := s.bundle.mailbox.Verify(labelled(labelOneTime, k.body()), k.signature[:]); err != nil {
			return s, err
		}
		if k.id <= highest {
			return s, fmt.Errorf("%w: the ID of a one-time pre-key", ErrReused)
		}
		highest = k.id
	}
	if len(s.oneTime)+len(keys) > MaxOneTime {
		return s, fmt.Errorf("%w: %d one-time pre-keys", ErrFull, MaxOneTime)
	}
	next := s
	next.oneTime = append(slices.Clip(s.oneTime), keys...)
	next.highest = highest
	return next, nil
}

// Claim returns the value without its oldest one-time pre-key, and that key. It returns ErrNoneLeft if there is none; then the
// bundle serves alone.
func (s PreKeys) Claim() (PreKeys, OneTimePreKey, error) {
	if len(s.oneTime) == 0 {
		return s, OneTimePreKey{}, ErrNoneLeft
	}
	next := s
	next.oneTime = s.oneTime[1:]
	return next, s.oneTime[0], nil
}

// preKeysVersion is the version of the stored form.
const preKeysVersion = 1

// MarshalBinary returns the stored form. It fails for the zero PreKeys only.
func (s PreKeys) MarshalBinary() ([]byte, error) {
	bundle, err := s.bundle.MarshalBinary()
	if err != nil {
		return nil, err
	}
	w := wire.NewWriter(16 + bundleSize + len(s.oneTime)*oneTimeSize)
	w.U16(preKeysVersion)
	w.Fixed(bundle)
	w.U32(s.highest)
	w.U32(uint32(len(s.oneTime)))
	for _, k := range s.oneTime {
		w.Fixed(k.body())
		w.Fixed(k.signature[:])
	}
	return w.Bytes(), nil
}

// ParsePreKeys reads the stored form. Signatures were checked when the keys were added.
func ParsePreKeys(in []byte) (s PreKeys, err error) {
	r := wire.NewReader(in)
	r.Version16(preKeysVersion, preKeysVersion)
	bundle := r.Fixed(bundleSize)
	s.highest = r.U32()
	keys := make([][]byte, r.Count(MaxOneTime, oneTimeSize))
	for i := range keys {
		keys[i] = r.Fixed(oneTimeSize)
	}
	if err := r.Done(); err != nil {
		return PreKeys{}, key.Malformed(err)
	}
	if s.bundle, err = ParseBundle(bundle); err != nil {
		return PreKeys{}, err
	}
	last := uint32(0)
	for _, b := range keys {
		k, err := ParseOneTimePreKey(b)
		if err != nil {
			return PreKeys{}, err
		}
		if k.id <= last || k.id > s.highest || !k.identity.Equal(s.bundle.identity) {
			return PreKeys{}, fmt.Errorf("%w: stored one-time pre-keys", key.ErrMalformed)
		}
		last = k.id
		s.oneTime = append(s.oneTime, k)
	}
	return s, nil
}

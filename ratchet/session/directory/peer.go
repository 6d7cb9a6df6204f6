package directory

import (
	"fmt"

	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

// Peer is one device of somebody else, or another one of one's own, whose keys a signed registration vouches for. The zero
// Peer is nobody.
type Peer struct {
	_       [0]func()
	person  key.Address
	entry   Entry
	bundle  *Bundle        // nil for a device of which only the classic suite is known
	oneTime *OneTimePreKey // nil if none was claimed
}

// Person names the person that the device speaks for.
func (p Peer) Person() key.Address { return p.person }

// Name names the device for as long as it exists: see Entry.Name.
func (p Peer) Name() key.PublicKey[key.Identity] { return p.entry.Name() }

// Identity is the key with which the device agrees: that of its bundle, and of the initiations that it makes.
func (p Peer) Identity() key.PublicKey[key.Identity] { return p.entry.identity }

// Mailbox is the address at which the device takes initiations.
func (p Peer) Mailbox() key.Address { return p.entry.mailbox }

// IsHybrid reports whether the device has signed that it agrees in the hybrid suite, which is post-quantum.
func (p Peer) IsHybrid() bool { return p.bundle != nil }

// Entry is what the registration says about the device.
func (p Peer) Entry() Entry { return p.entry }

// Bundle returns the device's bundle; ok is false in the classic suite.
func (p Peer) Bundle() (b Bundle, ok bool) {
	if p.bundle == nil {
		return Bundle{}, false
	}
	return *p.bundle, true
}

// OneTime returns the one-time pre-key that was claimed; ok is false if none was.
func (p Peer) OneTime() (o OneTimePreKey, ok bool) {
	if p.oneTime == nil {
		return OneTimePreKey{}, false
	}
	return *p.oneTime, true
}

// PreKey is the signed pre-key that initiators agree with: that of the bundle, or in the classic suite the one in the
// registration.
func (p Peer) PreKey() key.PublicKey[key.PreKey] {
	if p.bundle == nil {
		return p.entry.preKey
	}
	return p.bundle.keys.PreKey
}

// KEM returns the device's KEM pre-key, or ErrArgument for a device of which no bundle is known.
func (p Peer) KEM() (key.KEMPublicKey, error) {
	if p.bundle == nil {
		return key.KEMPublicKey{}, fmt.Errorf("%w: the peer has no KEM pre-key", key.ErrArgument)
	}
	return p.bundle.keys.KEM, nil
}

// WithOneTime returns the peer with a one-time pre-key that was claimed for it, or ErrUnverified if it is not the peer's own. It
// serves one initiation only: the peer refuses a second one.
func (p Peer) WithOneTime(o OneTimePreKey) (Peer, error) {
	if p.bundle == nil || o.mlkem == nil || !o.identity.Equal(p.entry.identity) {
		return Peer{}, fmt.Errorf("%w: a one-time pre-key of another device", key.ErrUnverified)
	}
	if err := p.bundle.mailbox.Verify(labelled(labelOneTime, o.body()), o.signature[:]); err != nil {
		return Peer{}, err
	}
	p.oneTime = &o
	return p, nil
}

// WithoutOneTime returns the peer without the one-time pre-key that was claimed for it, if any.
func (p Peer) WithoutOneTime() Peer {
	p.oneTime = nil
	return p
}

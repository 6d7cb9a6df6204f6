package directory

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

// MaxDevices is the largest number of devices in one registration.
const MaxDevices = 64

// Entry is what a registration says about one device: its public keys and the address of its mailbox.
type Entry struct {
	name     key.PublicKey[key.Identity] // none if the keys were never renewed
	renewals uint32
	identity key.PublicKey[key.Identity]
	preKey   key.PublicKey[key.PreKey]
	mailbox  key.Address
	inbox    key.PublicKey[key.Inbox]
}

// NewEntry returns the entry of a device. Device.Entry of package session calls it; most programs do not.
func NewEntry(identity key.PublicKey[key.Identity], preKey key.PublicKey[key.PreKey], mailbox key.Address,
	inbox key.PublicKey[key.Inbox]) Entry {
	return Entry{identity: identity, preKey: preKey, mailbox: mailbox, inbox: inbox}
}

// labelConsent is the label of what Consent returns. It is part of the formats.
const labelConsent = "trefoil/relay device"

// Consent returns the statement by which the mailbox key of a device says that the device is one of that person (see Device.Sign of
// package session): a label, the address, and the entry's name, renewals, identity and mailbox. A directory asks for it, so that nobody
// registers the keys of somebody else.
func (e Entry) Consent(person key.Address) []byte {
	out := append([]byte(labelConsent), 0)
	out = append(append(out, person[:]...), e.Name().Bytes()...)
	out = binary.BigEndian.AppendUint32(out, e.Renewals())
	out = append(out, e.Identity().Bytes()...)
	return append(out, e.mailbox[:]...)
}

// Renewed returns the entry of a device whose keys were all replaced, once or more often, and which was first registered with
// the identity key name.
func (e Entry) Renewed(name key.PublicKey[key.Identity], renewals uint32) Entry {
	e.name, e.renewals = name, renewals
	return e
}

// Name is the identity key with which the device was registered first. It names the device for as long as it exists.
func (e Entry) Name() key.PublicKey[key.Identity] {
	if e.renewals == 0 {
		return e.identity
	}
	return e.name
}

// Renewals is how often all keys of the device were replaced because they may have been stolen. Of two registrations the one
// with more renewals of a device is the newer one.
func (e Entry) Renewals() uint32 { return e.renewals }

// Identity is the key with which the device agrees.
func (e Entry) Identity() key.PublicKey[key.Identity] { return e.identity }

// PreKey is the signed pre-key that initiators of the classic suite agree with.
func (e Entry) PreKey() key.PublicKey[key.PreKey] { return e.preKey }

// Mailbox is the address at which the device takes initiations.
func (e Entry) Mailbox() key.Address { return e.mailbox }

// Inbox is the key to which initiations are sealed.
func (e Entry) Inbox() key.PublicKey[key.Inbox] { return e.inbox }

// Equal reports whether both say the same of the same device.
func (e Entry) Equal(o Entry) bool {
	return e.Name().Equal(o.Name()) && e.renewals == o.renewals && e.identity.Equal(o.identity) && e.preKey.Equal(o.preKey) && e.mailbox == o.mailbox && e.inbox.Equal(o.inbox)
}

// Registration is what a person publishes: the devices that speak for it, signed by its signing key. Verify turns it into a
// Person; nothing else gives access to its keys.
type Registration struct {
	user      key.VerifyKey
	account   key.PublicKey[key.Account]
	entries   []Entry
	signature [key.SignatureSize]byte
	renewals  [key.SignatureSize]byte // signs what the deployed client's format has no place for, if any device was renewed
}

// labelRenewals separates the second signature of a registration from all else that a person signs. It is part of the format.
const labelRenewals = "trefoil/session renewals"

// isRenewed reports whether there is a second signature.
func (r Registration) isRenewed() bool {
	return slices.ContainsFunc(r.entries, func(e Entry) bool { return e.renewals > 0 })
}

// NewRegistration returns the registration of 1 to MaxDevices devices: first those that are registered already (see
// Person.Entries), then new ones. Sign returns the signature of a message under user: SigningKey.Sign of the person's key. It
// returns ErrMalformed for another number or a device that is named twice, and ErrArgument for a zero key.
func NewRegistration(user key.VerifyKey, account key.PublicKey[key.Account], sign func(message []byte) []byte,
	entries ...Entry) (Registration, error) {
	if user.IsZero() || account.IsZero() {
		return Registration{}, fmt.Errorf("%w: a registration needs the keys of a person", key.ErrArgument)
	}
	r := Registration{user: user, account: account, entries: slices.Clone(entries)}
	if err := r.check(); err != nil {
		return Registration{}, err
	}
	copy(r.signature[:], sign(r.body()))
	if r.isRenewed() {
		copy(r.renewals[:], sign(r.renewalsBody()))
	}
	return r, nil
}

// body returns what is signed. Every field has a fixed size, so the bytes can be read in one way only.
func (r Registration) body() []byte {
	b := append([]byte(nil), r.account.Bytes()...)
	for _, e := range r.entries {
		b = append(b, e.identity.Bytes()...)
		b = append(b, e.preKey.Bytes()...)
		b = append(b, e.mailbox.Multihash()...)
		b = append(b, e.inbox.Bytes()...)
	}
	return b
}

// renewalsBody returns what the second signature is of: all that the first one covers, and the renewals of each device.
func (r Registration) renewalsBody() []byte {
	b := labelled(labelRenewals, r.body())
	for _, e := range r.entries {
		b = binary.BigEndian.AppendUint32(b, e.renewals)
		b = append(b, e.Name().Bytes()...)
	}
	return b
}

// check refuses what no person would sign: no devices, too many, or two of one name.
func (r Registration) check() error {
	if len(r.entries) == 0 || len(r.entries) > MaxDevices {
		return fmt.Errorf("%w: a registration names 1 to %d devices", key.ErrMalformed, MaxDevices)
	}
	seen := make(map[[key.PublicKeySize]byte]bool, len(r.entries))
	for _, e := range r.entries {
		keys := []key.PublicKey[key.Identity]{e.identity}
		if e.renewals > 0 {
			keys = append(keys, e.name)
		}
		for _, k := range keys {
			if k.IsZero() || e.mailbox.IsZero() || seen[[key.PublicKeySize]byte(k.Bytes())] {
				return fmt.Errorf("%w: a registration names each device once", key.ErrMalformed)
			}
			seen[[key.PublicKeySize]byte(k.Bytes())] = true
		}
	}
	return nil
}

// Verify checks that the registration is the one of the person at address: that the signing key in it has that address and
// signed all of it. It returns ErrUnverified otherwise.
func (r Registration) Verify(address key.Address) (Person, error) {
	if address.IsZero() || r.user.Address() != address {
		return Person{}, fmt.Errorf("%w: a registration of somebody else", key.ErrUnverified)
	}
	if err := r.user.Verify(r.body(), r.signature[:]); err != nil {
		return Person{}, err
	}
	if r.isRenewed() {
		if err := r.user.Verify(r.renewalsBody(), r.renewals[:]); err != nil {
			return Person{}, err
		}
	}
	return Person{r}, nil
}

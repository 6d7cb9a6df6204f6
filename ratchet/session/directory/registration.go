package directory

import (
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

// MaxDevices is the largest number of devices in one registration.
const MaxDevices = 64

// Entry is what a registration says about one device: its public keys and the address of its mailbox.
type Entry struct {
	identity key.PublicKey[key.Identity]
	preKey   key.PublicKey[key.PreKey]
	mailbox  key.Address
	inbox    key.PublicKey[key.Inbox]
}

// NewEntry returns the entry of a device. Device.Entry of package session calls it; most programs do not.
func NewEntry(identity key.PublicKey[key.Identity], preKey key.PublicKey[key.PreKey], mailbox key.Address,
	inbox key.PublicKey[key.Inbox]) Entry {
	return Entry{identity, preKey, mailbox, inbox}
}

// Identity names the device.
func (e Entry) Identity() key.PublicKey[key.Identity] { return e.identity }

// PreKey is the signed pre-key that initiators agree with.
func (e Entry) PreKey() key.PublicKey[key.PreKey] { return e.preKey }

// Mailbox is the address at which the device takes initializations.
func (e Entry) Mailbox() key.Address { return e.mailbox }

// Inbox is the key to which initializations are sealed.
func (e Entry) Inbox() key.PublicKey[key.Inbox] { return e.inbox }

// Equal reports whether both say the same of the same device.
func (e Entry) Equal(o Entry) bool {
	return e.identity.Equal(o.identity) && e.preKey.Equal(o.preKey) && e.mailbox == o.mailbox && e.inbox.Equal(o.inbox)
}

// Registration is what a person publishes: the devices that speak for it, signed by its signing key. Verify turns it into a
// Person; nothing else gives access to its keys.
type Registration struct {
	user      key.VerifyKey
	account   key.PublicKey[key.Account]
	entries   []Entry
	signature [key.SignatureSize]byte
}

// NewRegistration returns the registration of 1 to MaxDevices devices: first those that are registered already (see
// Person.Entries), then new ones. Sign is the private half of user: it returns the signature of a message. A program that
// holds the person's key calls session.NewRegistration.
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

// check refuses what no person would sign: no devices, too many, or two of one name.
func (r Registration) check() error {
	if len(r.entries) == 0 || len(r.entries) > MaxDevices {
		return fmt.Errorf("%w: a registration names 1 to %d devices", key.ErrMalformed, MaxDevices)
	}
	seen := make(map[[key.PublicKeySize]byte]bool, len(r.entries))
	for _, e := range r.entries {
		if e.identity.IsZero() || e.mailbox.IsZero() || seen[[key.PublicKeySize]byte(e.identity.Bytes())] {
			return fmt.Errorf("%w: a registration names each device once", key.ErrMalformed)
		}
		seen[[key.PublicKeySize]byte(e.identity.Bytes())] = true
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
	return Person{r}, nil
}

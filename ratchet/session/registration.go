package session

import (
	"fmt"
	"slices"
)

// Entry is what a registration says about one device: public keys and the address of its mailbox. A Device makes it, for
// its person to sign.
type Entry struct {
	identity PublicKey[Identity]
	preKey   PublicKey[PreKey]
	mailbox  Address
	inbox    PublicKey[Inbox]
}

// Registration is what a person publishes: the devices that speak for it, signed by its signing key. As long as it is not
// verified it yields no key.
type Registration struct {
	user      VerifyKey
	account   PublicKey[Account]
	entries   []Entry
	signature [SignatureSize]byte
}

// NewRegistration signs a registration of 1 to MaxDevices devices: those that are registered already first (see
// Person.Entries), then new ones.
func NewRegistration(user SigningKey, account PublicKey[Account], entries ...Entry) (Registration, error) {
	if user.IsZero() || account.IsZero() {
		return Registration{}, fmt.Errorf("%w: a registration needs the keys of a person", ErrNotReady)
	}
	r := Registration{user: user.Public(), account: account, entries: slices.Clone(entries)}
	if err := r.check(); err != nil {
		return Registration{}, err
	}
	copy(r.signature[:], user.Sign(r.body()))
	return r, nil
}

// body returns what is signed. Every field has a fixed size, so the bytes can be read in one way only.
func (r Registration) body() []byte {
	b := append([]byte(nil), r.account.encoding[:]...)
	for _, e := range r.entries {
		b = append(b, e.identity.encoding[:]...)
		b = append(b, e.preKey.encoding[:]...)
		b = append(b, e.mailbox.multihash()...)
		b = append(b, e.inbox.encoding[:]...)
	}
	return b
}

// check refuses what no person would sign: no devices, too many, or two of one name.
func (r Registration) check() error {
	if len(r.entries) == 0 || len(r.entries) > MaxDevices {
		return fmt.Errorf("%w: a registration names 1 to %d devices", ErrMalformed, MaxDevices)
	}
	seen := make(map[[PublicKeySize]byte]bool, len(r.entries))
	for _, e := range r.entries {
		if e.identity.IsZero() || e.mailbox.IsZero() || seen[e.identity.encoding] {
			return fmt.Errorf("%w: a registration names each device once", ErrMalformed)
		}
		seen[e.identity.encoding] = true
	}
	return nil
}

// Verify checks that the registration is the one of the person at address: that the signing key in it has that address and
// signed all of it. It returns ErrUnverified otherwise.
func (r Registration) Verify(address Address) (Person, error) {
	if address.IsZero() || r.user.Address() != address {
		return Person{}, fmt.Errorf("%w: a registration of somebody else", ErrUnverified)
	}
	if err := r.user.Verify(r.body(), r.signature[:]); err != nil {
		return Person{}, err
	}
	return Person{r}, nil
}

type jsonRegistration struct {
	UserAddress   string      `json:"user_address"`
	UserPublicKey jsonHex     `json:"user_public_key"`
	PeerPublicKey jsonHex     `json:"peer_public_key"`
	Devices       []jsonEntry `json:"device_registrations"`
	Signature     jsonHex     `json:"signature"`
}

type jsonEntry struct {
	IdentityPublicKey jsonHex   `json:"identity_public_key"`
	PrePublicKey      jsonHex   `json:"pre_public_key"`
	Inbox             jsonInbox `json:"inbox_registration"`
}

type jsonInbox struct {
	Address             string  `json:"inbox_address"`
	EncryptionPublicKey jsonHex `json:"inbox_encryption_public_key"`
}

// JSON returns the registration as the deployed peer publishes it.
func (r Registration) JSON() []byte {
	out := jsonRegistration{
		UserAddress:   r.user.Address().String(),
		UserPublicKey: r.user.encoding[:],
		PeerPublicKey: r.account.encoding[:],
		Signature:     r.signature[:],
	}
	for _, e := range r.entries {
		out.Devices = append(out.Devices, jsonEntry{e.identity.encoding[:], e.preKey.encoding[:],
			jsonInbox{e.mailbox.String(), e.inbox.encoding[:]}})
	}
	return writeJSON(out)
}

// ParseRegistration reads what JSON returns. It looks at no signature; fields that the signature does not cover are
// ignored.
func ParseRegistration(b []byte) (r Registration, err error) {
	var in jsonRegistration
	if err := readJSON(b, &in, lenient); err != nil {
		return Registration{}, err
	}
	if len(in.Signature) != SignatureSize || len(in.Devices) > MaxDevices {
		return Registration{}, fmt.Errorf("%w: registration", ErrMalformed)
	}
	copy(r.signature[:], in.Signature)
	if r.user, err = ParseVerifyKey(in.UserPublicKey); err != nil {
		return Registration{}, err
	}
	if r.user.Address().String() != in.UserAddress {
		return Registration{}, fmt.Errorf("%w: the address in a registration is not that of its key", ErrMalformed)
	}
	if r.account, err = ParsePublicKey[Account](in.PeerPublicKey); err != nil {
		return Registration{}, err
	}
	for _, d := range in.Devices {
		e, err := d.parse()
		if err != nil {
			return Registration{}, err
		}
		r.entries = append(r.entries, e)
	}
	return r, r.check()
}

func (d jsonEntry) parse() (e Entry, err error) {
	if e.identity, err = ParsePublicKey[Identity](d.IdentityPublicKey); err != nil {
		return Entry{}, err
	}
	if e.preKey, err = ParsePublicKey[PreKey](d.PrePublicKey); err != nil {
		return Entry{}, err
	}
	if e.mailbox, err = ParseAddress(d.Inbox.Address); err != nil {
		return Entry{}, err
	}
	e.inbox, err = ParsePublicKey[Inbox](d.Inbox.EncryptionPublicKey)
	return e, err
}

// Person is a registration that was verified. It is the only source of a Peer.
type Person struct{ r Registration }

// Address names the person.
func (p Person) Address() Address { return p.r.user.Address() }

// Entries returns what is registered, for the person itself to sign again with a device more or less.
func (p Person) Entries() []Entry { return slices.Clone(p.r.entries) }

// Peers returns the person's devices as peers of the deployed form. For one that runs trefoil see Trefoil.
func (p Person) Peers() []Peer {
	out := make([]Peer, len(p.r.entries))
	for i, e := range p.r.entries {
		out[i] = Peer{person: p.Address(), entry: e}
	}
	return out
}

// Peer returns the device of that identity, or ErrUnverified if the registration names none.
func (p Person) Peer(identity PublicKey[Identity]) (Peer, error) {
	for _, peer := range p.Peers() {
		if peer.entry.identity.Equal(identity) {
			return peer, nil
		}
	}
	return Peer{}, fmt.Errorf("%w: no such device", ErrUnverified)
}

// Peer is one device of somebody else, or another one of one's own, whose keys a signed registration vouches for. The zero
// Peer is nobody.
type Peer struct {
	_       [0]func()
	person  Address
	entry   Entry
	bundle  *Bundle        // nil for a device of which only the deployed form is known
	oneTime *OneTimePreKey // nil if none was claimed
}

// Person names the person that the device speaks for.
func (p Peer) Person() Address { return p.person }

// Identity names the device.
func (p Peer) Identity() PublicKey[Identity] { return p.entry.identity }

// Mailbox is the address at which the device takes initializations.
func (p Peer) Mailbox() Address { return p.entry.mailbox }

// IsTrefoil reports whether the device has signed that it agrees in the post-quantum form.
func (p Peer) IsTrefoil() bool { return p.bundle != nil }

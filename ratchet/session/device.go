package session

import (
	"crypto/mlkem"
	"crypto/sha256"
	"fmt"
	"math"
	"slices"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// Device holds the private keys of one device. It is immutable, safe to share, and shows nothing when printed. It is a
// state.Part: keep it in a Vault[StoredDevice] under its ID, in the same store as the sessions if you like, where List then
// shows it among them.
type Device struct {
	_        [0]func()
	person   key.Address
	identity keypair.PrivateKey[key.Identity]
	preKey   keypair.PrivateKey[key.PreKey]
	mailbox  keypair.SigningKey
	inbox    keypair.PrivateKey[key.Inbox]
	mlkem    decapsulationKey
	kem      keypair.KEMKey
	issued   uint32 // the highest ID of a one-time pre-key, ever
	oneTime  []ownOneTime
}

// StoredDevice is a stored Device: the value of a Vault[StoredDevice].
type StoredDevice = state.One[Device]

// StoredAs says that a Device is stored apart from the sessions.
func (Device) StoredAs() store.Kind { return store.Devices }

// ownOneTime is a one-time pre-key that was published and not used yet.
type ownOneTime struct {
	id    uint32
	key   keypair.PrivateKey[key.OneTime]
	mlkem decapsulationKey
}

type decapsulationKey = secret.Box[*mlkem.DecapsulationKey768]

func newDecapsulationKey() decapsulationKey {
	k, err := mlkem.NewDecapsulationKey768(secret.Random(mlkem.SeedSize).Expose())
	if err != nil {
		panic(err) // a seed of the right length always is a key
	}
	return secret.Hide(k)
}

// NewDevice draws the keys of a new device of a person.
func NewDevice(person key.Address) (Device, error) {
	return ImportDevice(person, keypair.DeviceKeys{
		Identity: keypair.GenerateKey[key.Identity](),
		PreKey:   keypair.GenerateKey[key.PreKey](),
		Mailbox:  keypair.GenerateSigningKey(),
		Inbox:    keypair.GenerateKey[key.Inbox](),
	})
}

// ImportDevice returns a device that was registered by the deployed client, with its keys. It draws the keys that only the
// hybrid suite has.
func ImportDevice(person key.Address, k keypair.DeviceKeys) (Device, error) {
	if person.IsZero() || k.Identity.IsZero() || k.PreKey.IsZero() || k.Mailbox.IsZero() || k.Inbox.IsZero() {
		return Device{}, fmt.Errorf("%w: a device needs a person and all its keys", ErrNotReady)
	}
	return Device{
		person: person, identity: k.Identity, preKey: k.PreKey, mailbox: k.Mailbox, inbox: k.Inbox,
		mlkem: newDecapsulationKey(), kem: keypair.GenerateKEMKey(),
	}, nil
}

// IsZero reports whether there is no device.
func (d Device) IsZero() bool { return d.identity.IsZero() }

// ID names the row in which the device is kept.
func (d Device) ID() state.ID {
	return sha256.Sum256(append([]byte(labelDevice+"\x00"), d.identity.Public().Bytes()...))
}

// Person names the person that the device speaks for.
func (d Device) Person() key.Address { return d.person }

// Identity names the device.
func (d Device) Identity() key.PublicKey[key.Identity] { return d.identity.Public() }

// Mailbox is the address at which the device takes initializations.
func (d Device) Mailbox() key.Address { return d.mailbox.Public().Address() }

// KEM returns the private half of the KEM pre-key in the bundle.
func (d Device) KEM() keypair.KEMKey { return d.kem }

// Entry returns what the person's registration has to say about the device.
func (d Device) Entry() directory.Entry {
	return directory.NewEntry(d.identity.Public(), d.preKey.Public(), d.Mailbox(), d.inbox.Public())
}

// Bundle returns the device's signed bundle, which offers the hybrid suite.
func (d Device) Bundle() directory.Bundle {
	return directory.NewBundle(d.identity.Public(), d.mailbox.Public(), d.mlkem.Expose().EncapsulationKey(), d.kem.Public(),
		d.mailbox.Sign)
}

// Issue draws n one-time pre-keys, 1 to 1,000, or returns ErrNotReady for another n. The device holds 1,000 unused ones; beyond
// that the oldest, which somebody claimed and never used, are erased. Save the device before you publish them.
func (d Device) Issue(n int) (Device, []directory.OneTimePreKey, error) {
	if n < 1 || n > directory.MaxOneTime || uint32(n) > math.MaxUint32-d.issued {
		return d, nil, fmt.Errorf("%w: number of one-time pre-keys", ErrNotReady)
	}
	next := d
	next.oneTime = slices.Clip(d.oneTime[max(0, len(d.oneTime)+n-directory.MaxOneTime):])
	keys := make([]directory.OneTimePreKey, n)
	for i := range keys {
		next.issued++
		own := ownOneTime{next.issued, keypair.GenerateKey[key.OneTime](), newDecapsulationKey()}
		next.oneTime = append(next.oneTime, own)
		keys[i] = directory.NewOneTimePreKey(d.identity.Public(), own.id, own.key.Public(),
			own.mlkem.Expose().EncapsulationKey(), d.mailbox.Sign)
	}
	return next, keys, nil
}

// EraseOneTime returns the device without some of its one-time pre-keys. Call it, and save the device, once the session that
// used one is durable (see OneTimeUsed and Pair.UsedOneTime). IDs that are gone already are ignored.
func (d Device) EraseOneTime(ids ...uint32) Device {
	d.oneTime = slices.DeleteFunc(slices.Clone(d.oneTime), func(o ownOneTime) bool { return slices.Contains(ids, o.id) })
	return d
}

func (d Device) findOneTime(id uint32) (ownOneTime, bool) {
	for _, o := range d.oneTime {
		if o.id == id {
			return o, true
		}
	}
	return ownOneTime{}, false
}

// Equal reports whether both hold the same keys.
func (d Device) Equal(o Device) bool { return secret.Own(d.marshal()).Equal(secret.Own(o.marshal())) }

// String names the device and shows none of its keys.
func (d Device) String() string { return "device " + d.identity.Public().String() }

// GoString is String.
func (d Device) GoString() string { return d.String() }

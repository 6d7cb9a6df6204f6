package session

import (
	"crypto/mlkem"
	"crypto/sha256"
	"fmt"
	"math"
	"slices"
	"time"

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
	name     key.PublicKey[key.Identity] // the first identity key
	renewals uint32                      // how often all keys were replaced
	identity keypair.PrivateKey[key.Identity]
	preKey   keypair.PrivateKey[key.PreKey] // in the registration, for the classic suite
	mailbox  keypair.SigningKey
	inbox    keypair.PrivateKey[key.Inbox]
	preKeys  preKeyList // of bundles, for the hybrid suite, the oldest first
	issued   uint32     // the highest ID of a one-time pre-key, ever
	oneTime  oneTimeList
}

// StoredDevice is a stored Device: the value of a Vault[StoredDevice].
type StoredDevice = state.One[Device]

// StoredAs says that a Device is stored apart from the sessions.
func (Device) StoredAs() store.Kind { return store.Devices }

// ownOneTime is a one-time pre-key that was published and not used yet.
type ownOneTime struct {
	id     uint32
	bundle uint32 // the number of the bundle beside which it was published: it is erased with that one's keys
	key    keypair.PrivateKey[key.OneTime]
	mlkem  decapsulationKey
}

// oneTimeList is some one-time pre-keys.
type oneTimeList []ownOneTime

func (l oneTimeList) find(id uint32) (ownOneTime, bool) {
	for _, o := range l {
		if o.id == id {
			return o, true
		}
	}
	return ownOneTime{}, false
}

// held returns those of some IDs that are in the list.
func (l oneTimeList) held(ids []uint32) (held []uint32) {
	for _, id := range ids {
		if _, ok := l.find(id); ok {
			held = append(held, id)
		}
	}
	return held
}

type decapsulationKey = secret.Box[*mlkem.DecapsulationKey768]

func newDecapsulationKey() decapsulationKey {
	k, err := mlkem.NewDecapsulationKey768(secret.Random(mlkem.SeedSize).Expose())
	if err != nil {
		panic(err) // a seed of the right length always is a key
	}
	return secret.Hide(k)
}

// NewDevice draws the keys of a new device of a person. Now dates those that are rotated.
func NewDevice(person key.Address, now time.Time) (Device, error) {
	return ImportDevice(person, keypair.DeviceKeys{
		Identity: keypair.GenerateKey[key.Identity](),
		PreKey:   keypair.GenerateKey[key.PreKey](),
		Mailbox:  keypair.GenerateSigningKey(),
		Inbox:    keypair.GenerateKey[key.Inbox](),
	}, now)
}

// ImportDevice returns a device that was registered by the deployed client, with its keys. It draws the keys that only the
// hybrid suite has.
func ImportDevice(person key.Address, k keypair.DeviceKeys, now time.Time) (Device, error) {
	if person.IsZero() || k.Identity.IsZero() || k.PreKey.IsZero() || k.Mailbox.IsZero() || k.Inbox.IsZero() {
		return Device{}, fmt.Errorf("%w: a device needs a person and all its keys", ErrNotReady)
	}
	return Device{
		person: person, name: k.Identity.Public(), identity: k.Identity, preKey: k.PreKey, mailbox: k.Mailbox, inbox: k.Inbox,
		preKeys: preKeyList{newPreKeys(1, now)},
	}, nil
}

// IsZero reports whether there is no device.
func (d Device) IsZero() bool { return d.identity.IsZero() }

// ID names the row in which the device is kept.
func (d Device) ID() state.ID {
	return sha256.Sum256(append([]byte(labelDevice+"\x00"), d.name.Bytes()...))
}

// Person names the person that the device speaks for.
func (d Device) Person() key.Address { return d.person }

// Name names the device for as long as it exists. It is the identity key that the device was registered with first.
func (d Device) Name() key.PublicKey[key.Identity] { return d.name }

// Identity is the public half of the identity key with which the device agrees now.
func (d Device) Identity() key.PublicKey[key.Identity] { return d.identity.Public() }

// Mailbox is the address at which the device takes initiations.
func (d Device) Mailbox() key.Address { return d.mailbox.Public().Address() }

// Sign signs a statement to a server with the mailbox key, such as the answer to a challenge. Whoever knows the key (see
// directory.Bundle.Mailbox) checks it with key.VerifyKey.VerifyStatement. The signature is of a kind of its own and never one of
// something else that the device signs. Let a statement begin with a label that says what for, and let it name the server: one that
// was chosen by somebody else alone may be the statement to another server.
func (d Device) Sign(statement []byte) []byte { return d.mailbox.Sign(key.Statement(statement)) }

// Entry returns what the person's registration has to say about the device.
func (d Device) Entry() directory.Entry {
	e := directory.NewEntry(d.identity.Public(), d.preKey.Public(), d.Mailbox(), d.inbox.Public())
	if d.renewals == 0 {
		return e
	}
	return e.Renewed(d.name, d.renewals)
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
		own := ownOneTime{next.issued, d.BundleNumber(), keypair.GenerateKey[key.OneTime](), newDecapsulationKey()}
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

// Equal reports whether both hold the same keys.
func (d Device) Equal(o Device) bool { return secret.Own(d.marshal()).Equal(secret.Own(o.marshal())) }

// String names the device and shows none of its keys.
func (d Device) String() string { return "device " + d.name.String() }

// GoString is String.
func (d Device) GoString() string { return d.String() }

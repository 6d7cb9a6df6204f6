package session

import (
	"crypto/mlkem"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// Device holds the private keys of one device. It is immutable, safe to share, and shows nothing when printed. It is a
// state.Part: keep it in a Vault[Own] under its ID, in the same store as the sessions if you like, where List then shows
// it among them.
type Device struct {
	_        [0]func()
	person   Address
	identity PrivateKey[Identity]
	preKey   PrivateKey[PreKey]
	mailbox  SigningKey
	inbox    PrivateKey[Inbox]
	mlkem    decapsulationKey
	kem      KEMKey
	issued   uint32 // the highest ID of a one-time pre-key, ever
	oneTime  []ownOneTime
}

// Own is a stored Device: what a Vault[Own] holds.
type Own = state.One[Device]

// StoredAs says that a Device is stored apart from the sessions.
func (Device) StoredAs() store.Kind { return store.Devices }

// ownOneTime is a one-time pre-key that was published and not used yet.
type ownOneTime struct {
	id    uint32
	key   PrivateKey[OneTime]
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

// DeviceKeys are the private keys of a device that was registered by the deployed client.
type DeviceKeys struct {
	Identity PrivateKey[Identity]
	PreKey   PrivateKey[PreKey]
	Mailbox  SigningKey // whose address is the inbox address
	Inbox    PrivateKey[Inbox]
}

// NewDevice draws the keys of a new device of a person.
func NewDevice(person Address) (Device, error) {
	return ImportDevice(person, DeviceKeys{
		Identity: GenerateKey[Identity](),
		PreKey:   GenerateKey[PreKey](),
		Mailbox:  GenerateSigningKey(),
		Inbox:    GenerateKey[Inbox](),
	})
}

// ImportDevice returns a device with keys that exist, and draws those that only trefoil has.
func ImportDevice(person Address, k DeviceKeys) (Device, error) {
	if person.IsZero() || k.Identity.IsZero() || k.PreKey.IsZero() || k.Mailbox.IsZero() || k.Inbox.IsZero() {
		return Device{}, fmt.Errorf("%w: a device needs a person and all its keys", ErrNotReady)
	}
	return Device{
		person: person, identity: k.Identity, preKey: k.PreKey, mailbox: k.Mailbox, inbox: k.Inbox,
		mlkem: newDecapsulationKey(), kem: GenerateKEMKey(),
	}, nil
}

// IsZero reports whether there is no device.
func (d Device) IsZero() bool { return d.identity.IsZero() }

// ID names the row in which the device is kept.
func (d Device) ID() state.ID {
	return sha256.Sum256(append([]byte(labelDevice+"\x00"), d.identity.public.encoding[:]...))
}

// Person names the person that the device speaks for.
func (d Device) Person() Address { return d.person }

// Identity names the device.
func (d Device) Identity() PublicKey[Identity] { return d.identity.public }

// Mailbox is the address at which the device takes initializations.
func (d Device) Mailbox() Address { return d.mailbox.public.Address() }

// KEM returns the private half of the KEM pre-key in the bundle.
func (d Device) KEM() KEMKey { return d.kem }

// Entry returns what the person's registration has to say about the device.
func (d Device) Entry() Entry {
	return Entry{d.identity.public, d.preKey.public, d.Mailbox(), d.inbox.public}
}

// Bundle returns the device's signed bundle.
func (d Device) Bundle() Bundle {
	b := Bundle{identity: d.identity.public, mailbox: d.mailbox.public,
		mlkem: d.mlkem.Expose().EncapsulationKey(), kem: d.kem.public}
	copy(b.signature[:], d.mailbox.Sign(labelled(labelBundle, b.body())))
	return b
}

// Issue draws n one-time pre-keys, 1 to 1,000. The device holds 1,000 unused ones; beyond that the oldest, which somebody
// claimed and never used, are erased. Save the device before you publish them.
func (d Device) Issue(n int) (Device, []OneTimePreKey, error) {
	if n < 1 || n > maxOneTime || uint32(n) > ^uint32(0)-d.issued {
		return d, nil, fmt.Errorf("%w: number of one-time pre-keys", ErrNotReady)
	}
	next := d
	next.oneTime = slices.Clip(d.oneTime[max(0, len(d.oneTime)+n-maxOneTime):])
	keys := make([]OneTimePreKey, n)
	for i := range keys {
		next.issued++
		own := ownOneTime{next.issued, GenerateKey[OneTime](), newDecapsulationKey()}
		next.oneTime = append(next.oneTime, own)
		keys[i] = OneTimePreKey{identity: d.identity.public, id: own.id, key: own.key.public,
			mlkem: own.mlkem.Expose().EncapsulationKey()}
		copy(keys[i].signature[:], d.mailbox.Sign(labelled(labelOneTime, keys[i].body())))
	}
	return next, keys, nil
}

// Spend returns the device without some of its one-time pre-keys: call it, and save the device, once the session that used
// one up is durable (see Received.Spent). IDs that are gone already are no mistake (see Pair.Spent).
func (d Device) Spend(ids ...uint32) Device {
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
func (d Device) String() string { return "device " + d.identity.public.String() }

// GoString is String.
func (d Device) GoString() string { return d.String() }

// deviceVersion is the version of a stored Device.
const deviceVersion = 1

const oneTimeStored = 4 + storedPrivateSize + mlkem.SeedSize

// Encode implements state.Part.
func (d Device) Encode(e *state.Encoder) { e.Bytes(d.marshal()) }

// Decode implements state.Part.
func (Device) Decode(in *state.Decoder) (Device, error) {
	b := in.Bytes(1<<12 + maxOneTime*oneTimeStored)
	if err := in.Err(); err != nil {
		return Device{}, err
	}
	return parseDevice(b)
}

// Succeeds implements state.Part: the number of one-time pre-keys never falls, and a device stays what it is.
func (d Device) Succeeds(prev Device) error {
	if !d.identity.Equal(prev.identity) || d.issued < prev.issued {
		return state.ErrStale
	}
	return nil
}

func (d Device) marshal() []byte {
	w := wire.NewWriter(512 + len(d.oneTime)*oneTimeStored)
	w.U16(deviceVersion)
	w.Fixed(d.person[:])
	writePrivateKey(w, d.identity)
	writePrivateKey(w, d.preKey)
	w.Fixed(d.mailbox.seed())
	writePrivateKey(w, d.inbox)
	w.Fixed(d.mlkem.Expose().Bytes())
	w.Fixed(d.kem.seed().Expose())
	w.U32(d.issued)
	w.U32(uint32(len(d.oneTime)))
	for _, o := range d.oneTime {
		w.U32(o.id)
		writePrivateKey(w, o.key)
		w.Fixed(o.mlkem.Expose().Bytes())
	}
	return w.Bytes()
}

func parseDevice(b []byte) (d Device, err error) {
	r := wire.NewReader(b)
	r.Version16(deviceVersion, deviceVersion)
	r.Into(d.person[:])
	d.identity = readPrivateKey[Identity](r)
	d.preKey = readPrivateKey[PreKey](r)
	mailbox := r.Fixed(SeedSize)
	d.inbox = readPrivateKey[Inbox](r)
	d.mlkem = readDecapsulationKey(r)
	kem := r.Fixed(kemPrivateSize)
	d.issued = r.U32()
	n, last := r.Count(maxOneTime, oneTimeStored), uint32(0)
	for range n {
		o := ownOneTime{id: r.U32(), key: readPrivateKey[OneTime](r), mlkem: readDecapsulationKey(r)}
		if o.id <= last || o.id > d.issued {
			r.Fail("the numbers of one-time pre-keys")
		}
		last = o.id
		d.oneTime = append(d.oneTime, o)
	}
	if err := r.Done(); err != nil {
		return Device{}, err
	}
	d.mailbox = signingKey(secret.Own(mailbox))
	if d.kem, err = parseKEMKey(secret.Own(kem)); err != nil {
		return Device{}, err
	}
	return d, nil
}

// storedPrivateSize is the size of a private key in the vault: with its public key, which costs a multiplication to find.
const storedPrivateSize = PrivateKeySize + PublicKeySize

func writePrivateKey[R Role](w *wire.Writer, k PrivateKey[R]) {
	w.Fixed(k.scalar.Bytes())
	w.Fixed(k.public.encoding[:])
}

// readPrivateKey reads a key from the vault, which is trusted to hold a public key that belongs to it.
func readPrivateKey[R Role](r *wire.Reader) (k PrivateKey[R]) {
	k.scalar = readScalar(r)
	k.public = readStoredKey[R](r)
	return k
}

func readScalar(r *wire.Reader) ed448.Scalar {
	b := r.Fixed(PrivateKeySize)
	if r.Err() != nil {
		return ed448.Scalar{}
	}
	s, err := parseScalar(b)
	if err != nil {
		r.Fail("a private key")
	}
	return s
}

// readStoredKey reads a public key that was checked before it was stored, without the checks that cost.
func readStoredKey[R Role](r *wire.Reader) PublicKey[R] {
	k := storedKey[R](r.Fixed(PublicKeySize))
	if k.IsZero() {
		r.Fail("a public key is missing")
	}
	return k
}

func readDecapsulationKey(r *wire.Reader) decapsulationKey {
	b := r.Fixed(mlkem.SeedSize)
	if r.Err() != nil {
		return decapsulationKey{}
	}
	k, err := mlkem.NewDecapsulationKey768(b)
	if err != nil {
		r.Fail("an ML-KEM key")
	}
	return secret.Hide(k)
}

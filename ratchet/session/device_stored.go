package session

import (
	"crypto/mlkem"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/keywire"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
	"github.com/trefoil-im/trefoil/state"
)

// deviceVersion is the version of a stored Device.
const deviceVersion = 1

const oneTimeStored = 2*4 + storedPrivateSize + mlkem.SeedSize

// Encode implements state.Part.
func (d Device) Encode(e *state.Encoder) { e.Bytes(d.marshal()) }

// Decode implements state.Part.
func (Device) Decode(in *state.Decoder) (Device, error) {
	b := in.Bytes(1<<12 + maxPreKeys*preKeysStored + directory.MaxOneTime*oneTimeStored)
	if err := in.Err(); err != nil {
		return Device{}, err
	}
	return parseDevice(b)
}

// Succeeds implements state.Part: the numbers of pre-keys never fall, and a device stays what it is.
func (d Device) Succeeds(prev Device) error {
	if !d.name.Equal(prev.name) || d.renewals < prev.renewals || d.renewals == prev.renewals && !d.identity.Equal(prev.identity) ||
		d.issued < prev.issued || d.BundleNumber() < prev.BundleNumber() {
		return state.ErrStale
	}
	return nil
}

func (d Device) marshal() []byte {
	w := wire.NewWriter(512 + len(d.oneTime)*oneTimeStored)
	w.U16(deviceVersion)
	w.Fixed(d.person[:])
	w.Fixed(d.name.Bytes())
	w.U32(d.renewals)
	writePrivate(w, d.identity)
	writePrivate(w, d.preKey)
	w.Fixed(d.mailbox.Seed())
	writePrivate(w, d.inbox)
	w.U32(uint32(len(d.preKeys)))
	for _, k := range d.preKeys {
		k.write(w)
	}
	w.U32(d.issued)
	w.U32(uint32(len(d.oneTime)))
	for _, o := range d.oneTime {
		w.U32(o.id)
		w.U32(o.bundle)
		writePrivate(w, o.key)
		w.Fixed(o.mlkem.Expose().Bytes())
	}
	return w.Bytes()
}

func parseDevice(b []byte) (d Device, err error) {
	r := wire.NewReader(b)
	r.Version16(deviceVersion, deviceVersion)
	r.Into(d.person[:])
	d.name = keywire.Stored[key.Identity](r)
	d.renewals = r.U32()
	d.identity = readPrivate[key.Identity](r)
	d.preKey = readPrivate[key.PreKey](r)
	d.mailbox = readSigning(r)
	d.inbox = readPrivate[key.Inbox](r)
	d.preKeys = readAllPreKeys(r)
	d.issued = r.U32()
	n, last := r.Count(directory.MaxOneTime, oneTimeStored), uint32(0)
	for range n {
		o := ownOneTime{id: r.U32(), bundle: r.U32(), key: readPrivate[key.OneTime](r), mlkem: readDecapsulationKey(r)}
		if o.id <= last || o.id > d.issued {
			r.Fail("the numbers of one-time pre-keys")
		}
		last = o.id
		d.oneTime = append(d.oneTime, o)
	}
	if d.name.Equal(d.identity.Public()) != (d.renewals == 0) {
		r.Fail("the name of a device")
	}
	if err := r.Done(); err != nil {
		return Device{}, err
	}
	return d, nil
}

// storedPrivateSize is the size of a private key in the vault: with its public key, which costs a multiplication to find.
const storedPrivateSize = keypair.PrivateKeySize + key.PublicKeySize

func writePrivate[R key.Role](w *wire.Writer, k keypair.PrivateKey[R]) {
	w.Fixed(k.Bytes())
	w.Fixed(k.Public().Bytes())
}

// readPrivate reads a key from the vault, which is trusted to hold a public key that belongs to it.
func readPrivate[R key.Role](r *wire.Reader) (k keypair.PrivateKey[R]) {
	private, public := r.Fixed(keypair.PrivateKeySize), keywire.Stored[R](r)
	if r.Err() != nil {
		return k
	}
	k, err := keypair.Stored(private, public)
	if err != nil {
		r.Fail("a private key")
	}
	return k
}

// readSigning reads the seed of a signing key.
func readSigning(r *wire.Reader) (k keypair.SigningKey) {
	seed := r.Fixed(keypair.SeedSize)
	if r.Err() != nil {
		return k
	}
	k, err := keypair.ParseSigningKey(seed)
	if err != nil {
		r.Fail("a signing key")
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

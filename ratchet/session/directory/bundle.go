package directory

import (
	"crypto/mlkem"
	"fmt"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/keywire"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

// bundleVersion is the version of Bundle and OneTimePreKey on the wire, and of the hybrid suite that a device signs with them
// that it knows.
const bundleVersion = 2

const (
	mlkemPublicSize = mlkem.EncapsulationKeySize768 // 1,184 bytes
	bundleSize      = 1 + key.PublicKeySize + key.VerifyKeySize + 4 + key.PublicKeySize + mlkemPublicSize + key.KEMPublicKeySize + key.SignatureSize
	oneTimeSize     = 1 + key.PublicKeySize + 4 + key.PublicKeySize + mlkemPublicSize + key.SignatureSize
)

// Labels of what a device's mailbox key signs. They are part of the formats.
const (
	labelBundle  = "trefoil/session bundle"
	labelOneTime = "trefoil/session one-time"
)

// Bundle is what a device that knows the hybrid suite publishes beside its person's registration: its keys for that suite. The
// device's mailbox key signs it, whose address is in the registration. It takes 2,690 bytes. A lookup does not consume it.
// A device replaces it now and then by one of a higher number.
type Bundle struct {
	identity  key.PublicKey[key.Identity]
	mailbox   key.VerifyKey
	keys      BundleKeys
	signature [key.SignatureSize]byte
}

// BundleKeys are the keys of a bundle that a device replaces together.
type BundleKeys struct {
	Number uint32 // from 1, ascending
	PreKey key.PublicKey[key.PreKey]
	MLKEM  *mlkem.EncapsulationKey768
	KEM    key.KEMPublicKey
}

// NewBundle returns the bundle of a device. Sign is the private half of mailbox: it returns the signature of a message. A
// device calls it; most programs do not.
func NewBundle(identity key.PublicKey[key.Identity], mailbox key.VerifyKey, keys BundleKeys, sign func(message []byte) []byte) Bundle {
	b := Bundle{identity: identity, mailbox: mailbox, keys: keys}
	copy(b.signature[:], sign(labelled(labelBundle, b.body())))
	return b
}

// Identity names the device.
func (b Bundle) Identity() key.PublicKey[key.Identity] { return b.identity }

// Mailbox is the key that signed the bundle. Person.WithBundle compares its address with the registration.
func (b Bundle) Mailbox() key.VerifyKey { return b.mailbox }

// MLKEM returns the key that initiators encapsulate to if they have no one-time pre-key; nil for the zero Bundle.
func (b Bundle) MLKEM() *mlkem.EncapsulationKey768 { return b.keys.MLKEM }

// Number tells the bundles of one device apart: the newer one has the higher number.
func (b Bundle) Number() uint32 { return b.keys.Number }

// verify checks that the device's mailbox key signed the bundle.
func (b Bundle) verify() error {
	return b.mailbox.Verify(labelled(labelBundle, b.body()), b.signature[:])
}

// MarshalBinary returns the bundle's encoding. It fails for the zero Bundle only.
func (b Bundle) MarshalBinary() ([]byte, error) {
	if b.keys.MLKEM == nil {
		return nil, fmt.Errorf("%w: no bundle", key.ErrArgument)
	}
	return append(b.body(), b.signature[:]...), nil
}

// body returns all but the signature.
func (b Bundle) body() []byte {
	w := wire.NewWriter(bundleSize)
	w.U8(bundleVersion)
	w.Fixed(b.identity.Bytes())
	w.Fixed(b.mailbox.Bytes())
	w.U32(b.keys.Number)
	w.Fixed(b.keys.PreKey.Bytes())
	w.Fixed(b.keys.MLKEM.Bytes())
	w.Fixed(b.keys.KEM.Bytes())
	return w.Bytes()
}

// ParseBundle reads a bundle. Its signature is checked by Person.WithBundle.
func ParseBundle(in []byte) (b Bundle, err error) {
	r := wire.NewReader(in)
	r.Version8(bundleVersion, bundleVersion)
	b.identity = keywire.Public[key.Identity](r)
	b.mailbox = keywire.Verify(r)
	if b.keys.Number = r.U32(); b.keys.Number == 0 {
		r.Fail("bundles are numbered from 1")
	}
	b.keys.PreKey = keywire.Public[key.PreKey](r)
	b.keys.MLKEM = readEncapsulationKey(r)
	kem := r.Fixed(key.KEMPublicKeySize)
	r.Into(b.signature[:])
	if err := r.Done(); err != nil {
		return Bundle{}, key.Malformed(err)
	}
	if b.keys.KEM, err = key.ParseKEMPublicKey(kem); err != nil {
		return Bundle{}, err
	}
	return b, nil
}

// OneTimePreKey is a pre-key for one session: an Ed448 point and a key for ML-KEM-768, signed like a Bundle. It takes 1,417
// bytes.
type OneTimePreKey struct {
	identity  key.PublicKey[key.Identity]
	id        uint32
	key       key.PublicKey[key.OneTime]
	mlkem     *mlkem.EncapsulationKey768
	signature [key.SignatureSize]byte
}

// NewOneTimePreKey returns a device's one-time pre-key. Sign is as in NewBundle. A device calls it; most programs do not.
func NewOneTimePreKey(identity key.PublicKey[key.Identity], id uint32, public key.PublicKey[key.OneTime],
	encapsulation *mlkem.EncapsulationKey768, sign func(message []byte) []byte) OneTimePreKey {
	o := OneTimePreKey{identity: identity, id: id, key: public, mlkem: encapsulation}
	copy(o.signature[:], sign(labelled(labelOneTime, o.body())))
	return o
}

// Identity names the device that the key belongs to.
func (o OneTimePreKey) Identity() key.PublicKey[key.Identity] { return o.identity }

// Key returns the point.
func (o OneTimePreKey) Key() key.PublicKey[key.OneTime] { return o.key }

// MLKEM returns the key that initiators encapsulate to; nil for the zero OneTimePreKey.
func (o OneTimePreKey) MLKEM() *mlkem.EncapsulationKey768 { return o.mlkem }

// ID is the key's number. A device numbers its keys from 1 and never uses a number again.
func (o OneTimePreKey) ID() uint32 { return o.id }

// MarshalBinary returns the key's encoding. It fails for the zero OneTimePreKey only.
func (o OneTimePreKey) MarshalBinary() ([]byte, error) {
	if o.mlkem == nil {
		return nil, fmt.Errorf("%w: no one-time pre-key", key.ErrArgument)
	}
	return append(o.body(), o.signature[:]...), nil
}

// body returns all but the signature.
func (o OneTimePreKey) body() []byte {
	w := wire.NewWriter(oneTimeSize)
	w.U8(bundleVersion)
	w.Fixed(o.identity.Bytes())
	w.U32(o.id)
	w.Fixed(o.key.Bytes())
	w.Fixed(o.mlkem.Bytes())
	return w.Bytes()
}

// ParseOneTimePreKey reads a key. Its signature is checked by Peer.WithOneTime.
func ParseOneTimePreKey(in []byte) (o OneTimePreKey, err error) {
	r := wire.NewReader(in)
	r.Version8(bundleVersion, bundleVersion)
	o.identity = keywire.Public[key.Identity](r)
	if o.id = r.U32(); o.id == 0 {
		r.Fail("one-time pre-keys are numbered from 1")
	}
	o.key = keywire.Public[key.OneTime](r)
	o.mlkem = readEncapsulationKey(r)
	r.Into(o.signature[:])
	if err := r.Done(); err != nil {
		return OneTimePreKey{}, key.Malformed(err)
	}
	return o, nil
}

// labelled returns what a mailbox key signs.
func labelled(label string, body []byte) []byte { return append([]byte(label+"\x00"), body...) }

func readEncapsulationKey(r *wire.Reader) *mlkem.EncapsulationKey768 {
	b := r.Fixed(mlkemPublicSize)
	if r.Err() != nil {
		return nil
	}
	k, err := mlkem.NewEncapsulationKey768(b)
	if err != nil {
		r.Fail("an ML-KEM key")
	}
	return k
}

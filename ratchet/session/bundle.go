package session

import (
	"crypto/mlkem"
	"fmt"

	"github.com/trefoil-im/trefoil/internal/wire"
)

// bundleVersion is the version of Bundle and OneTimePreKey on the wire.
const bundleVersion = 1

const (
	mlkemPublicSize = mlkem.EncapsulationKeySize768 // 1,184 bytes
	bundleSize      = 1 + PublicKeySize + VerifyKeySize + mlkemPublicSize + KEMPublicKeySize + SignatureSize
	oneTimeSize     = 1 + PublicKeySize + 4 + PublicKeySize + mlkemPublicSize + SignatureSize
)

// Bundle is what a device that runs trefoil publishes beside its person's registration: that it agrees in the post-quantum
// form, and the keys for it. It is signed by the device's mailbox key, whose address is in the registration. It takes
// 2,629 bytes. Looking one up uses nothing up.
type Bundle struct {
	identity  PublicKey[Identity]
	mailbox   VerifyKey
	mlkem     *mlkem.EncapsulationKey768
	kem       KEMPublicKey
	signature [SignatureSize]byte
}

// MarshalBinary returns the bundle's encoding. It fails for the zero Bundle only.
func (b Bundle) MarshalBinary() ([]byte, error) {
	if b.mlkem == nil {
		return nil, fmt.Errorf("%w: no bundle", ErrNotReady)
	}
	return append(b.body(), b.signature[:]...), nil
}

// body returns all but the signature.
func (b Bundle) body() []byte {
	w := wire.NewWriter(bundleSize)
	w.U8(bundleVersion)
	w.Fixed(b.identity.encoding[:])
	w.Fixed(b.mailbox.encoding[:])
	w.Fixed(b.mlkem.Bytes())
	w.Fixed(b.kem.encoding)
	return w.Bytes()
}

// ParseBundle reads a bundle. Its signature is checked by Person.Trefoil.
func ParseBundle(in []byte) (b Bundle, err error) {
	r := wire.NewReader(in)
	r.Version8(bundleVersion, bundleVersion)
	b.identity = readPublicKey[Identity](r)
	b.mailbox = readVerifyKey(r)
	b.mlkem = readEncapsulationKey(r)
	kem := r.Fixed(KEMPublicKeySize)
	r.Into(b.signature[:])
	if err := r.Done(); err != nil {
		return Bundle{}, malformed(err)
	}
	if b.kem, err = ParseKEMPublicKey(kem); err != nil {
		return Bundle{}, err
	}
	return b, nil
}

// OneTimePreKey is a pre-key for one session: a key of the group and one for ML-KEM-768, signed like a Bundle. It takes
// 1,417 bytes.
type OneTimePreKey struct {
	identity  PublicKey[Identity]
	id        uint32
	key       PublicKey[OneTime]
	mlkem     *mlkem.EncapsulationKey768
	signature [SignatureSize]byte
}

// ID is the key's number. A device numbers its keys from 1 and never uses a number again.
func (o OneTimePreKey) ID() uint32 { return o.id }

// MarshalBinary returns the key's encoding. It fails for the zero OneTimePreKey only.
func (o OneTimePreKey) MarshalBinary() ([]byte, error) {
	if o.mlkem == nil {
		return nil, fmt.Errorf("%w: no one-time pre-key", ErrNotReady)
	}
	return append(o.body(), o.signature[:]...), nil
}

// body returns all but the signature.
func (o OneTimePreKey) body() []byte {
	w := wire.NewWriter(oneTimeSize)
	w.U8(bundleVersion)
	w.Fixed(o.identity.encoding[:])
	w.U32(o.id)
	w.Fixed(o.key.encoding[:])
	w.Fixed(o.mlkem.Bytes())
	return w.Bytes()
}

// ParseOneTimePreKey reads a key. Its signature is checked by Peer.With.
func ParseOneTimePreKey(in []byte) (o OneTimePreKey, err error) {
	r := wire.NewReader(in)
	r.Version8(bundleVersion, bundleVersion)
	o.identity = readPublicKey[Identity](r)
	if o.id = r.U32(); o.id == 0 {
		r.Fail("one-time pre-keys are numbered from 1")
	}
	o.key = readPublicKey[OneTime](r)
	o.mlkem = readEncapsulationKey(r)
	r.Into(o.signature[:])
	if err := r.Done(); err != nil {
		return OneTimePreKey{}, malformed(err)
	}
	return o, nil
}

// labelled returns what a mailbox key signs.
func labelled(label string, body []byte) []byte { return append([]byte(label+"\x00"), body...) }

// Trefoil returns the device that the bundle belongs to as a peer for the post-quantum form, or ErrUnverified. Once a
// session with it was made, nothing weaker is agreed with it.
func (p Person) Trefoil(b Bundle) (Peer, error) {
	peer, err := p.Peer(b.identity)
	if err != nil {
		return Peer{}, err
	}
	if b.mlkem == nil || b.mailbox.Address() != peer.entry.mailbox {
		return Peer{}, fmt.Errorf("%w: a bundle signed by another mailbox", ErrUnverified)
	}
	if err := b.mailbox.Verify(labelled(labelBundle, b.body()), b.signature[:]); err != nil {
		return Peer{}, err
	}
	peer.bundle = &b
	return peer, nil
}

// KEM returns the device's KEM pre-key, or ErrNotReady for a device of which no bundle is known.
func (p Peer) KEM() (KEMPublicKey, error) {
	if p.bundle == nil {
		return KEMPublicKey{}, fmt.Errorf("%w: the peer has no KEM pre-key", ErrNotReady)
	}
	return p.bundle.kem, nil
}

// With returns the peer with a one-time pre-key that was claimed for it, or ErrUnverified if it is not the peer's own. It
// is for one Initiate only: the peer refuses a second one.
func (p Peer) With(o OneTimePreKey) (Peer, error) {
	if p.bundle == nil || o.mlkem == nil || !o.identity.Equal(p.entry.identity) {
		return Peer{}, fmt.Errorf("%w: a one-time pre-key of another device", ErrUnverified)
	}
	if err := p.bundle.mailbox.Verify(labelled(labelOneTime, o.body()), o.signature[:]); err != nil {
		return Peer{}, err
	}
	p.oneTime = &o
	return p, nil
}

// readPublicKey, readVerifyKey and readEncapsulationKey read keys from outside.
func readPublicKey[R Role](r *wire.Reader) (k PublicKey[R]) {
	b := r.Fixed(PublicKeySize)
	if r.Err() != nil {
		return k
	}
	k, err := ParsePublicKey[R](b)
	if err != nil {
		r.Fail("a public key")
	}
	return k
}

func readVerifyKey(r *wire.Reader) (k VerifyKey) {
	b := r.Fixed(VerifyKeySize)
	if r.Err() != nil {
		return k
	}
	k, err := ParseVerifyKey(b)
	if err != nil {
		r.Fail("a signing key")
	}
	return k
}

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

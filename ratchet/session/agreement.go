package session

import (
	"bytes"
	"crypto/hkdf"
	"crypto/mlkem"
	"crypto/sha512"
	"fmt"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
)

// form is how two devices agree on a session. Its numbers are part of our formats.
type form uint8

const (
	// deployed is three Diffie-Hellman results, as the deployed peer does it.
	deployed form = 1
	// hybrid adds an encapsulation for ML-KEM-768, and one more Diffie-Hellman result if a one-time pre-key was claimed.
	// Everything that both sides know is bound into the key, the version first.
	hybrid form = 2
)

// hybridVersion is the version of the hybrid form. A device signs that it knows it (see Bundle), and it is bound into the
// key, so that nobody in between can talk two devices out of it.
const hybridVersion = 1

// agreedSize is what a session takes: root key ‖ sending header key ‖ next receiving header key.
const agreedSize = 3 * keySize

// x3dhPrefix stands before the results, so that the input of the KDF is never the encoding of a point alone.
var x3dhPrefix = bytes.Repeat([]byte{0xff}, PublicKeySize)

// agreement collects the results that a session key is made of.
type agreement struct {
	ikm []byte
	err error
}

// x3dhInitiate begins the agreement of the initiator, who has an identity and drew an ephemeral key.
func x3dhInitiate(a PrivateKey[Identity], e PrivateKey[Ephemeral],
	identity PublicKey[Identity], preKey PublicKey[PreKey]) *agreement {
	x := newAgreement()
	x.add(agree(a, preKey))
	x.add(agree(e, identity))
	x.add(agree(e, preKey))
	return x
}

// x3dhAccept begins the same agreement on the side of the responder.
func x3dhAccept(b PrivateKey[Identity], s PrivateKey[PreKey],
	identity PublicKey[Identity], ephemeral PublicKey[Ephemeral]) *agreement {
	x := newAgreement()
	x.add(agree(s, identity))
	x.add(agree(b, ephemeral))
	x.add(agree(s, ephemeral))
	return x
}

func newAgreement() *agreement {
	return &agreement{ikm: append(make([]byte, 0, 5*PublicKeySize+mlkem.SharedKeySize), x3dhPrefix...)}
}

// add appends a result; the first failure sticks.
func (x *agreement) add(part secret.Bytes, err error) {
	if x.err == nil {
		x.err = err
	}
	x.ikm = append(x.ikm, part.Expose()...)
}

// key derives length bytes. The deployed form's salt is as many zeros.
func (x *agreement) key(label string, length int) (secret.Bytes, error) {
	if x.err != nil {
		return secret.Bytes{}, x.err
	}
	b, err := hkdf.Key(sha512.New, x.ikm, make([]byte, length), label, length)
	return secret.Own(b), err
}

// offer is what the initiator of a hybrid session sends beside its keys.
type offer struct {
	generation uint64
	oneTime    uint32 // 0: none
	ciphertext [mlkem.CiphertextSize768]byte
}

// roles names the two devices of an agreement by what the registrations say about them, for the transcript.
type roles struct {
	initiator, responder Address // persons
	initiatorIdentity    PublicKey[Identity]
	responderEntry       Entry
}

// hybridKey finishes a hybrid agreement: x holds the three results, to which the encapsulated secret is added, and before
// it the result of the one-time pre-key if there is one.
func (x *agreement) hybridKey(who roles, e PublicKey[Ephemeral], o offer, oneTime PublicKey[OneTime],
	kem *mlkem.EncapsulationKey768, shared []byte) (secret.Bytes, error) {
	x.add(secret.Own(shared), nil)
	w := wire.NewWriter(3 << 10)
	w.U8(hybridVersion)
	w.U64(o.generation)
	w.Fixed(who.initiator[:])
	w.Fixed(who.responder[:])
	w.Fixed(who.initiatorIdentity.encoding[:])
	w.Fixed(who.responderEntry.identity.encoding[:])
	w.Fixed(who.responderEntry.preKey.encoding[:])
	w.Fixed(who.responderEntry.mailbox[:])
	w.Fixed(who.responderEntry.inbox.encoding[:])
	w.Fixed(e.encoding[:])
	w.U32(o.oneTime)
	w.Fixed(oneTime.encoding[:])
	w.Fixed(kem.Bytes())
	w.Fixed(o.ciphertext[:])
	hash := sha512.Sum512(w.Bytes())
	return x.key(labelAgreement+"\x00"+string(hash[:]), agreedSize)
}

// agreeInitiate returns the key of a new session with a peer, in the form that the peer has signed for, and the offer for
// it. There is no other form to fall back to.
func agreeInitiate(d Device, e PrivateKey[Ephemeral], peer Peer, generation uint64) (form, offer, secret.Bytes, error) {
	x := x3dhInitiate(d.identity, e, peer.entry.identity, peer.entry.preKey)
	if peer.bundle == nil {
		key, err := x.key(labelX3DH, agreedSize)
		return deployed, offer{}, key, err
	}
	o := offer{generation: generation}
	kem, oneTime := peer.bundle.mlkem, PublicKey[OneTime]{}
	if peer.oneTime != nil {
		kem, oneTime, o.oneTime = peer.oneTime.mlkem, peer.oneTime.key, peer.oneTime.id
		x.add(agree(e, oneTime))
	}
	shared, ciphertext := kem.Encapsulate()
	copy(o.ciphertext[:], ciphertext)
	who := roles{d.person, peer.person, d.identity.public, peer.entry}
	key, err := x.hybridKey(who, e.public, o, oneTime, kem, shared)
	return hybrid, o, key, err
}

// agreeAccept returns the key of a session that the peer of that identity began with the ephemeral key; o is nil in the
// deployed form.
func agreeAccept(d Device, peer Address, identity PublicKey[Identity], e PublicKey[Ephemeral], o *offer) (secret.Bytes, error) {
	x := x3dhAccept(d.identity, d.preKey, identity, e)
	if o == nil {
		return x.key(labelX3DH, agreedSize)
	}
	kem, oneTime := d.mlkem, PublicKey[OneTime]{}
	if o.oneTime > d.issued {
		return secret.Bytes{}, fmt.Errorf("%w: a one-time pre-key that this copy of the device has not issued", ErrNotYet)
	}
	if o.oneTime != 0 {
		own, ok := d.findOneTime(o.oneTime)
		if !ok {
			return secret.Bytes{}, fmt.Errorf("%w: one-time pre-key", ErrReplayed)
		}
		kem, oneTime = own.mlkem, own.key.public
		x.add(agree(own.key, e))
	}
	shared, err := kem.Expose().Decapsulate(o.ciphertext[:])
	if err != nil {
		return secret.Bytes{}, malformed(err)
	}
	who := roles{peer, d.person, identity, d.Entry()}
	return x.hybridKey(who, e, *o, oneTime, kem.Expose().EncapsulationKey(), shared)
}

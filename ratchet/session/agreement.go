package session

import (
	"bytes"
	"crypto/hkdf"
	"crypto/mlkem"
	"crypto/sha512"
	"fmt"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/double"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
)

// suite is how two devices agree on a session. Its numbers are part of our formats.
type suite uint8

const (
	// classic is three Diffie-Hellman results, as the deployed client does it.
	classic suite = 1
	// hybrid adds an encapsulation for ML-KEM-768, and one more Diffie-Hellman result if a one-time pre-key was claimed.
	// Everything that both sides know is bound into the key, the version first.
	hybrid suite = 2
)

// hybridVersion is the version of the hybrid suite, in which every session has a braid. A device signs that it knows it (see
// Bundle), and it is bound into the key, so that nobody in between can talk two devices out of it. There is no other one to
// fall back to: version 1 had no braid, and is neither read nor written.
const hybridVersion = 2

// form returns the form of the ratchets of a suite.
func (s suite) form() double.Form {
	if s == hybrid {
		return double.Braided
	}
	return double.Classic
}

// x3dhPrefix stands before the results, so that the input of the KDF is never the encoding of a point alone.
var x3dhPrefix = bytes.Repeat([]byte{0xff}, key.PublicKeySize)

// agreement collects the results that a session key is made of.
type agreement struct {
	ikm []byte
	err error
}

// x3dhInitiate begins the agreement of the initiator, who has an identity and drew an ephemeral key.
func x3dhInitiate(a keypair.PrivateKey[key.Identity], e keypair.PrivateKey[key.Ephemeral],
	identity key.PublicKey[key.Identity], preKey key.PublicKey[key.PreKey]) *agreement {
	x := newAgreement()
	x.add(keypair.Agree(a, preKey))
	x.add(keypair.Agree(e, identity))
	x.add(keypair.Agree(e, preKey))
	return x
}

// x3dhAccept begins the same agreement on the side of the responder.
func x3dhAccept(b keypair.PrivateKey[key.Identity], s keypair.PrivateKey[key.PreKey],
	identity key.PublicKey[key.Identity], ephemeral key.PublicKey[key.Ephemeral]) *agreement {
	x := newAgreement()
	x.add(keypair.Agree(s, identity))
	x.add(keypair.Agree(b, ephemeral))
	x.add(keypair.Agree(s, ephemeral))
	return x
}

func newAgreement() *agreement {
	return &agreement{ikm: append(make([]byte, 0, 5*key.PublicKeySize+mlkem.SharedKeySize), x3dhPrefix...)}
}

// add appends a result; the first failure sticks.
func (x *agreement) add(part secret.Bytes, err error) {
	if x.err == nil {
		x.err = err
	}
	x.ikm = append(x.ikm, part.Expose()...)
}

// key derives length bytes. The classic suite's salt is as many zeros.
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
	heard      uint64 // the highest generation of a session that the initiator accepted from the responder
	bundle     uint32 // the number of the bundle that the pre-key, and without a one-time pre-key the ML-KEM key, is from
	oneTime    uint32 // 0: none
	ciphertext [mlkem.CiphertextSize768]byte
}

// roles names the two devices of an agreement by what the registrations say about them, for the transcript.
type roles struct {
	initiator, responder key.Address // persons
	initiatorIdentity    key.PublicKey[key.Identity]
	responderEntry       directory.Entry
}

// hybridKey finishes a hybrid agreement: x holds the three results, to which the encapsulated secret is added, and before
// it the result of the one-time pre-key if there is one.
func (x *agreement) hybridKey(who roles, e key.PublicKey[key.Ephemeral], o offer,
	preKey key.PublicKey[key.PreKey], oneTime key.PublicKey[key.OneTime], kem *mlkem.EncapsulationKey768, shared []byte) (secret.Bytes, error) {
	x.add(secret.Own(shared), nil)
	w := wire.NewWriter(3 << 10)
	w.U8(hybridVersion)
	w.U64(o.generation)
	w.U64(o.heard)
	w.Fixed(who.initiator[:])
	w.Fixed(who.responder[:])
	w.Fixed(who.initiatorIdentity.Bytes())
	w.Fixed(who.responderEntry.Identity().Bytes())
	mailbox := who.responderEntry.Mailbox()
	w.Fixed(mailbox[:])
	w.Fixed(who.responderEntry.Inbox().Bytes())
	w.U32(o.bundle)
	w.Fixed(preKey.Bytes())
	w.Fixed(e.Bytes())
	w.U32(o.oneTime)
	w.Fixed(oneTime.Bytes())
	w.Fixed(kem.Bytes())
	w.Fixed(o.ciphertext[:])
	hash := sha512.Sum512(w.Bytes())
	return x.key(labelAgreement+"\x00"+string(hash[:]), double.AgreedSize)
}

// agreeInitiate returns the key of a new session with a peer, in the suite that the peer has signed for, and the offer for
// it. There is no other suite to fall back to.
func agreeInitiate(d Device, e keypair.PrivateKey[key.Ephemeral], peer directory.Peer, generation, heard uint64) (suite, offer, secret.Bytes, error) {
	x := x3dhInitiate(d.identity, e, peer.Identity(), peer.PreKey())
	bundle, ok := peer.Bundle()
	if !ok {
		agreed, err := x.key(labelX3DH, double.AgreedSize)
		return classic, offer{}, agreed, err
	}
	o := offer{generation: generation, heard: heard, bundle: bundle.Number()}
	kem, oneTime := bundle.MLKEM(), key.PublicKey[key.OneTime]{}
	if claimed, ok := peer.OneTime(); ok {
		kem, oneTime, o.oneTime = claimed.MLKEM(), claimed.Key(), claimed.ID()
		x.add(keypair.Agree(e, oneTime))
	}
	shared, ciphertext := kem.Encapsulate()
	copy(o.ciphertext[:], ciphertext)
	who := roles{d.person, peer.Person(), d.identity.Public(), peer.Entry()}
	agreed, err := x.hybridKey(who, e.Public(), o, peer.PreKey(), oneTime, kem, shared)
	return hybrid, o, agreed, err
}

// agreeAccept returns the key of a session that the peer of that identity began with the ephemeral key, and the pre-key that it
// used; o is nil in the classic suite.
func agreeAccept(d Device, peer key.Address, identity key.PublicKey[key.Identity], e key.PublicKey[key.Ephemeral], o *offer) (
	secret.Bytes, keypair.PrivateKey[key.PreKey], error) {
	if o == nil {
		agreed, err := x3dhAccept(d.identity, d.preKey, identity, e).key(labelX3DH, double.AgreedSize)
		return agreed, d.preKey, err
	}
	agreed, own, err := agreeAcceptHybrid(d, peer, identity, e, *o)
	return agreed, own.preKey, err
}

func agreeAcceptHybrid(d Device, peer key.Address, identity key.PublicKey[key.Identity], e key.PublicKey[key.Ephemeral], o offer) (
	secret.Bytes, preKeys, error) {
	published, err := d.findPreKeys(o.bundle)
	if err != nil {
		return secret.Bytes{}, published, err
	}
	x := x3dhAccept(d.identity, published.preKey, identity, e)
	kem, oneTime := published.mlkem, key.PublicKey[key.OneTime]{}
	if o.oneTime > d.issued {
		return secret.Bytes{}, published, fmt.Errorf("%w: %w", ErrNotYet, errNotIssued)
	}
	if o.oneTime != 0 {
		own, ok := d.findOneTime(o.oneTime)
		if !ok {
			return secret.Bytes{}, published, ErrOneTimeUsed
		}
		kem, oneTime = own.mlkem, own.key.Public()
		x.add(keypair.Agree(own.key, e))
	}
	shared, err := kem.Expose().Decapsulate(o.ciphertext[:])
	if err != nil {
		return secret.Bytes{}, published, key.Malformed(err)
	}
	who := roles{peer, d.person, identity, d.Entry()}
	agreed, err := x.hybridKey(who, e, o, published.preKey.Public(), oneTime, kem.Expose().EncapsulationKey(), shared)
	return agreed, published, err
}

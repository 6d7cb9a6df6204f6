package session

import (
	"bytes"
	"crypto/hkdf"
	"crypto/mlkem"
	"crypto/sha512"
	"crypto/subtle"
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
// fall back to.
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
	proof      [proofSize]byte // that the initiator holds its identity key
}

// proofSize is the size of a proof in bytes: nobody guesses one.
const proofSize = 16

// roles names the two devices of an agreement by what the registrations say about them, for the transcript.
type roles struct {
	initiator, responder key.Address // persons
	initiatorIdentity    key.PublicKey[key.Identity]
	responderEntry       directory.Entry
}

// head returns the part of the transcript that the responder knows without a one-time pre-key.
func (o offer) head(who roles, e key.PublicKey[key.Ephemeral], preKey key.PublicKey[key.PreKey]) []byte {
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
	w.Fixed(o.ciphertext[:])
	return w.Bytes()
}

// proof returns what shows, once the three results are added and nothing else, that the initiator holds its identity key: also
// to a responder that has erased the one-time pre-key.
func (x *agreement) proof(head []byte) ([proofSize]byte, error) {
	hash := sha512.Sum512(head)
	b, err := x.key(labelProof+"\x00"+string(hash[:]), proofSize)
	if err != nil {
		return [proofSize]byte{}, err
	}
	return [proofSize]byte(b.Expose()), nil
}

// hybridKey finishes a hybrid agreement: x holds the three results and, if there is a one-time pre-key, that of it, to which the
// encapsulated secret is added.
func (x *agreement) hybridKey(head []byte, oneTime key.PublicKey[key.OneTime], kem *mlkem.EncapsulationKey768,
	shared []byte) (secret.Bytes, error) {
	x.add(secret.Own(shared), nil)
	hash := sha512.Sum512(append(append(head, oneTime.Bytes()...), kem.Bytes()...))
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
	claimed, isOneTime := peer.OneTime()
	if isOneTime {
		kem, oneTime, o.oneTime = claimed.MLKEM(), claimed.Key(), claimed.ID()
	}
	shared, ciphertext := kem.Encapsulate()
	copy(o.ciphertext[:], ciphertext)
	head := o.head(roles{d.person, peer.Person(), d.identity.Public(), peer.Entry()}, e.Public(), peer.PreKey())
	var err error
	if o.proof, err = x.proof(head); err != nil {
		return hybrid, o, secret.Bytes{}, err
	}
	if isOneTime {
		x.add(keypair.Agree(e, oneTime))
	}
	agreed, err := x.hybridKey(head, oneTime, kem, shared)
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
	published, err := d.preKeys.find(o.bundle)
	if err != nil {
		return secret.Bytes{}, published, err
	}
	x := x3dhAccept(d.identity, published.preKey, identity, e)
	if o.oneTime > d.issued {
		return secret.Bytes{}, published, fmt.Errorf("%w: %w", ErrNotYet, errNotIssued)
	}
	head := o.head(roles{peer, d.person, identity, d.Entry()}, e, published.preKey.Public())
	proof, err := x.proof(head)
	switch {
	case err != nil:
		return secret.Bytes{}, published, err
	case subtle.ConstantTimeCompare(proof[:], o.proof[:]) == 0:
		return secret.Bytes{}, published, fmt.Errorf("%w: initiation", ErrForged)
	}
	kem, oneTime := published.mlkem, key.PublicKey[key.OneTime]{}
	if o.oneTime != 0 {
		own, ok := d.oneTime.find(o.oneTime)
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
	agreed, err := x.hybridKey(head, oneTime, kem.Expose().EncapsulationKey(), shared)
	return agreed, published, err
}

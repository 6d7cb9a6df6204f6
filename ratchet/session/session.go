package session

import (
	"crypto/sha256"
	"fmt"

	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/frame"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
	"github.com/trefoil-im/trefoil/state"
)

// Session is the value of a Vault[Session]: one slot for each pair of devices, however often the session in it is replaced.
// Each device of a person has a slot of its own.
type Session = state.One[Pair]

// SlotID names the slot of a device and a person's device. It stays the same for as long as both exist. The person is part
// of it: anybody can register a device that is somebody else's, and must not take its slot with that.
func SlotID(d Device, person key.Address, identity key.PublicKey[key.Identity]) state.ID {
	b := append([]byte(labelSlot+"\x00"), d.identity.Public().Bytes()...)
	b = append(b, person[:]...)
	return sha256.Sum256(append(b, identity.Bytes()...))
}

// New returns the slot for a device and a peer, without a session, or ErrNotReady if either is zero or both are the same
// device. Create it in the vault when either side wants to begin; state.ErrExists then says that it is there. When the other
// side claims to begin, call Decrypt with the new slot before you create it: anybody can claim, and a slot stays.
func New(d Device, peer directory.Peer) (Session, error) {
	if peer.Person().IsZero() || d.identity.IsZero() || peer.Identity().Equal(d.identity.Public()) {
		return Session{}, fmt.Errorf("%w: a session needs two devices", ErrNotReady)
	}
	p := Pair{
		person: d.person, self: d.identity.Public(), peer: peer.Person(), device: peer.Entry(),
		mailbox: keypair.GenerateSigningKey(), inbox: keypair.GenerateKey[key.Inbox](), pinned: classic,
	}
	if peer.IsHybrid() {
		p.pinned = hybrid
	}
	return state.NewOne(SlotID(d, peer.Person(), peer.Identity()), p)
}

// Initiate begins a session with a peer, or replaces the one there is by one of a newer generation. What is encrypted from
// now on goes through it; the sessions before still read what is in flight, and where either side reads stays the same.
// Nothing is sent yet: every message carries the initialization until an answer was read. Until then Initiate with the same
// keys of the peer goes on with that session; with another one-time pre-key it begins a new one.
//
// It returns ErrUnverified if the peer is another one, or is given without the bundle that it was known with before: there
// is no fallback to a weaker suite. It returns ErrNotReady for another device.
func Initiate(s Session, d Device, peer directory.Peer) (Session, error) {
	next, err := s.Part().initiate(d, peer)
	if err != nil {
		return s, classify(err)
	}
	return s.With(next), nil
}

// Outgoing is a frame and the mailbox it is for.
type Outgoing struct {
	To    key.Address
	Frame []byte
}

// Encrypt returns the frame for a message of at most MaxPlaintext bytes. It returns ErrNotReady if the message is longer or
// there is no session: see Initiate. Save the next value before the frame leaves; Send does both in one transaction.
func Encrypt(s Session, plaintext []byte) (Session, Outgoing, error) {
	if len(plaintext) > MaxPlaintext {
		return s, Outgoing{}, fmt.Errorf("%w: message is too long", ErrNotReady)
	}
	next, out, err := s.Part().encrypt(plaintext)
	if err != nil {
		return s, Outgoing{}, classify(err)
	}
	return s.With(next), out, nil
}

// Received is the content of a frame.
type Received struct {
	Plaintext   []byte
	Began       bool   // the frame began a session; frames that came before it may be readable now
	UsedOneTime uint32 // the one-time pre-key that it used, 0 for none: see Device.EraseOneTime
	newChain    bool   // it began a new chain of the peer's
}

// Decrypt reads a frame from the peer that came to the device's mailbox or to the pair's. Every error carries a verdict, except
// ErrNotReady for another device. On error the session returned is s; an initialization replaces a session only when its
// message was read.
func Decrypt(s Session, d Device, in []byte) (Session, Received, error) {
	p := s.Part()
	if !d.identity.Public().Equal(p.self) {
		return s, Received{}, fmt.Errorf("%w: another device's session", ErrNotReady)
	}
	f, err := frame.Parse(in)
	if err != nil {
		return s, Received{}, classify(err)
	}
	next, r, err := p.decrypt(d, f)
	if err != nil {
		return s, Received{}, classify(err)
	}
	return s.With(next), r, nil
}

// NewRegistration signs a registration of 1 to directory.MaxDevices devices: first those that are registered already (see
// Person.Entries), then new ones. It returns key.ErrMalformed for another number or a device that is named twice, and
// key.ErrArgument for a zero key.
func NewRegistration(user keypair.SigningKey, account key.PublicKey[key.Account],
	entries ...directory.Entry) (directory.Registration, error) {
	return directory.NewRegistration(user.Public(), account, user.Sign, entries...)
}

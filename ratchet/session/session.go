package session

import (
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/frame"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
	"github.com/trefoil-im/trefoil/state"
)

// Session is the value of a Vault[Session]: one slot for each pair of devices, however often the session in it is replaced.
// Each device of a person has a slot of its own.
type Session = state.One[Pair]

// SlotID names the slot of the device and a person's device of that name (see directory.Peer.Name). It stays the same for as
// long as both exist. The person is part of it: anybody can register a device that is somebody else's, and must not take its
// slot with that.
func (d Device) SlotID(person key.Address, name key.PublicKey[key.Identity]) state.ID {
	b := append([]byte(labelSlot+"\x00"), d.name.Bytes()...)
	b = append(b, person[:]...)
	return sha256.Sum256(append(b, name.Bytes()...))
}

// New returns the slot for a device and a peer, without a session, or ErrNotReady if either is zero or both are the same
// device. Create it in the vault when either side wants to begin; state.ErrExists then says that it is there. When the other
// side claims to begin, call Decrypt with the new slot before you create it: anybody can claim, and a slot stays.
func New(d Device, peer directory.Peer) (Session, error) {
	if peer.Person().IsZero() || d.identity.IsZero() || peer.Name().Equal(d.name) {
		return Session{}, fmt.Errorf("%w: a session needs two devices", ErrNotReady)
	}
	p := Pair{
		person: d.person, self: d.name, renewals: d.renewals, identity: d.identity.Public(), peer: peer.Person(), device: peer.Entry(),
		mailbox: keypair.GenerateSigningKey(), inbox: keypair.GenerateKey[key.Inbox](),
		sessions: sessions{pinned: classic},
	}
	if peer.IsHybrid() {
		p.sessions.pinned = hybrid
	}
	return state.NewOne(d.SlotID(peer.Person(), peer.Name()), p)
}

// Initiate begins a session with a peer, or replaces the one there is by one of a newer generation. What is encrypted from
// now on goes through it; the sessions before still read what is in flight, and where either side reads stays the same.
// Nothing is sent yet: every message carries the initiation until an answer was read. Until then Initiate with the same
// keys of the peer goes on with that session; with another one-time pre-key it begins a new one.
//
// It returns ErrUnverified if the peer is another one, or is given with an older bundle than was used before, or without one:
// there is no fallback to a weaker suite or to keys that were replaced. It returns ErrNotReady for another device.
func Initiate(s Session, d Device, peer directory.Peer) (Session, error) {
	own, err := s.Part().of(d)
	if err != nil {
		return s, classify(err)
	}
	next, err := own.initiate(peer)
	if err != nil {
		return s, classify(err)
	}
	return s.With(next.Pair), nil
}

// Refresh returns the slot with what the registrations of both devices say now: if the keys of either were renewed (see
// Device.Renew), the sessions with the old ones end. Otherwise it returns s. Initiate and Send do the same. Call it for the
// sender of an initiation that was looked up, before the frame is read: the slot does not know other keys of the peer.
//
// It returns ErrUnverified for another peer and for keys of the peer that were renewed since, and ErrNotReady for another
// device or an older copy of it.
func Refresh(s Session, d Device, peer directory.Peer) (Session, error) {
	own, err := s.Part().of(d)
	if err != nil {
		return s, err
	}
	next, err := own.facing(peer)
	if err != nil || next.moves == s.Part().moves {
		return s, err
	}
	return s.With(next.Pair), nil
}

// Outgoing is a frame and the mailbox it is for.
type Outgoing struct {
	To    key.Address
	Frame []byte

	// Ephemeral is the initiator's key if the frame is an initiation, and zero otherwise. First says that it is the first one of its
	// session, which begins with it.
	Ephemeral key.PublicKey[key.Ephemeral]
	First     bool
}

// Encrypt returns the frame for a message of at most MaxPlaintext bytes. It returns ErrNotReady if the message is longer or
// there is no session to send on: see Initiate. Now dates it in the log of what can be sent again. Save the next value before
// the frame leaves; Send does both in one transaction.
func Encrypt(s Session, now time.Time, plaintext []byte) (Session, Outgoing, error) {
	if len(plaintext) > MaxPlaintext {
		return s, Outgoing{}, fmt.Errorf("%w: message is too long", ErrNotReady)
	}
	next, out, err := s.Part().encrypt(now, plaintext)
	if err != nil {
		return s, Outgoing{}, classify(err)
	}
	return s.With(next), out, nil
}

// Received is the content of a frame. It shows no plaintext when printed.
type Received struct {
	plaintext   secret.Bytes
	Began       bool   // the frame began a session; frames that came before it may be readable now
	UsedOneTime uint32 // the one-time pre-key that it used, 0 for none: see Device.EraseOneTime
	Silent      bool   // there is no text in it: it is a notice of the peer's, or a copy of what was read before
	retry       bool   // frames that are retained may be readable now
}

// Plaintext returns what the peer sent. The slice is the caller's.
func (r Received) Plaintext() []byte { return r.plaintext.Expose() }

// Decrypt reads a frame from the peer that came to the device's mailbox or to the pair's. Every error carries a verdict, except
// ErrNotReady for another device. On error the session returned is s; an initiation replaces a session only when its
// message was read. Only Opener notes that a frame was not read; here what Pair.Due says follows from messages that are missing
// among those that were read.
func Decrypt(s Session, d Device, in []byte) (Session, Received, error) {
	next, r, err := decrypt(s, d, in)
	if err != nil {
		return s, Received{}, err
	}
	return next, r, nil
}

// decrypt is Decrypt, except that it returns, with an error, a session that notes what the frame waits for and that it is not read.
func decrypt(s Session, d Device, in []byte) (Session, Received, error) {
	own, err := s.Part().of(d)
	if err != nil {
		return s, Received{}, err
	}
	f, err := frame.Parse(in)
	next, r := own, Received{}
	if err == nil {
		next, r, err = own.decrypt(f)
	}
	if isUnread(err) && next.sessions.pinned == hybrid && !next.unread {
		next.unread = true
		next.moves++
	}
	switch {
	case wanting(err):
		next.waits = abilitiesOf(d)
		next.moves++
	case err == nil && next.waits != abilities{} && next.waits != abilitiesOf(d):
		next.waits, r.retry = abilities{}, true
	}
	return s.With(next.Pair), r, classify(err)
}

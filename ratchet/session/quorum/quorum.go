// Package quorum takes over what the deployed messenger Quorum stores and sends, and hands it back: sessions and sealed
// boxes as JSON.
//
// A conversation with somebody who uses the deployed client needs the classic suite of package session and, on the way to
// and from the deployed client's own transport, Sealed: FromFrame takes the box out of a frame that session.Encrypt made, and
// Sealed.Frame returns the frame of a box that came, for session.Decrypt. Import and Export move a session between the deployed
// client and this library.
package quorum

import (
	"fmt"

	"github.com/trefoil-im/trefoil/ratchet/session"
	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/box"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/double"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/frame"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
)

// Session is what the deployed client stores of a session. It holds private keys.
type Session struct {
	_           [0]func()
	Ephemeral   key.PublicKey[key.Ephemeral] // of whoever began the session
	Ratchet     []byte                       // JSON, in which every key is in plain
	Mailbox     keypair.SigningKey           // of the inbox in which this side reads answers
	Inbox       keypair.PrivateKey[key.Inbox]
	PeerMailbox key.Address // where the other side reads, zero if it did not say so yet
	PeerInbox   key.PublicKey[key.Inbox]
}

// Import returns the slot for a device and a peer with a session taken over from the deployed client, which must not go on
// using it. It returns session.ErrMalformed or session.ErrNotReady if the session is not whole.
func Import(d session.Device, peer directory.Peer, from Session) (session.Session, error) {
	r, err := double.ParseJSON(from.Ratchet)
	if err != nil {
		return session.Session{}, fmt.Errorf("%w: %w", session.ErrMalformed, err)
	}
	return session.Classic{Ephemeral: from.Ephemeral, Ratchet: r, Mailbox: from.Mailbox,
		Inbox: from.Inbox, PeerMailbox: from.PeerMailbox, PeerInbox: from.PeerInbox}.Import(d, peer)
}

// Export returns the session of a slot for the deployed client to go on with. Nothing may be sent or read in the slot from
// then on. It returns session.ErrNotReady if the slot holds none of the classic suite.
func Export(s session.Session) (Session, error) {
	c, err := s.Part().Classic()
	if err != nil {
		return Session{}, err
	}
	raw, err := c.Ratchet.JSON()
	return Session{Ephemeral: c.Ephemeral, Ratchet: raw, Mailbox: c.Mailbox, Inbox: c.Inbox,
		PeerMailbox: c.PeerMailbox, PeerInbox: c.PeerInbox}, err
}

// String names the session and shows none of its keys.
func (s Session) String() string { return "session of " + s.Ephemeral.String() }

// GoString is String.
func (s Session) GoString() string { return s.String() }

// Sealed is a sealed box as the deployed client sends it: in direct conversations, and to hubs and sync targets, in space
// manifests and published invites.
type Sealed struct {
	Ephemeral key.PublicKey[key.Ephemeral] // travels beside the box
	Box       []byte                       // JSON
}

// Seal seals plaintext, at most 4 MiB, for the holder of an inbox key. It returns key.ErrArgument for a longer one.
func Seal(to key.PublicKey[key.Inbox], plaintext []byte) (Sealed, error) {
	b, err := box.Seal(to, plaintext)
	if err != nil {
		return Sealed{}, err
	}
	return Sealed{b.Ephemeral(), b.JSON()}, nil
}

// Open opens a box, or returns key.ErrForged or key.ErrMalformed.
func (s Sealed) Open(inbox keypair.PrivateKey[key.Inbox]) ([]byte, error) {
	b, err := box.ParseJSON(s.Ephemeral, s.Box)
	if err != nil {
		return nil, err
	}
	return b.Open(inbox)
}

// Frame returns the frame of a box that came from the deployed client, for session.Decrypt, or key.ErrMalformed.
func (s Sealed) Frame() ([]byte, error) {
	b, err := box.ParseJSON(s.Ephemeral, s.Box)
	if err != nil {
		return nil, err
	}
	return frame.Frame{Kind: frame.Classic, Box: b}.Marshal(), nil
}

// FromFrame returns the box of a frame that session.Encrypt made for the deployed client, or key.ErrMalformed for any other
// frame.
func FromFrame(b []byte) (Sealed, error) {
	f, err := frame.Parse(b)
	if err != nil {
		return Sealed{}, err
	}
	if f.Kind != frame.Classic {
		return Sealed{}, fmt.Errorf("%w: a frame of the hybrid suite", key.ErrMalformed)
	}
	return Sealed{f.Box.Ephemeral(), f.Box.JSON()}, nil
}

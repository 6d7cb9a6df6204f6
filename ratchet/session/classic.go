package session

import (
	"fmt"

	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/double"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
)

// Classic is one session of the classic suite on its way from or to the deployed client. Most programs do not use it: see
// package quorum.
type Classic struct {
	Ephemeral   key.PublicKey[key.Ephemeral] // of whoever began the session
	Ratchet     double.Ratchet
	Mailbox     keypair.SigningKey // where this side reads
	Inbox       keypair.PrivateKey[key.Inbox]
	PeerMailbox key.Address // where the other side reads, zero if it did not say so yet
	PeerInbox   key.PublicKey[key.Inbox]
}

// Import returns the slot for a device and a peer with this one session. Most programs do not call it: see quorum.Import.
func (from Classic) Import(d Device, peer directory.Peer) (Session, error) {
	s, err := New(d, peer)
	if err != nil {
		return Session{}, err
	}
	if from.Mailbox.IsZero() || from.Inbox.IsZero() {
		return Session{}, fmt.Errorf("%w: a session without an inbox", ErrNotReady)
	}
	t, err := newRatchetSession(classic, 1, from.Ephemeral, from.Ratchet)
	if err != nil {
		return Session{}, classify(err)
	}
	t.awaitingReply = from.Ephemeral.Step().Equal(from.Ratchet.Own().Public())
	if !t.awaitingReply {
		t.lastRead = 1
	}
	p := s.Part()
	p.sessions.pinned = classic
	p.mailbox, p.inbox = from.Mailbox, from.Inbox
	p.route = route{from.PeerMailbox, from.PeerInbox}
	p.sessions = p.sessions.with(t)
	p.moves++
	return s.With(p), nil
}

// Classic returns the session that messages are sent on, or ErrNotReady if there is none or it is of the hybrid suite. Most
// programs do not call it: see quorum.Export.
func (p Pair) Classic() (Classic, error) {
	if len(p.sessions.list) == 0 || p.sessions.list[0].suite != classic {
		return Classic{}, fmt.Errorf("%w: no session of the classic suite", ErrNotReady)
	}
	t := p.sessions.list[0]
	return Classic{t.ephemeral, t.ratchet, p.mailbox, p.inbox, p.route.mailbox, p.route.inbox}, nil
}

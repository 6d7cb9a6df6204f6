package session

import (
	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
	"github.com/trefoil-im/trefoil/state"
)

// Pair is what one device holds about one other: where to send, and the sessions between the two. It is immutable, safe to
// share, and shows nothing when printed. It is the part of a Session.
type Pair struct {
	_      [0]func()
	person key.Address                 // one's own
	self   key.PublicKey[key.Identity] // the name of one's own device
	peer   key.Address                 // the person that the other device speaks for
	device directory.Entry             // what its person's registration says about it

	// The keys of one's own device that the sessions are made with.
	renewals uint32
	identity key.PublicKey[key.Identity]

	// Where this device reads answers, and where the other does; the latter is none until it was told. Neither changes
	// when a session is replaced. Clear draws the former anew.
	mailbox keypair.SigningKey
	inbox   keypair.PrivateKey[key.Inbox]
	route   route
	homes   uint32 // how often mailbox and inbox were drawn anew; never falls

	moves    uint64 // how often this value was changed; never falls
	bundle   uint32 // the highest number of a bundle of the peer's that was used, ever
	waits    abilities
	sessions sessions
	healing
}

// IsZero reports whether there is no pair. A Pair without sessions is not zero.
func (p Pair) IsZero() bool { return p.inbox.IsZero() }

// Mailbox is the address at which the device reads what the other sends in a session. It was made for this pair.
func (p Pair) Mailbox() key.Address { return p.mailbox.Public().Address() }

// MailboxKey is the key whose address that is. A relay asks for it and a signature (see Sign) before it lets a device read there.
func (p Pair) MailboxKey() key.VerifyKey { return p.mailbox.Public() }

// Sign signs a statement to a server with the key of the pair's mailbox, as Device.Sign does with that of the device's.
func (p Pair) Sign(statement []byte) []byte { return p.mailbox.Sign(key.Statement(statement)) }

// Peer returns the other device's person and name.
func (p Pair) Peer() (key.Address, key.PublicKey[key.Identity]) { return p.peer, p.device.Name() }

// Sessions returns the number of sessions side by side: 0 before the first one.
func (p Pair) Sessions() int { return len(p.sessions.list) }

// IsReady reports whether there is a session to send on that the peer is likely to read. It is false before the first one,
// after Restore, after the peer began a session as one does that was set back to an old copy, and once Maintain found that it has
// not answered for 30 days. Then Initiate; Send does.
func (p Pair) IsReady() bool { return p.sessions.isReady() }

// IsPostQuantum reports whether what is sent next goes through a session that was agreed in the hybrid suite.
func (p Pair) IsPostQuantum() bool { return p.sessions.isPostQuantum() }

// UsedOneTime returns the one-time pre-keys that the sessions held have used. OneTimeUsed reported each when its session
// began; after a restart give them to Device.EraseOneTime again, since the program may have ended in between.
func (p Pair) UsedOneTime() (ids []uint32) {
	for _, t := range p.sessions.list {
		if t.usedOneTime != 0 {
			ids = append(ids, t.usedOneTime)
		}
	}
	return ids
}

// String names both devices.
func (p Pair) String() string {
	return "session of " + p.self.String() + " with " + p.device.Name().String()
}

// GoString is String.
func (p Pair) GoString() string { return p.String() }

// Succeeds implements state.Part: a pair stays that of the same devices, and nothing of it goes back.
func (p Pair) Succeeds(prev Pair) error {
	if !p.self.Equal(prev.self) || !p.device.Name().Equal(prev.device.Name()) ||
		p.renewals < prev.renewals || p.device.Renewals() < prev.device.Renewals() ||
		!p.inbox.Equal(prev.inbox) && p.homes <= prev.homes || p.homes < prev.homes ||
		p.moves < prev.moves || p.sessions.pinned < prev.sessions.pinned ||
		p.said < prev.said || p.notices < prev.notices {
		return state.ErrStale
	}
	if p.renewals == prev.renewals && p.device.Renewals() == prev.device.Renewals() &&
		(p.sessions.generation < prev.sessions.generation || p.sessions.accepted < prev.sessions.accepted ||
			p.bundle < prev.bundle || p.heard < prev.heard) {
		return state.ErrStale
	}
	return nil
}

// home is where the device reads answers.
func (p Pair) home() route { return route{p.Mailbox(), p.inbox.Public()} }

// begunAnew returns the pair for other keys of either device, as if there had never been a session.
func (p Pair) begunAnew() Pair {
	p.sessions = p.sessions.begunAnew()
	p.moves++
	return p
}

// Clear returns the pair without its sessions, their keys and its log, as after New, but with all that it needs to refuse what was
// recorded: an initiation that was accepted before is never accepted again. Keep it instead of deleting the row, which
// would forget that. The peer has to be told, or begins anew, before it is read again; this device reads at a new mailbox.
func (p Pair) Clear() Pair {
	p.mailbox, p.inbox = keypair.GenerateSigningKey(), keypair.GenerateKey[key.Inbox]()
	p.homes++
	p.route, p.waits = route{}, abilities{}
	p.sessions = p.sessions.ended()
	p.healing = p.healing.forgotten()
	p.moves++
	return p
}

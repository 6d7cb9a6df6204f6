package session

import (
	"fmt"
	"time"

	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
)

// Renew returns the device with other keys in place of all it has, for when they may have been stolen. Save it, let the person
// sign a registration with its new Entry in place of the old one, and publish its Bundle and new one-time pre-keys as those of
// a new device. It keeps its Name, so it keeps its row and its slots.
//
// The sessions that it has end: each slot is emptied when it is first used with the renewed device, and reads at a new mailbox.
// A peer that sees the registration ends its sessions with the device, begins anew, and refuses the stolen keys from then on
// (see Refresh). What was sent to the old keys and not read is lost, unless the peer can send it again (see Maintain).
func (d Device) Renew(now time.Time) Device {
	return Device{
		person: d.person, name: d.name, renewals: d.renewals + 1, identity: keypair.GenerateKey[key.Identity](),
		preKey: keypair.GenerateKey[key.PreKey](), mailbox: keypair.GenerateSigningKey(), inbox: keypair.GenerateKey[key.Inbox](),
		preKeys: []preKeys{newPreKeys(d.current().number+1, now)}, issued: d.issued,
	}
}

// withDevice returns the pair for the keys that its own device has now. If they were renewed, it has no session.
func (p Pair) withDevice(d Device) (Pair, error) {
	switch {
	case !d.name.Equal(p.self):
		return p, fmt.Errorf("%w: another device's session", ErrNotReady)
	case d.renewals < p.renewals:
		return p, fmt.Errorf("%w: an older copy of the device", ErrNotReady)
	case d.renewals > p.renewals:
		p = p.Clear().begunAnew()
		p.renewals, p.identity = d.renewals, d.identity.Public()
	}
	return p, nil
}

// refreshed returns the pair for the keys that both devices have now.
func (p Pair) refreshed(d Device, peer directory.Peer) (Pair, error) {
	next, err := p.withDevice(d)
	e := peer.Entry()
	switch {
	case err != nil:
		return p, err
	case peer.Person() != p.peer || !e.Name().Equal(p.device.Name()):
		return p, fmt.Errorf("%w: another peer", ErrUnverified)
	case e.Renewals() < p.device.Renewals() || e.Renewals() == p.device.Renewals() && !e.Identity().Equal(p.device.Identity()):
		return p, fmt.Errorf("%w: keys that were renewed since", ErrUnverified)
	case e.Renewals() > p.device.Renewals():
		next = next.begunAnew()
		next.device, next.bundle, next.route = e, 0, route{}
		next.healing = next.healing.withOtherKeys()
	}
	return next, nil
}

// begunAnew returns the pair as one that has never seen a session, for other keys of either device: nothing that was recorded
// opens with them, and a thief that began sessions with the old ones shall not have used up the generations.
func (p Pair) begunAnew() Pair {
	p.sessions, p.seen, p.generation, p.accepted, p.floor, p.restored, p.beginNext = nil, nil, 0, 0, 0, false, false
	p.moves++
	return p
}

// Clear returns the pair without its sessions, their keys and its log, as after New, but with all that it needs to refuse what was
// recorded: an initiation that was accepted before is never accepted again. Keep it instead of deleting the row, which
// would forget that. The peer has to be told, or begins anew, before it is read again; this device reads at a new mailbox.
func (p Pair) Clear() Pair {
	p.mailbox, p.inbox = keypair.GenerateSigningKey(), keypair.GenerateKey[key.Inbox]()
	p.homes++
	p.route, p.sessions, p.waits, p.restored, p.beginNext = route{}, nil, abilities{}, false, false
	p.healing = p.healing.forgotten()
	p.moves++
	return p
}

package session

import (
	"time"

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
		preKeys: preKeyList{newPreKeys(d.BundleNumber()+1, now)}, issued: d.issued,
	}
}

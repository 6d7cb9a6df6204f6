// Package rules holds what the owners of a space decide: its [Policy], and the [Rights] that they give to members. A space begins with a
// policy (ratchet.NewSpace); steps change it and give rights (step.SetPolicy, step.Appoint), and ratchet.Info and ratchet.Members show both.
package rules

import (
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// Policy says how a space works, signed by its owners. A step changes all but Scheme, RootScheme and KEM. Fields left at their zero
// values take the defaults.
type Policy struct {
	// Scheme is the signature scheme of members, Ed25519 by default.
	Scheme string
	// RootScheme is that of the root owner key, by which owners are named: by default Scheme. Ed448 lets several people hold the key
	// together (ratchet.ProposeOwners), from the first day or later; it adds 75 bytes to each rekey and ticket.
	RootScheme string
	// KEM is the mechanism by which secrets are boxed to members, MLKEM768X25519 by default.
	KEM uint16
	// Unpadded leaves messages as long as they are. By default they are padded, which adds at most 12 %.
	Unpadded bool
	// MembersMayInvite lets members ask owners for links to hand on.
	MembersMayInvite bool
	// NoDevices keeps members from bringing further devices of theirs (step.InviteDevice). Owners can.
	NoDevices bool
	// RekeyHours is the interval of rekeys in hours, 0 for none.
	RekeyHours uint16
}

// What a Policy chooses from: the signature schemes of RFC 8032 by their names, and the KEMs by their numbers in the HPKE registry, which
// are part of the format. MLKEM768X25519 stays closed to quantum computers
// (public key 1,216 bytes, box 1,136 more than its content). X25519 (RFC 9180; 32 and 48 bytes) is for very large spaces in
// which the size of rekeys counts.
const (
	Ed25519 = string(suite.Ed25519)
	Ed448   = string(suite.Ed448)

	MLKEM768X25519 = uint16(suite.MLKEM768X25519)
	X25519         = uint16(suite.X25519)
)

// Rights is what a role lets a member do beside what all may: a sum of MayInvite, MayRemove and MayTitle.
type Rights = proto.Rights

// The rights. MayInvite: it may ask owners for links, also where members may not. MayRemove: it may remove members that are no owners.
// MayTitle: it may name the space.
const (
	MayInvite = proto.MayInvite
	MayRemove = proto.MayRemove
	MayTitle  = proto.MayTitle
)

package ratchet

import (
	"cmp"

	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// Policy says how a space works, signed by its owners. SetPolicy changes all but Scheme, RootScheme and KEM. Fields left at their zero
// values take the defaults.
type Policy struct {
	// Scheme is the signature scheme of members, Ed25519 by default.
	Scheme string
	// RootScheme is that of the root owner key, by which owners are named: by default Scheme. Ed448 lets several people hold the key
	// together (ProposeOwners), from the first day or later; it adds 75 bytes to each rekey and ticket.
	RootScheme string
	// KEM is the mechanism by which secrets are boxed to members, MLKEM768X25519 by default.
	KEM uint16
	// Unpadded leaves messages as long as they are. By default they are padded, which adds at most 12 %.
	Unpadded bool
	// MembersMayInvite lets members ask owners for links to hand on.
	MembersMayInvite bool
	// NoDevices keeps members from bringing further devices of theirs (InviteDevice). Owners can.
	NoDevices bool
	// RekeyHours is the interval of rekeys in hours, 0 for none.
	RekeyHours uint16
}

// rootScheme returns the scheme of the root owner key of a new space.
func (p Policy) rootScheme() suite.Scheme {
	return suite.Scheme(cmp.Or(p.RootScheme, p.Scheme, Ed25519))
}

// encode returns the policy as it is signed. It returns ErrPolicy for a scheme or KEM that is none of the protocol's.
func (p Policy) encode() (out proto.Policy, err error) {
	if p.Scheme == "" {
		p.Scheme = Ed25519
	}
	if p.KEM == 0 {
		p.KEM = MLKEM768X25519
	}
	for _, s := range suite.Suites() {
		if string(s.Scheme()) == p.Scheme && uint16(s.KEM()) == p.KEM {
			out.Suite = s
		}
	}
	if !out.Suite.Valid() || !p.rootScheme().Valid() {
		return proto.Policy{}, outcome.ErrPolicy
	}
	if out.Padding = proto.Padme; p.Unpadded {
		out.Padding = proto.NoPadding
	}
	out.MembersMayInvite, out.NoDevices, out.RekeyInterval = p.MembersMayInvite, p.NoDevices, p.RekeyHours
	return out, nil
}

// policyOf returns a policy that was signed, of a space with a root owner key of a scheme.
func policyOf(p proto.Policy, root suite.Scheme) Policy {
	return Policy{
		RootScheme: string(root), Scheme: string(p.Suite.Scheme()), KEM: uint16(p.Suite.KEM()), Unpadded: p.Padding == proto.NoPadding,
		MembersMayInvite: p.MembersMayInvite, NoDevices: p.NoDevices, RekeyHours: p.RekeyInterval,
	}
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

// Limits of what a program sends.
const (
	// MaxPlaintext is the longest plaintext of a message, in bytes. It keeps one message from costing every member more than a
	// few packets; files belong beside the conversation, under a key that a message carries.
	MaxPlaintext = proto.MaxPlaintext
	// MaxApplicationData is the longest application data of an introduction, in bytes: a name and the hash of a picture.
	MaxApplicationData = proto.MaxApplicationData
)

// PublicKey is a member's signing key. It can be compared with == and used as the key of a map. The zero PublicKey is none.
type PublicKey struct{ key suite.PublicKey }

// Scheme returns the key's signature scheme, "" for the zero PublicKey.
func (k PublicKey) Scheme() string { return string(k.key.Scheme()) }

// Bytes returns the key's encoding of RFC 8032: 32 bytes for Ed25519, 57 for Ed448, none for the zero PublicKey.
func (k PublicKey) Bytes() []byte { return k.key.Bytes() }

// IsZero reports whether there is no key.
func (k PublicKey) IsZero() bool { return k.key.IsZero() }

// String returns the first 8 bytes of the key in hexadecimal digits, for people to tell keys apart in a log.
func (k PublicKey) String() string { return k.key.String() }

// GoString is String.
func (k PublicKey) GoString() string { return k.String() }

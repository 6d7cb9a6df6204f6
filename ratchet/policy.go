package ratchet

import (
	"cmp"

	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/ratchet/rules"
)

// rootScheme returns the scheme of the root owner key of a new space.
func rootScheme(p rules.Policy) suite.Scheme {
	return suite.Scheme(cmp.Or(p.RootScheme, p.Scheme, rules.Ed25519))
}

// encodePolicy returns a policy as it is signed. It returns ErrPolicy for a scheme or KEM that is none of the protocol's.
func encodePolicy(p rules.Policy) (out proto.Policy, err error) {
	if p.Scheme == "" {
		p.Scheme = rules.Ed25519
	}
	if p.KEM == 0 {
		p.KEM = rules.MLKEM768X25519
	}
	for _, s := range suite.Suites() {
		if string(s.Scheme()) == p.Scheme && uint16(s.KEM()) == p.KEM {
			out.Suite = s
		}
	}
	if !out.Suite.Valid() || !rootScheme(p).Valid() {
		return proto.Policy{}, outcome.ErrPolicy
	}
	if out.Padding = proto.Padme; p.Unpadded {
		out.Padding = proto.NoPadding
	}
	out.MembersMayInvite, out.NoDevices, out.RekeyInterval = p.MembersMayInvite, p.NoDevices, p.RekeyHours
	return out, nil
}

// policyOf returns a policy that was signed, of a space with a root owner key of a scheme.
func policyOf(p proto.Policy, root suite.Scheme) rules.Policy {
	return rules.Policy{
		RootScheme: string(root), Scheme: string(p.Suite.Scheme()), KEM: uint16(p.Suite.KEM()), Unpadded: p.Padding == proto.NoPadding,
		MembersMayInvite: p.MembersMayInvite, NoDevices: p.NoDevices, RekeyHours: p.RekeyInterval,
	}
}

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

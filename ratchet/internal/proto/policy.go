package proto

import (
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// Policy says how a space works (§2). Its owner signs it with each root.
type Policy struct {
	Suite            suite.Suite
	MembersMayInvite bool
	NoDevices        bool // members bring no further devices of theirs
	Padding          Padding
	RekeyInterval    uint16 // hours, 0 none
}

// Padding says to what lengths contents are brought.
type Padding uint8

// The paddings.
const (
	NoPadding Padding = 0
	Padme     Padding = 1 // the default
)

// The flags of MembersMayInvite and NoDevices.
const (
	policyInvite    = 1
	policyNoDevices = 2
)

const policySize = 1 + 1 + 1 + 2

func (p Policy) write(w *wire.Writer) {
	w.U8(uint8(p.Suite))
	var flags uint8
	if p.MembersMayInvite {
		flags |= policyInvite
	}
	if p.NoDevices {
		flags |= policyNoDevices
	}
	w.U8(flags)
	w.U8(uint8(p.Padding))
	w.U16(p.RekeyInterval)
}

// Encode returns u8 suite ‖ u8 flags ‖ u8 padding ‖ u16 rekey interval.
func (p Policy) Encode() []byte { return encode(policySize, p.write) }

func readPolicy(r *wire.Reader) Policy {
	p := Policy{Suite: suite.Suite(r.U8())}
	flags := r.U8()
	p.MembersMayInvite, p.NoDevices = flags&policyInvite != 0, flags&policyNoDevices != 0
	p.Padding = Padding(r.U8())
	p.RekeyInterval = r.U16()
	if r.Err() == nil && (!p.Suite.Valid() || flags > policyInvite|policyNoDevices || p.Padding > Padme) {
		r.Fail("unknown policy")
	}
	return p
}

// ParsePolicy reads a policy.
func ParsePolicy(b []byte) (Policy, error) { return parseAll(b, policySize, readPolicy) }

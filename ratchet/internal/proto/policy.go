package proto

import (
	"fmt"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// Policy says how a space works. It is fixed when the space is made and signed by its owner. Fields left at their zero
// values take the defaults.
type Policy struct {
	// Scheme is the signature scheme of owners and members, Ed25519 by default.
	Scheme suite.Scheme
	// KEM is the mechanism by which secrets are boxed to members, MLKEM768X25519 by default.
	KEM suite.KEM
	// Repudiable allows members to leave out the signature of a message. Anybody in the space could have written it then.
	Repudiable bool
}

// policyRepudiable is the flag of Repudiable.
const policyRepudiable = 1

// WithDefaults fills in what is left open. It returns suite.ErrInvalid for a scheme or KEM that is none of this protocol.
func (p Policy) WithDefaults() (Policy, error) {
	if p.Scheme == "" {
		p.Scheme = suite.Ed25519
	}
	if p.KEM == 0 {
		p.KEM = suite.MLKEM768X25519
	}
	return p, p.check()
}

func (p Policy) check() error {
	if !p.Scheme.Valid() {
		return fmt.Errorf("%w: unknown signature scheme", suite.ErrInvalid)
	}
	if !p.KEM.Valid() {
		return fmt.Errorf("%w: unknown KEM", suite.ErrInvalid)
	}
	return nil
}

// write and readPolicy are the codec: vec8 scheme name ‖ u16 KEM ‖ u8 flags.
func (p Policy) write(w *wire.Writer) {
	w.Vec8([]byte(p.Scheme))
	w.U16(uint16(p.KEM))
	if p.Repudiable {
		w.U8(policyRepudiable)
	} else {
		w.U8(0)
	}
}

func readPolicy(r *wire.Reader) Policy {
	p := Policy{Scheme: suite.Scheme(r.Vec8(16)), KEM: suite.KEM(r.U16())}
	flags := r.U8()
	p.Repudiable = flags == policyRepudiable
	if r.Err() == nil && (flags > policyRepudiable || p.check() != nil) {
		r.Fail("unknown policy")
	}
	return p
}

package ratchet

import (
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/seizetest"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// Erased returns the keys that a space held before and must hold no more now that it has read the targets: their message
// keys, and the chain keys from which those followed.
func Erased(before Space, targets ...seizetest.Target) (keys [][]byte) {
	st := before.State()
	for _, t := range targets {
		e, ok := st.epoch(t.Epoch)
		if !ok {
			continue
		}
		c, _, err := e.chain(t.Sender)
		if err != nil {
			continue
		}
		next, key := c.key, secret.Bytes{}
		for n := c.next; n <= t.Number; n++ {
			keys = append(keys, next.Expose())
			if next, key = suite.StepChain(next); n == t.Number {
				keys = append(keys, key.Expose())
			}
		}
	}
	return keys
}

// NewAttacker returns an attacker on the space of a member.
func NewAttacker(member Space) *seizetest.Attacker {
	d := &edit{st: member.State(), tp: member.Template()}
	_, _, t, _ := d.preferred()
	return seizetest.New(member.ID(), t.template.Public, t.template.Depth)
}

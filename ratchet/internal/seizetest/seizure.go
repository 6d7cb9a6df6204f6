// Package seizetest is the attacker of the security tests: what somebody can do who has seized a device and heard everything on
// the wire.
package seizetest

import (
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/pprf"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// Seizure is what a stolen state holds, each thing in its place.
type Seizure struct {
	Shares []dkg.Share
	Boxes  []suite.KEMSecret
	Epochs []Epoch
}

// Epoch is what is known of an epoch. An attacker may know one twice, in different ways.
type Epoch struct {
	ID         proto.EpochID
	Generation uint64
	CommitKey  suite.AEAD
	Commits    pprf.CommitTree
	Senders    pprf.Frontier            // the sender tree down to the roots of blocks
	Blocks     map[uint32]pprf.Frontier // below them, by number
	Chains     []Chain
}

// Chain is a sender chain: the key of message Next, and those of messages left out.
type Chain struct {
	Index   dkg.Index
	Next    uint32
	Key     secret.Bytes
	Skipped map[uint32]secret.Bytes
}

// key returns the key of a message; ok is false if the chain does not lead to it.
func (c Chain) key(number uint32) (key secret.Bytes, ok bool) {
	if number < c.Next {
		key, ok = c.Skipped[number]
		return key, ok
	}
	chain := c.Key
	for range number - c.Next + 1 {
		chain, key = suite.StepChain(chain)
	}
	return key, true
}

// New returns an attacker on a space whose polynomial's commitment is known, as it is to every member.
func New(space state.ID, public dkg.Commitment, depth int) *Attacker {
	return &Attacker{space: space, public: public, depth: depth, seen: make(map[string]bool), tried: make(map[string]bool)}
}

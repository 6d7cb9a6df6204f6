package ratchet

import (
	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/pprf"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// FalseKey returns the epoch with another commit key.
func (e Claim) FalseKey() Claim {
	e.epoch.CommitKey = secret.Random(suite.KeySize)
	return e
}

// FalseTree returns the epoch with another commit tree.
func (e Claim) FalseTree() Claim {
	e.epoch.Tree = pprf.NewCommitTree(secret.Random(suite.KeySize), dkg.DefaultDepth)
	return e
}

// NoTree returns the epoch with nothing left of its commit tree but the subtree of one index that nobody has.
func (e Claim) NoTree() Claim {
	const depth = dkg.DefaultDepth
	shape := make([]byte, (2*(2*depth+1)+7)/8)
	for i := range 2*depth + 1 {
		kind := byte(2) // inner nodes, of which the left child is used up
		switch {
		case i == 2*depth:
			kind = 1 // and a key
		case i%2 == 1:
			kind = 0
		}
		shape[i/4] |= kind << (6 - 2*(i%4))
	}
	tree, err := pprf.DecodeCommitTree(append(shape, secret.Random(suite.KeySize).Expose()...), depth)
	if err != nil {
		panic(err)
	}
	e.epoch.Tree = tree
	return e
}

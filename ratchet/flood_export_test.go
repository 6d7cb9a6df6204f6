package ratchet

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/prototest"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// Flood is a message with n true commits of a member, in a chain or side by side, and a header that nothing opens.
func Flood(rng *rand.ChaCha8, s Space, n int, chain bool) []byte {
	d, _ := newEdit(s, time.Time{})
	at, r, t, _ := d.preferred()
	other := r.share
	var sealed []proto.SealedCommit
	for range n {
		c, ss, err := proto.NewCommit(d.st.space, at.id, t.template.Public, other)
		if err != nil {
			panic(err)
		}
		sealed = append(sealed, c.Seal(at.sealing, d.st.space, at.id))
		if chain {
			id := at.child(d.st.space, c)
			seed, _, err := at.commits.Eval(c.Index(), id)
			if err != nil {
				panic(err)
			}
			at = newEpoch(epochMeta{id: id, parent: at.id, root: at.root, generation: at.generation + 1, commit: c, depth: at.depth}, expandEpoch(suite.Extract(seed, ss), id))
		}
	}
	slices.Reverse(sealed)
	return prototest.Carrying(rng, sealed)
}

package ratchet

import (
	"slices"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

func opensFrom(space state.ID, x epoch, chain secret.Bytes, h proto.Header, e proto.Envelope) bool {
	var key secret.Bytes
	for range h.Number + 1 {
		if chain, key = suite.StepChain(chain); opensWith(space, x, key, e) {
			return true
		}
	}
	return false
}

func opensWith(space state.ID, x epoch, key secret.Bytes, e proto.Envelope) bool {
	_, err := e.Open(space, x.id, key)
	return err == nil
}

// nodes returns the keys in the encoding of a tree: its shape, two bits a node, and then its keys.
func nodes(b []byte) (out [][]byte) {
	inner := 0
	for i := range 4 * len(b) {
		if i == 2*inner+1 {
			break // as many nodes as the inner ones seen so far have children, and the root
		}
		if b[i/4]>>(6-2*(i%4))&3 == 2 {
			inner++
		}
	}
	return slices.Collect(slices.Chunk(b[(2*(2*inner+1)+7)/8:], suite.KeySize))
}

// Since returns how many introductions a member's tickets hold.
func Since(s Space) int {
	d := &edit{st: s.State(), tp: s.Template()}
	_, r, t, _ := d.preferred()
	_, since := r.roster(r.named(t.notice))
	return len(since)
}

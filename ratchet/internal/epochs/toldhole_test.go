package epochs

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/internal/pprf"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// onlyLeaf returns a tree that was whole, of which one leaf alone is left in the subtree of 21 levels in which it lies: the decoder takes that, and
// would refuse the subtree once it is used up.
func onlyLeaf(t *testing.T, whole pprf.Frontier, bits int, leaf []byte) pprf.Frontier {
	enc := whole.Encode()
	require.Len(t, enc, 1+suite.KeySize)
	var shapes, keys []byte
	bit := func(i int) int { return int(leaf[i/8]>>(7-i%8)) & 1 }
	var walk func(key []byte, depth int)
	walk = func(key []byte, depth int) {
		if depth == bits {
			shapes, keys = append(shapes, 1), append(keys, key...)
			return
		}
		shapes = append(shapes, 2)
		both := suite.MAC(key, suite.MACPPRF)
		halves := [2][]byte{both[:suite.KeySize], both[suite.KeySize:]}
		for side := range 2 {
			switch {
			case side == bit(depth):
				walk(halves[side], depth+1)
			case bits-depth > 21:
				shapes, keys = append(shapes, 1), append(keys, halves[side]...)
			default:
				shapes = append(shapes, 0)
			}
		}
	}
	walk(enc[1:], 0)
	out := make([]byte, (len(shapes)+3)/4)
	for i, s := range shapes {
		out[i/4] |= s << (6 - 2*(i%4))
	}
	f, err := pprf.Decode(append(out, keys...), bits)
	require.NoError(t, err, "as a ticket is read")
	return f
}

// A state is read again whatever tree a ticket told, and whatever was derived from it then: here one that is left with a hole which no tree
// has (§6). So are the tickets that are made of it.
func TestToldTreeWithOneLeafLeft(t *testing.T) {
	for _, how := range []string{"the liar commits", "an honest member commits", "was used up before"} {
		t.Run(how, func(t *testing.T) {
			g := newGroup(t)
			a, m, j := g.member(1), g.member(2), g.bare(3)
			first := a.say(true)
			require.NoError(t, m.read(first))
			truth := m.ticket(TicketQuery{}, 1)
			maker := m
			if how != "the liar commits" {
				maker = a
			}
			made := maker.commit(first.epoch)
			msg := maker.send(maker.preferred().id)
			require.Equal(t, first.epoch, maker.preferred().parent)
			p, _ := a.f.Epoch(first.epoch)
			place := made[0].Commit.Core.Place(g.space, p.id, p.generation+1)
			lie := truth
			lie.Epochs = slices.Clone(truth.Epochs)
			at := slices.IndexFunc(lie.Epochs, func(e TicketEpoch) bool { return e.ID == p.id })
			lie.Epochs[at].CommitTree = onlyLeaf(t, lie.Epochs[at].CommitTree, g.root.Depth+pprf.ChildBits, p.path(maker.index, place))
			if how == "was used up before" {
				truth.Issuer = 4
				j.merge(truth)
				require.NoError(t, j.read(msg))
				j.merge(lie)
			} else {
				j.merge(lie)
				newDisk(t, j.f).load(g.space)
				require.NoError(t, j.read(msg))
			}
			d := newDisk(t, j.f)
			_, err := d.open().Load(context.Background(), g.space)
			require.NoError(t, err)
			_, err = pprf.Decode(j.ticket(TicketQuery{}, 1).Epochs[1].CommitTree.Encode(), g.root.Depth+pprf.ChildBits)
			require.NoError(t, err)
		})
	}
}

package epochs

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// shown returns the lists of a catalog as ids.
func (c catalog) shown() (out [4][]proto.EpochID) {
	for k, list := range [][]*meta{c.ids, c.families, c.makers, c.order} {
		for _, m := range list {
			out[k] = append(out[k], m.id)
		}
	}
	return out
}

// TestCatalog: whatever came and went, a catalog finds what is held, and one that was taken before is as it was.
func TestCatalog(t *testing.T) {
	id := func(n int) (id proto.EpochID) {
		if n > 0 {
			binary.BigEndian.PutUint32(id[28:], uint32(n))
			id[0] = byte(n * 37)
		}
		return id
	}
	rapid.Check(t, func(t *rapid.T) {
		var c catalog
		held := map[proto.EpochID]*meta{}
		for serial := range rapid.IntRange(0, 40).Draw(t, "steps") {
			before, shown := c, c.shown()
			k := rapid.IntRange(1, 20).Draw(t, "epoch")
			if m := held[id(k)]; m != nil {
				delete(held, m.id)
				c = c.without(m)
			} else {
				m = &meta{
					id: id(k), parent: id(rapid.IntRange(0, 4).Draw(t, "parent")), root: id(rapid.IntRange(21, 22).Draw(t, "root")),
					generation: rapid.Uint64Range(0, 3).Draw(t, "generation"), serial: uint64(serial),
					maker: Maker{Index: dkg.Index(rapid.Uint32Range(0, 3).Draw(t, "maker"))},
				}
				held[m.id] = m
				c = c.with(m)
			}
			require.Equal(t, shown, before.shown())
			var all []*meta
			children, made, of := map[proto.EpochID]int{}, map[dkg.Index]int{}, map[proto.EpochID]int{}
			for _, m := range held {
				all = append(all, m)
				children[m.parent]++
				made[m.maker.Index]++
				of[m.root]++
			}
			require.Equal(t, sorted(all).shown(), c.shown())
			for k := range 23 {
				require.Equal(t, held[id(k)], c.get(id(k)))
				require.Len(t, c.of(id(k)), of[id(k)])
				if k > 0 {
					require.Len(t, c.children(id(k)), children[id(k)])
				}
			}
			for i := range dkg.Index(4) {
				require.Len(t, c.madeBy(i), made[i])
				for _, m := range c.madeBy(i) {
					require.Equal(t, i, m.maker.Index)
				}
			}
			require.Empty(t, c.children(proto.EpochID{}), "a genesis has no parent")
		}
	})
}

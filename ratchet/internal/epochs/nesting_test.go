package epochs

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
)

// A forest is stored and loaded whatever the numbers in it: those of epochs, of indices and of messages each lie on several shelves of a
// table, in a derived and in a told forest, of which the places of many children are used up.
func TestNestingIsBounded(t *testing.T) {
	const most = 10 // see Forest.Encode
	deepest := 0
	for _, depth := range []int{pprfMinDepth, 14, dkg.MaxDepth} {
		for _, serial := range []uint64{0, 16<<epochGroupBits - 3, 1<<32 - 3, 1<<34 - 3} {
			t.Run(fmt.Sprintf("depth %d, serial %d", depth, serial), func(t *testing.T) {
				g := newGroup(t)
				g.root.Depth = depth
				last := dkg.Index(1<<depth - 1)
				a, b := g.member(1), g.member(last)
				a.f.serial += serial
				for range 4 {
					require.NoError(t, a.read(b.say(true)))
				}
				at := a.f.preferred
				for _, i := range []dkg.Index{2, last} {
					a.receive(at, i, 1_000)
					a.receive(at, i, 3_000)
				}
				j := g.bare(3)
				j.f.serial = serial
				j.merge(a.ticket(TicketQuery{}, 1))
				require.NoError(t, j.read(b.say(true)))
				for name, m := range map[string]*member{"derived": a, "told": j} {
					d := newDisk(t, m.f)
					loaded := d.load(g.space)
					require.True(t, m.f.one(t).Equal(loaded.one(t)), name)
					deepest = max(deepest, d.deepest())
					m.f = loaded
					require.NoError(t, m.read(b.say(true)), name)
					d.save(m.f)
					require.True(t, m.f.one(t).Equal(d.load(g.space).one(t)), name)
				}
			})
		}
	}
	require.Equal(t, most, deepest)
}

// deepest returns how many segments lie above one another, below the part.
func (d *disk) deepest() (n int) {
	for path := range d.records() {
		n = max(n, strings.Count(path, "/"))
	}
	return n
}

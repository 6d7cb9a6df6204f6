package ratchet

import (
	"bytes"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// aside takes a step on a copy of a device, and returns the copy and the parts of the rekey, which nobody got.
func (x *node) aside(s Step) (*node, []incoming) {
	n := x.net
	all := n.all
	defer func() { n.all = all }()
	y, spy := x.copyOf(x.name+" aside"), &node{net: n, name: "spy", space: x.space}
	n.all = []*node{spy}
	y.do(s)
	return y, slices.DeleteFunc(spy.mailbox, func(f incoming) bool { return f.data[0]&0xf != byte(proto.TypeRekey) })
}

// get gives frames to all others.
func (n *network) get(frames []incoming, all ...*node) {
	for _, x := range all {
		x.mailbox = append(x.mailbox, frames...)
	}
}

// removed it.
func TestRemovedOwnerTakesNobodyBack(t *testing.T) {
	n, all := five(t, 201)
	founder, b, stay := all[0], all[1], []*node{all[0], all[2], all[3], all[4]}
	founder.owners(founder, b)
	n.settle()
	before := b.copyOf("before")
	n.all = all
	b.do(Rekey())
	n.settle()
	made := b.rootID()
	founder.do(Remove(b.place()))
	n.settle()
	require.Equal(t, Removed, b.phase())
	root := founder.rootID()
	for found := 0; found < 2; {
		thief, frames := before.aside(Rekey())
		if id := thief.rootID(); bytes.Compare(id[:], made[:]) < 0 {
			found++
			n.get(frames, stay...)
		}
	}
	n.settle()
	for _, x := range stay {
		require.Equal(t, root, x.rootID(), x.name)
	}
	n.hears(stay...)
}

// What a barred root says of members is shown to nobody.
func TestBarredRootShowsNothing(t *testing.T) {
	n, all := five(t, 209)
	founder, b := all[0], all[1]
	founder.owners(founder, b)
	n.settle()
	before := b.copyOf("before")
	n.all = all
	founder.owners(founder)
	n.settle()
	n.forget()
	_, frames := before.aside(Remove(all[2].place()))
	n.get(frames, founder, all[3])
	n.settle()
	for _, x := range []*node{founder, all[3]} {
		require.False(t, x.has(Gone), x.name)
		require.Len(t, x.members(), 5, x.name)
	}
}

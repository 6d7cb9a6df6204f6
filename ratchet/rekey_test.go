package ratchet

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
)

// five returns a space of a founder and four others, in step.
func five(t *testing.T, seed uint64) (*network, []*node) { return fiveWith(t, seed, rules.Policy{}) }

// fiveWith is five, in a space with a policy.
func fiveWith(t *testing.T, seed uint64, p rules.Policy) (*network, []*node) {
	n := newNetwork(t, seed)
	all := []*node{n.found(p)}
	for _, name := range []string{"b", "c", "d", "e"} {
		all = append(all, n.member(all[0], name))
	}
	for _, x := range all {
		x.send("I am " + x.name)
	}
	n.settle()
	return n, all
}

// gen returns the rekey generation of the root in which a device sends.
func (x *node) gen() uint64 {
	e, ok := stateOf(x.space).forest.Preferred()
	require.True(x.net.t, ok, x.name)
	return rekeyOf(stateOf(x.space).forest, e)
}

func (x *node) index() uint32 { return uint32(stateOf(x.space).me().index) }

// forget drops what was read and reported so far.
func (n *network) forget() {
	for _, x := range n.all {
		x.read, x.events, x.reasons = nil, nil, nil
	}
}

// A member that is removed is told, and reads nothing of what is sent afterwards; the others miss nothing.
func TestRemove(t *testing.T) {
	n, all := five(t, 31)
	founder, gone := all[0], all[4]
	n.forget()
	founder.do(step.Remove(stateOf(gone.space).me().index))
	require.EqualValues(t, 1, founder.gen())
	n.settle()
	require.Equal(t, Removed, gone.phase())
	require.True(t, gone.has(WasRemoved))
	require.ErrorIs(t, gone.edit(func(d *edit) error { return d.say(inner("still here?")) }), ErrRemoved)
	for _, x := range all[:4] {
		require.EqualValues(t, 1, x.gen(), x.name)
		require.True(t, x.has(Rekeyed), x.name)
		require.Len(t, x.members(), 4, x.name)
		x.send("without you, says " + x.name)
	}
	n.settle()
	for _, x := range all[:4] {
		require.Len(t, x.texts(), 3, x.name)
		require.True(t, x.has(Gone), x.name)
	}
	require.Empty(t, gone.texts())
	n.now = n.now.Add(8 * 24 * time.Hour)
	n.settle()
	for _, x := range all {
		x.restart()
	}
}

// The epochs and roots of a space that is rekeyed more often than its members commit go like those of any other.
func TestRootsOfAQuietSpaceAreDropped(t *testing.T) {
	n := newNetwork(t, 210)
	founder := n.found(rules.Policy{RekeyHours: 24})
	b := n.member(founder, "b")
	n.settle()
	for range 50 {
		n.now = n.now.Add(24 * time.Hour)
		n.settle()
	}
	for _, x := range []*node{founder, b} {
		require.Less(t, len(stateOf(x.space).forest.Roots()), 45)
	}
	b.send("still there")
	n.settle()
	require.Contains(t, founder.texts(), "2: still there")
}

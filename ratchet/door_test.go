package ratchet

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/epochs"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/rules"
)

// Twins that nobody decided between send in epochs of their own making only, since they share the chain of their index in all others;
// so everybody reads both (D46). Each reads what others write below commits of the other one (D120).
func TestTwinsSendInEpochsOfTheirOwn(t *testing.T) {
	n := newNetwork(t, 80)
	founder := n.found(rules.Policy{})
	m := n.member(founder, "m")
	l := founder.invite(invite.Private(0))
	n.settle()
	founder.offline = true
	a, b := n.join(l, "a"), n.join(l, "b")
	n.settle()
	for _, x := range []*node{a, b} {
		require.Equal(t, Member, x.phase())
		n.twoDays()
		m.send("in an epoch of m's, for " + x.name)
		n.settle()
		x.send("of " + x.name)
		e, _ := stateOf(x.space).forest.Preferred()
		require.Equal(t, stateOf(x.space).me().maker(), e.Maker())
		n.settle()
		require.Contains(t, m.texts(), "3: of "+x.name)
	}
}

// What a member is told at its door: a statement that nobody may say, and epochs that a bound took.
func TestDoorEvents(t *testing.T) {
	n := newNetwork(t, 84)
	founder := n.found(rules.Policy{})
	m := n.member(founder, "m")
	n.settle()
	d, e, r := m.standing()
	m.saying(proto.Sign(proto.Revoke{Said: proto.Said{Root: r.ID()}, Epoch: e.ID(), Indices: []dkg.Index{900}}, r.Space(), d.st.me().signing))
	n.settle()
	require.True(t, founder.has(StatementRefused), "it is no owner's")
	require.False(t, founder.has(Gone))

	require.NoError(t, m.edit(func(d *edit) error {
		d.grow(d.st.forest, epochs.Change{GivenUp: 3})
		return nil
	}))
	require.True(t, m.has(EpochsGivenUp))
}

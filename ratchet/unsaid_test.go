package ratchet

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/rules"
)

// saying makes a device send a statement, whatever it thinks of it.
func (x *node) saying(s proto.Statement) {
	require.NoError(x.net.t, x.edit(func(d *edit) error {
		return d.say(proto.Inner{Statement: true, Plaintext: proto.EncodeStatement(s)})
	}))
}

// A statement beyond a bound waits, unread, until there is room: no bound loses what an owner said. It makes nobody send, or ask.
func TestStatementWaitsForRoom(t *testing.T) {
	n := newNetwork(t, 75)
	founder := n.found(rules.Policy{})
	m := n.member(founder, "m")
	n.settle()
	d, e, r := founder.standing()
	owner := d.st.me().signing
	revoke := func(indices ...dkg.Index) proto.Revoke {
		return proto.Sign(proto.Revoke{Said: proto.Said{Root: r.ID()}, Epoch: e.ID(), Indices: indices}, r.Space(), owner)
	}
	const many = 256
	var all []dkg.Index
	require.NoError(t, m.edit(func(d *edit) error {
		for i := range dkg.Index(many) {
			all = append(all, 1_000+i)
			if err := d.apply(revoke(1_000+i), r.ID()); err != nil {
				return err
			}
		}
		return nil
	}))
	founder.saying(revoke(900))
	n.settle()
	require.Len(t, m.retained, 1)
	gone := func() bool {
		_, _, r := m.standing()
		return r.Gone(900)
	}
	require.False(t, gone())
	m.restart()
	require.False(t, Due(m.space, n.now).Send)

	founder.saying(revoke(all...)) // it contains the others, of which one goes
	n.settle()
	require.Empty(t, m.retained)
	require.True(t, gone())
	require.False(t, m.has(StatementRefused))
}

// A statement that names a root that is not held waits until it is (D80).
func TestStatementWaitsForItsRoot(t *testing.T) {
	n := newNetwork(t, 76)
	founder := n.found(rules.Policy{})
	m := n.member(founder, "m")
	n.settle()
	d, e, r := founder.standing()
	founder.saying(proto.Sign(proto.Revoke{
		Said: proto.Said{Root: proto.EpochID{7}}, Epoch: e.ID(), Indices: []dkg.Index{900},
	}, r.Space(), d.st.me().signing))
	n.settle()
	require.Len(t, m.retained, 1)
	require.False(t, m.has(StatementRefused))
}

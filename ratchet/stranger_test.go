package ratchet

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/orphans"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
	"github.com/trefoil-im/trefoil/state"
)

// A member that lacks the parent of a rekey knows its root by a ticket only, of an owner that knows nothing of a newcomer. What the newcomer sends
// there waits as a stranger's, and is read when the rekey is followed: that brings who was introduced in the older root meanwhile.
func TestStrangerComesToBeKnownByTheRekey(t *testing.T) {
	n := newNetwork(t, 340)
	founder := n.found(rules.Policy{})
	b, m, z := n.member(founder, "b"), n.member(founder, "m"), n.member(founder, "z")
	l := founder.invite(invite.Private(0))
	n.settle()
	take := func(x *node) (out []incoming) {
		out, x.mailbox = x.mailbox, nil
		return out
	}

	founder.offline, b.offline, m.offline = true, true, true
	x := n.join(l, "x")
	n.settle()
	require.Equal(t, Member, x.phase())
	coming := take(m) // z let x in, and says so
	take(founder)
	take(b)

	b.offline = false
	n.lose = func(o *node, _ []byte) bool { return o == m }
	var parts []incoming // the commit above the rekey, and the rekey
	n.posted = func(from *node, f []byte) {
		if from == b || f[0]&0xf == byte(proto.TypeRekey) {
			parts = append(parts, newIncoming(state.Frame{Source: from.name, Data: f}))
		}
	}
	b.commits(1)
	founder.inOrder()
	founder.do(step.Rekey())
	n.posted = nil
	b.offline, founder.offline = true, true
	n.hours(3)
	require.EqualValues(t, 1, x.gen())
	n.lose = nil
	x.send("hello")
	x.offline, z.offline = true, true

	m.offline, founder.offline = false, false
	m.mailbox = slices.DeleteFunc(m.mailbox, func(f incoming) bool { return f.source != orphans.SourceOf("x") })
	n.hours(4)
	require.EqualValues(t, 1, m.gen())
	require.NoError(t, m.edit(func(d *edit) error { // as if the ticket had had no room for the records of invites
		terms, _ := d.tp.terms(m.rootID())
		d.setRoot(members.NewRoot(terms.Terms))
		return nil
	}))
	m.mailbox = append(m.mailbox, coming...)
	m.inOrder()
	_, _, r := m.standing()
	require.NotContains(t, slices.Collect(r.All()), x.place())
	require.Empty(t, m.texts())
	m.mailbox = append(m.mailbox, parts...)
	m.inOrder()
	require.Equal(t, []string{"2: on", "5: hello"}, m.texts())
}

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

// newcomer is somebody who came by a private link in a root that a rekey replaced, whose dealer knew nothing of it, and that said something
// there and nothing since.
type newcomer struct {
	*network
	founder, b, m, a *node
	made             invite.Made // by which a came
	said             []incoming  // what a sent, and m did not read
	missed           []incoming  // the same of the founder
}

// crossedComing returns a newcomer. The founder made the rekey, and read of the newcomer afterwards if it is known to it; b, the other owner, read the newcomer before it followed, and m gets what the
// newcomer sent when the test gives it.
func crossedComing(t *testing.T, seed uint64, known bool) *newcomer {
	n := newNetwork(t, seed)
	c := &newcomer{network: n, founder: n.found(rules.Policy{})}
	c.b, c.m = n.member(c.founder, "b"), n.member(c.founder, "m")
	c.founder.owners(c.founder, c.b)
	n.settle()
	c.founder.do(step.NewInvite(invite.Private(0), &c.made))
	n.settle()
	c.founder.offline, c.m.offline = true, true
	c.a = n.join(c.made.Link, "a")
	n.settle()
	require.Equal(t, Member, c.a.phase())
	c.a.send("a")
	c.b.sync()
	require.Len(t, c.b.texts(), 1)
	c.said, c.m.mailbox = c.m.mailbox, nil
	c.missed, c.founder.mailbox = c.founder.mailbox, nil
	c.founder.do(step.Rekey())
	c.a.offline = true
	if known {
		c.founder.mailbox = c.missed
	}
	for _, x := range []*node{c.founder, c.b, c.m} {
		x.inOrder()
		x.offline = false
		require.EqualValues(t, 2, x.gen(), x.name)
	}
	return c
}

// reads gives m what the newcomer sent.
func (c *newcomer) reads() {
	c.m.mailbox = append(c.m.mailbox, c.said...)
	c.m.inOrder()
	require.Len(c.t, c.m.texts(), 1)
}

// Whoever came and was read in the root before a rekey is a member in the new one before it says anything there: it is shown, its place is not
// taken back as that of an invite that nobody used, and each owner can remove it, whether it read the newcomer before it followed the
// rekey or afterwards (§9, gone).
func TestNewcomerThatCrossedARekeyIsRemoved(t *testing.T) {
	for name, owner := range map[string]func(c *newcomer) *node{
		"read before":     func(c *newcomer) *node { return c.b },
		"read afterwards": func(c *newcomer) *node { return c.founder },
	} {
		t.Run(name, func(t *testing.T) {
			c := crossedComing(t, 330, true)
			c.reads()
			o, place := owner(c), c.a.place()
			for _, x := range []*node{c.founder, c.b, c.m} {
				_, _, r := x.standing()
				require.False(t, r.Heard(place), x.name)
				require.Len(t, x.members(), 4, x.name)
				require.Equal(t, c.founder.members(), x.members(), x.name)
				shown := Members(x.space)
				at := slices.IndexFunc(shown, func(i MemberInfo) bool { return i.Index == place })
				require.True(t, shown[at].Heard, x.name)
			}
			require.ErrorIs(t, o.try(step.EndInvite(c.made.Name)), ErrPolicy)
			require.NoError(t, o.try(step.Remove(place)))
			c.settle()
			c.a.offline = false
			c.settle()
			for _, x := range []*node{c.founder, c.b, c.m} {
				require.EqualValues(t, 3, x.gen(), x.name)
			}
			again := c.join(c.made.Link, "again")
			c.hours(3)
			require.Equal(t, Joining, again.phase())
			c.hears(c.founder, c.b, c.m)
			require.Len(t, c.m.members(), 3)
			require.EqualValues(t, 1, c.a.gen())
			require.Empty(t, c.a.texts())
		})
	}
}

// Who comes second by the link is refused by a member that read whoever came first in the older root after it had followed the rekey.
func TestSecondComerAfterALateReading(t *testing.T) {
	c := crossedComing(t, 331, true)
	c.reads()
	c.founder.offline, c.b.offline = true, true
	b := c.join(c.made.Link, "second")
	c.settle()
	require.Equal(t, Joining, b.phase())
	require.True(t, b.refused(ErrInviteTaken), b.name)
	c.a.offline, c.founder.offline, c.b.offline = false, false, false
	c.hours(3)
	c.hears(c.founder, c.b, c.m, c.a)
}

// Who comes second by the link is refused, too, by a member that read whoever came first in a root that another one of the same generation took
// the place of: in which order the two came makes no difference.
func TestSecondComerInARootBeside(t *testing.T) {
	for name, late := range map[string]bool{"read before": false, "read afterwards": true} {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t, 332)
			founder := n.found(rules.Policy{})
			b, m := n.member(founder, "b"), n.member(founder, "m")
			k := n.member(founder, "k")
			founder.owners(founder, b)
			n.settle()
			l := founder.invite(invite.Private(0))
			n.settle()
			founder, b = byPlace(founder, b)
			var parts []incoming // of the root that comes first in the order
			n.lose = func(x *node, f []byte) bool {
				if f[0]&0xf == byte(proto.TypeRekey) && x == m {
					parts = append(parts, newIncoming(state.Frame{Source: "founder", Data: f}))
				}
				return f[0]&0xf == byte(proto.TypeRekey)
			}
			founder.do(step.Rekey())
			founder.offline = true
			n.lose = nil
			b.do(step.Rekey())
			n.settle()
			m.offline = late
			a := n.join(l, "a")
			n.settle()
			require.Equal(t, Member, a.phase())
			a.offline, b.offline, k.offline, m.offline = true, true, true, false
			said := m.mailbox
			m.mailbox = nil
			root := m.rootID()
			m.mailbox = append(m.mailbox, parts...)
			m.inOrder()
			require.NotEqual(t, root, m.rootID())
			_, _, r := m.standing()
			require.NotEqual(t, late, r.Met(a.place()))
			m.mailbox = append(m.mailbox, said...)
			m.inOrder()
			old, _ := m.root(root)
			require.True(t, old.Heard(a.place()))
			_, _, r = m.standing()
			require.Equal(t, old.Rekey(), r.Rekey())

			second := n.join(l, "second")
			n.settle()
			require.Equal(t, Joining, second.phase())
			require.True(t, second.refused(ErrInviteTaken), second.name)
		})
	}
}

// root returns a root that a device holds.
func (x *node) root(id proto.EpochID) (members.Root, bool) {
	d, _, _ := x.standing()
	return d.root(id)
}

// An invite that a rekey crossed is made anew later: a member that read meanwhile whoever came by it in the older root refuses the next one that
// comes by the link, too.
func TestSecondComerByAnInviteThatIsMadeAnew(t *testing.T) {
	c := newCrossing(t, 333)
	m, others := c.all[2], []*node{c.founder, c.all[3], c.all[4]}
	c.b.offline = true
	l := c.b.invite(invite.Private(0))
	m.inOrder()
	c.founder.do(step.Rekey())
	parts := m.mailbox
	m.mailbox = nil
	for _, x := range others {
		x.offline = true
	}
	a := c.join(l, "a") // m has not followed the rekey yet
	c.settle()
	require.Equal(t, Member, a.phase())
	a.offline = true
	m.mailbox = append(m.mailbox, parts...)
	m.inOrder()
	_, _, r := m.standing()
	require.EqualValues(t, 2, r.Rekey())
	require.False(t, r.Met(a.place()), "its invite is not known there")
	fromA := len(c.b.mailbox)
	require.Positive(t, fromA)
	c.b.mailbox = append([]incoming(nil), parts...) // it hears nothing of who came
	c.b.offline = false
	c.hours(4)
	_, _, r = m.standing()
	require.Len(t, r.Open(), 1)
	c.b.offline = true
	second := c.join(l, "second")
	c.settle()
	require.Equal(t, Joining, second.phase())
	require.True(t, second.has(Refused))
}

// introduced returns a space in which somebody came of whom the founder, and a member with the right to remove others, read nothing but what
// another member says of it.
func introduced(t *testing.T, seed uint64) (n *network, founder, b, x *node, made invite.Made) {
	n = newNetwork(t, seed)
	founder = n.found(rules.Policy{})
	b = n.member(founder, "b")
	m := n.member(founder, "m")
	founder.do(step.Appoint(rules.MayRemove, b.place()))
	founder.do(step.NewInvite(invite.Private(0), &made))
	n.settle()
	founder.offline, b.offline = true, true
	x = n.join(made.Link, "x")
	n.settle()
	require.Equal(t, Member, x.phase())
	founder.offline, b.offline = false, false
	for _, y := range []*node{founder, b} {
		kept := y.mailbox[:0]
		for _, f := range y.mailbox {
			if f.source != orphans.SourceOf("x") {
				kept = append(kept, f)
			}
		}
		y.mailbox = kept
		y.sync()
		require.Len(t, Members(y.space), 4, y.name)
		_, _, r := y.standing()
		require.False(t, r.Met(x.place()), y.name)
	}
	m.offline = true
	return n, founder, b, x, made
}

// Whoever Members shows can be removed, also if only another member spoke of it: by an owner, by a member with the right, and, as it came by an invite
// of which nothing was read, by taking that back. A rekey follows, so that it reads nothing any more (§9, gone).
func TestWhoIsShownIsRemoved(t *testing.T) {
	for name, remove := range map[string]func(founder, b, x *node, made invite.Made){
		"by an owner":       func(founder, _, x *node, _ invite.Made) { founder.do(step.Remove(x.place())) },
		"by a role":         func(_, b, x *node, _ invite.Made) { b.do(step.Remove(x.place())) },
		"as nobody's place": func(founder, _, _ *node, made invite.Made) { founder.do(step.EndInvite(made.Name)) },
	} {
		t.Run(name, func(t *testing.T) {
			n, founder, b, x, made := introduced(t, 334)
			remove(founder, b, x, made)
			n.hours(3)
			for _, y := range []*node{founder, b} {
				require.EqualValues(t, 1, y.gen(), y.name)
				require.Len(t, y.members(), 3, y.name)
			}
			require.Equal(t, Removed, x.phase())
			n.hours(5)
			require.EqualValues(t, 1, founder.gen(), "once is enough")
		})
	}
}

// An owner that has read nothing of a newcomer takes its place back: that holds for all, whatever they read and when, and the owner makes a rekey once
// it reads of it, which may have come into the new root (§9, gone).
func TestRevokedNewcomerIsGoneForAll(t *testing.T) {
	c := crossedComing(t, 335, false)
	c.founder.do(step.EndInvite(c.made.Name))
	c.founder.offline = true
	c.b.sync()
	c.m.sync()
	c.reads()
	for _, x := range []*node{c.b, c.m} {
		require.Len(t, x.members(), 3, x.name)
	}
	require.EqualValues(t, 2, c.founder.gen())
	c.founder.offline, c.founder.mailbox = false, append(c.founder.mailbox, c.missed...)
	c.hours(3)
	for _, x := range []*node{c.founder, c.b, c.m} {
		require.EqualValues(t, 3, x.gen(), x.name)
		require.Len(t, x.members(), 3, x.name)
	}
	c.hours(5)
	require.EqualValues(t, 3, c.founder.gen(), "once is enough")
	c.hears(c.founder, c.b, c.m)
	require.Empty(t, c.a.texts())
}

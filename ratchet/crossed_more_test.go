package ratchet

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
)

// holdsRecord reports whether a device holds a record of an invite in any root.
func (x *node) holdsRecord(name proto.InviteName) bool {
	d, _, r := x.standing()
	for _, r := range d.rootsFrom(r) {
		if hasRecord(r, name) {
			return true
		}
	}
	return false
}

func hasRecord(r members.Root, name proto.InviteName) bool {
	for _, c := range append(r.Open(), r.Used()...) {
		if c.Certificate.Name() == name {
			return true
		}
	}
	return false
}

// An invite by which somebody came that its owner did not read yet is not made anew: the root lists who came.
func TestUsedInviteIsNotMadeAnew(t *testing.T) {
	c := newCrossing(t, 101)
	l := c.b.invite(invite.Private(0))
	c.settle()
	c.b.offline = true
	x := c.come(l, 2)
	require.Equal(t, Member, x.phase())
	x.send("hello")
	c.settle()
	c.founder.sync()
	c.b.mailbox = nil // what x said comes late
	c.founder.do(step.Rekey())
	c.b.inOrder()
	require.Equal(t, c.founder.rootID(), c.b.rootID())
	c.b.maintain()
	_, _, r := c.b.standing()
	require.Empty(t, r.Open())
	require.False(t, c.b.has(InviteDead))
}

// A rekey that names other owners gives them other indices. One that a crossed invite has is not given a second time.
func TestCrossedInviteKeepsToItsOwnersIndices(t *testing.T) {
	c := newCrossing(t, 102)
	c.founder.owners(c.all[0], c.all[1], c.all[2])
	c.hours(3)
	c.b.offline = true
	for range 4 {
		c.b.invite(invite.Private(0))
	}
	c.founder.owners(c.all[0], c.all[1])
	c.b.offline = false
	c.b.sync()
	for range 8 { // b did not read these
		c.founder.invite(invite.Private(0))
	}
	c.b.maintain()
	c.founder.sync()
	c.settle()
	require.Equal(t, c.founder.rootID(), c.b.rootID())
	seen := map[dkg.Index]bool{}
	_, _, r := c.founder.standing()
	for _, o := range r.Open() {
		require.False(t, seen[o.Certificate.First], "index %d is offered twice", o.Certificate.First)
		seen[o.Certificate.First] = true
	}
	require.GreaterOrEqual(t, len(seen), 8)
}

// Of the invite of a replaced member nothing is said in keys that its thief has, although rekeys of another owner cross the replacement.
func TestCrossedReplacementIsNotToldToTheThief(t *testing.T) {
	c := newCrossing(t, 103)
	victim := c.all[4]
	c.b.offline = true
	var made invite.Made
	c.b.do(step.Replace(victim.place(), 0, &made))
	for _, x := range c.all {
		if x != c.b {
			x.mailbox = nil // the rekey of b is on its way
		}
	}
	c.founder.do(step.Rekey())
	c.founder.do(step.Rekey())
	for _, x := range c.all[2:] {
		x.sync()
	}
	c.b.offline = false
	c.b.sync()
	require.Equal(t, c.founder.rootID(), c.b.rootID())
	c.b.maintain()
	c.hours(4)
	victim.sync()
	require.False(t, victim.holdsRecord(made.Name), "the thief has the record")
	require.True(t, c.founder.holdsRecord(made.Name))
	x := c.come(made.Link, 6)
	require.Equal(t, Member, x.phase())
}

// givenLink is a crossing in which b gave a link to a member, whom the founder did not hear.
func givenLink(t *testing.T, seed uint64) (crossing, *node, invite.Link) {
	n, all := fiveWith(t, seed, rules.Policy{MembersMayInvite: true})
	all[0].owners(all[0], all[1])
	n.settle()
	n.hours(2)
	c, m := crossing{n, all, all[0], all[1]}, all[4]
	c.founder.offline = true
	m.do(step.WantInvite())
	c.b.sync()
	c.b.maintain()
	m.sync()
	for _, e := range m.events {
		if e.Kind == LinkGiven {
			return c, m, e.Link
		}
	}
	require.Fail(t, "no link was given")
	return c, m, invite.Link{}
}

// A member that is removed does not come back by a link that another owner than the one that removes it gave to it, or that a rekey crossed.
func TestGivenLinkOfWhoIsRemoved(t *testing.T) {
	for name, remove := range map[string]func(c crossing, m *node){
		"after a crossing": func(c crossing, m *node) {
			c.founder.mailbox = nil
			c.founder.do(step.Rekey())
			c.founder.offline = false
			c.b.sync()
			require.Equal(t, c.founder.rootID(), c.b.rootID())
			c.b.do(step.Remove(m.place()))
		},
		"by what crosses": func(c crossing, m *node) {
			c.founder.mailbox = nil
			c.founder.do(step.Remove(m.place()))
			c.founder.offline = false
		},
		"by another owner": func(c crossing, m *node) {
			c.founder.offline = false
			c.settle()
			c.founder.do(step.Remove(m.place()))
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, m, link := givenLink(t, 104)
			remove(c, m)
			c.hours(2)
			require.Equal(t, Joining, c.come(link, 6).phase())
			require.False(t, Due(c.b.space, c.now).Owe)
			require.Empty(t, stateOf(c.b.space).duties.Value().given)
		})
	}
}

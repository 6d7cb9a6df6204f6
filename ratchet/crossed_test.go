package ratchet

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/step"
)

// crossing is a space of two owners: b makes an invite that the founder does not know when it rekeys.
type crossing struct {
	*network
	all        []*node
	founder, b *node
}

func newCrossing(t *testing.T, seed uint64) crossing {
	n, all := five(t, seed)
	all[0].owners(all[0], all[1])
	n.settle()
	n.hours(2)
	return crossing{n, all, all[0], all[1]}
}

// cross has b make an invite while the founder rekeys, without or with members.
func (c crossing) cross(t invite.Terms, without ...dkg.Index) invite.Link {
	c.b.offline = true
	l := c.b.invite(t)
	if len(without) > 0 {
		c.founder.do(step.Remove(without...))
	} else {
		c.founder.do(step.Rekey())
	}
	c.b.offline = false
	return l
}

// come lets somebody ask by a link for some hours.
func (c crossing) come(l invite.Link, hours int) *node {
	x := c.join(l, "x")
	c.settle()
	for range hours {
		c.now = c.now.Add(time.Hour)
		c.settle()
	}
	return x
}

// An invite that another owner's rekey crossed lets in whoever has its link: its owner makes the record anew.
func TestInviteCrossesARekey(t *testing.T) {
	for name, do := range map[string]func(c crossing){
		"Maintain":       func(c crossing) { c.hours(4) },
		"a rekey":        func(c crossing) { c.b.sync(); c.b.do(step.Rekey()); c.hours(4) },
		"another rekey":  func(c crossing) { c.founder.do(step.Rekey()); c.hours(4) },
		"a removal":      func(c crossing) { c.founder.do(step.Remove(c.all[4].place())); c.hours(4) },
		"used at once":   func(crossing) {},
		"others offline": func(c crossing) { c.founder.offline = true; c.hours(30); c.founder.offline = false },
	} {
		t.Run(name, func(t *testing.T) {
			c := newCrossing(t, 96)
			l := c.cross(invite.Private(0))
			do(c)
			c.settle()
			x := c.come(l, 6)
			require.Equal(t, Member, x.phase())
			require.False(t, c.b.has(InviteDead))
			stay := append(c.all[:4:4], x)
			c.hears(stay...)
			for k, inv := range Invites(c.b.space, c.now) {
				require.Equal(t, invite.Used, inv.Status, k)
			}
		})
	}
}

// What a rekey crossed is known to the other owners afterwards: one of them continues it in its own rekey while its maker is away.
func TestCrossedInviteIsContinuedByOthers(t *testing.T) {
	c := newCrossing(t, 97)
	l := c.cross(invite.Private(0))
	c.hours(4)
	c.b.offline = true
	c.founder.do(step.Rekey())
	c.settle()
	x := c.come(l, 6)
	require.Equal(t, Member, x.phase())
}

// A direct invite is made anew, too: its device can ask by the link.
func TestDirectInviteCrossesARekey(t *testing.T) {
	c := newCrossing(t, 98)
	c.cross(invite.Direct(0))
	c.hours(4)
	_, _, r := c.founder.standing()
	require.Len(t, r.Open(), 1)
	require.Equal(t, dkg.Direct, r.Open()[0].Certificate.Kind)
}

// A run that a rekey crossed is not opened again, since it may have been closed: its owner is told, and the place is given to nobody.
func TestCrossedRunIsDead(t *testing.T) {
	c := newCrossing(t, 99)
	l := c.cross(invite.Public(16, 0))
	c.hours(4)
	require.True(t, c.b.has(InviteDead))
	require.False(t, c.founder.has(InviteDead))
	require.Equal(t, Joining, c.come(l, 6).phase())
	all := Invites(c.b.space, c.now)
	require.Equal(t, invite.Ended, all[len(all)-1].Status)
	c.b.events = nil
	c.hours(4)
	require.False(t, c.b.has(InviteDead), "it is told once")
	before, err := openLink(l)
	require.NoError(t, err)
	after, err := openLink(c.b.invite(invite.Public(16, 0)))
	require.NoError(t, err)
	require.Greater(t, after.First, before.First)
}

// An invite that was taken back stays so, although a rekey crossed both.
func TestCrossedInviteThatWasTakenBack(t *testing.T) {
	c := newCrossing(t, 100)
	c.b.offline = true
	l := c.b.invite(invite.Private(0))
	all := Invites(c.b.space, c.now)
	c.b.do(step.EndInvite(all[len(all)-1].Name))
	c.founder.do(step.Rekey())
	c.b.offline = false
	c.hours(4)
	require.Equal(t, Joining, c.come(l, 6).phase())
	require.False(t, c.b.has(InviteDead))
}

package ratchet

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
)

// apart takes a step whose rekey never reaches some devices.
func (x *node) apart(s step.Step, lost ...*node) {
	x.net.lose = func(o *node, f []byte) bool { return f[0]&0xf == byte(proto.TypeRekey) && slices.Contains(lost, o) }
	x.do(s)
	x.net.lose = nil
}

// Two owners that lack the parts of one another's rekeys make several. Their branches, of one length or not, come together a day later:
// whoever was removed in either is removed, and whoever joined in either is a member.
func TestBranchesComeTogether(t *testing.T) {
	for longer := range 2 {
		n, all := five(t, uint64(95+longer))
		founder, b, c, d, e := all[0], all[1], all[2], all[3], all[4]
		f := n.member(founder, "f")
		n.settle()
		founder.owners(founder, b)
		n.settle()
		founder.apart(step.Remove(e.place()), b, c, f)
		founder.apart(step.Rekey(), b, c, f)
		b.apart(step.Remove(f.place()), founder, d, e)
		for range 1 + longer {
			b.apart(step.Rekey(), founder, d, e)
		}
		n.settle()
		require.NotEqual(t, founder.rootID(), b.rootID())
		y, z := n.join(founder.invite(invite.Private(0)), "y"), n.join(b.invite(invite.Private(0)), "z")
		n.settle()
		require.Equal(t, Member, y.phase())
		require.Equal(t, Member, z.phase())
		for range 2 {
			for _, x := range []*node{founder, b, y, z} {
				x.send("is anybody there?")
			}
			n.settle()
			n.now = n.now.Add(25 * time.Hour)
		}
		n.hours(5)
		n.hears(founder, b, c, d, y, z)
		for _, x := range []*node{e, f} {
			require.Equal(t, Removed, x.phase(), x.name)
		}
	}
}

// byPlace returns two owners in the order of their places.
func byPlace(a, b *node) (first, second *node) {
	d, _, r := a.standing()
	e, _, _ := b.standing()
	x, _ := d.place(r)
	if y, _ := e.place(r); y < x {
		return b, a
	}
	return a, b
}

// A member that a role removed in a root that lost, of which it knows no better, asks for a ticket and is a member of the other one.
func TestRemovedByRoleInARootThatLost(t *testing.T) {
	n, all := five(t, 97)
	founder, b, c, d, e := all[0], all[1], all[2], all[3], all[4]
	founder.owners(founder, b)
	n.settle()
	founder.do(step.Appoint(rules.MayRemove, c.place()))
	n.settle()
	first, second := byPlace(founder, b)
	first.apart(step.Remove(c.place()), c, d)
	second.do(step.Rekey())
	c.sync()
	d.sync()
	c.do(step.Remove(d.place()))
	d.sync()
	require.ErrorIs(t, d.edit(func(x *edit) error { return x.say(inner("still here?")) }), ErrRemoved)
	n.settle()
	for range 3 {
		first.send("where we are")
		n.hours(1)
	}
	n.hears(founder, b, d, e)
}

package ratchet

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
)

// rights returns the rights of a member as another one sees them.
func (x *node) rights(of *node) rules.Rights {
	for _, m := range Members(x.space) {
		if m.Index == of.place() {
			return m.Rights
		}
	}
	return 0
}

// A member with the right removes others at once, with no owner awake, for a month if need be; owners it does not remove. The next owner
// that is awake rekeys, and gives the roles again; what a member named the space stays.
func TestMemberWithARole(t *testing.T) {
	n, all := five(t, 90)
	founder, b, c := all[0], all[1], all[2]
	require.ErrorIs(t, b.try(step.Remove(c.place())), ErrPhase)
	require.ErrorIs(t, b.try(step.SetTitle([]byte("mine"))), ErrPhase)
	founder.do(step.Appoint(rules.MayRemove|rules.MayTitle, b.place()))
	founder.do(step.Appoint(rules.MayInvite, c.place()))
	n.settle()
	require.Equal(t, rules.MayRemove|rules.MayTitle, all[3].rights(b))
	require.True(t, all[3].has(RoleChanged))
	require.ErrorIs(t, b.try(step.Remove(founder.place())), ErrPolicy)
	c.do(step.WantInvite())
	require.ErrorIs(t, b.try(step.WantInvite()), ErrPolicy)
	n.settle()
	require.True(t, c.has(LinkGiven))
	founder.offline = true
	b.do(step.SetTitle([]byte("moderated")))
	b.do(step.Remove(all[4].place()))
	n.settle()
	require.ErrorIs(t, all[4].edit(func(d *edit) error { return d.say(inner("still here?")) }), ErrRemoved)
	for range 31 {
		n.now = n.now.Add(24 * time.Hour)
		n.settle()
	}
	for _, x := range all[1:4] {
		require.EqualValues(t, 0, x.gen(), x.name)
		require.Len(t, x.members(), 4, x.name)
	}
	n.hears(all[1:4]...)
	founder.offline = false
	n.settle()
	n.hours(2)
	require.EqualValues(t, 1, founder.gen())
	require.Equal(t, Removed, all[4].phase())
	n.hears(all[:4]...)
	for _, x := range all[:4] {
		require.Equal(t, rules.MayRemove|rules.MayTitle, x.rights(b), x.name)
		require.Equal(t, rules.MayInvite, x.rights(c), x.name)
		require.Equal(t, "moderated", string(Info(x.space).Title), x.name)
	}
	founder.do(step.Appoint(rules.MayTitle, b.place()))
	n.settle()
	require.EqualValues(t, 2, founder.gen(), "what is taken back is taken back by a rekey")
	require.Equal(t, rules.MayTitle, c.rights(b))
	require.ErrorIs(t, b.try(step.Remove(c.place())), ErrPhase)
}

// A removal by a role that crosses a rekey is said again in the new root; a role that crosses one is not, and a member that a rekey removed
// says nothing there.
func TestRemovalByRoleCrossesARekey(t *testing.T) {
	n, all := five(t, 91)
	founder, b, c := all[0], all[1], all[2]
	founder.do(step.Appoint(rules.MayRemove, b.place(), c.place()))
	n.settle()
	b.do(step.Remove(all[4].place()))
	founder.do(step.Rekey())
	n.settle()
	require.EqualValues(t, 1, all[3].gen())
	for _, x := range all[:4] {
		require.Len(t, x.members(), 4, x.name)
	}
	n.hours(2)
	require.Equal(t, Removed, all[4].phase())

	c.offline = true
	founder.do(step.Remove(c.place()))
	n.settle()
	c.do(step.Remove(all[3].place()))
	n.settle()
	n.hears(founder, b, all[3])
	require.Len(t, founder.members(), 3)
}

// The policy is changed by a rekey; suite and KEM stay.
func TestSetPolicy(t *testing.T) {
	n, all := five(t, 92)
	p := Info(all[0].space).Policy
	require.False(t, p.MembersMayInvite)
	p.MembersMayInvite, p.RekeyHours = true, 48
	all[0].do(step.SetPolicy(p))
	n.settle()
	for _, x := range all {
		require.Equal(t, p, Info(x.space).Policy, x.name)
		require.True(t, x.has(PolicyChanged), x.name)
	}
	n.hours(0)
	for range 3 {
		n.now = n.now.Add(20 * time.Hour)
		n.settle()
	}
	require.EqualValues(t, 2, all[1].gen(), "the interval is over")
	p.KEM = rules.MLKEM768X25519
	require.ErrorIs(t, all[0].try(step.SetPolicy(p)), ErrPolicy)
}

// What a rekey was to change is wished again when another owner's took its place.
func TestWishOfARekeyThatLost(t *testing.T) {
	for seed := uint64(93); seed < 95; seed++ {
		n, all := five(t, seed)
		founder, b := all[0], all[1]
		founder.owners(founder, b)
		n.settle()
		p := Info(founder.space).Policy
		p.RekeyHours = 1000
		founder.do(step.SetPolicy(p))
		b.do(step.Appoint(rules.MayTitle, all[2].place()))
		b.do(step.Appoint(0, all[2].place())) // a rekey
		n.settle()
		n.hours(3)
		for _, x := range all {
			require.Equal(t, p, Info(x.space).Policy, x.name)
			require.Zero(t, x.rights(all[2]), x.name)
			require.Equal(t, founder.rootID(), x.rootID(), x.name)
		}
	}
}

package ratchet

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/step"
)

// A thief that acts as a member reads on, also over a rekey, since it updates the inbox key. Replace ends it in one commit: the person comes
// back by the link, under another index and key, and the thief reads nothing, cannot come by the link, and was told nothing of it.
func TestReplaceEndsAThief(t *testing.T) {
	n, all := five(t, 81)
	founder, victim := all[0], all[4]
	thief := victim.copyOf("thief")
	thief.offline = false
	victim.offline = true
	n.now = n.now.Add(2 * time.Hour)
	require.NoError(t, thief.edit(func(d *edit) error { d.st.rhythm.ask = true; return d.ask() }))
	n.settle()
	thief.send("I am e")
	n.settle()
	founder.do(step.Rekey())
	n.settle()
	n.forget()
	founder.send("read by the thief")
	n.settle()
	require.Contains(t, thief.texts(), "1: read by the thief")

	n.forget()
	var made invite.Made
	founder.do(step.Replace(dkg.Index(victim.index()), 0, &made))
	require.EqualValues(t, 2, founder.gen(), "one commit")
	require.Equal(t, []invite.Invite{{Name: made.Name, Kind: dkg.Private, Status: invite.Open, First: 6, Count: 1, Step: 1}}, openInvites(founder))
	n.settle()
	require.Equal(t, Removed, thief.phase())
	d, err := newEdit(thief.space, n.now, Options{})
	require.NoError(t, err)
	for row := range d.st.roots.All() {
		r, _ := d.root(row.id)
		for _, x := range append(r.Open(), r.Used()...) {
			require.NotEqual(t, made.Name, [16]byte(x.Certificate.Name()), "the thief knows of the invite")
		}
	}
	again := n.join(made.Link, "again")
	n.settle()
	require.Equal(t, Member, again.phase())
	require.NotEqual(t, victim.index(), again.index())
	for _, x := range append(all[:4:4], again) {
		require.Len(t, x.members(), 5, x.name)
		x.send("without the thief, says " + x.name)
	}
	n.settle()
	for _, x := range append(all[:4:4], again) {
		require.Len(t, x.texts(), 4, x.name)
	}
	require.Empty(t, thief.texts())
	for _, x := range []*node{founder, again} {
		x.restart()
	}
}

// openInvites returns the invites of an owner that are open.
func openInvites(x *node) (out []invite.Invite) {
	for _, in := range Invites(x.space, x.net.now) {
		if in.Status == invite.Open {
			out = append(out, in)
		}
	}
	return out
}

// Replace changes nothing when it cannot be done, or when the index is nobody's or the owner's own.
func TestReplaceRefused(t *testing.T) {
	n, all := five(t, 82)
	var made invite.Made
	before := all[0].space
	require.ErrorIs(t, all[1].try(step.Replace(3, 0, &made)), ErrPhase)
	require.ErrorIs(t, all[0].try(step.Replace(9, 0, &made)), ErrPolicy)
	require.ErrorIs(t, all[0].try(step.Replace(dkg.Index(all[0].index()), 0, &made)), ErrPolicy)
	require.ErrorIs(t, all[0].try(step.Replace(3, -time.Hour, &made)), ErrPolicy)
	require.True(t, before.Equal(all[0].space))
	require.Zero(t, made)
	require.Empty(t, n.all[0].mailbox)
}

// What became of invites is told after rekeys, too: of those used, taken back and closed by a removal, and of those that go on.
func TestInvitesAfterRekeys(t *testing.T) {
	n, all := five(t, 83)
	founder := all[0]
	used := len(Invites(founder.space, n.now))
	require.Equal(t, 4, used)
	var back, public, private invite.Made
	founder.do(step.NewInvite(invite.Private(0), &back))
	founder.do(step.NewInvite(invite.Public(16, 0), &public))
	founder.do(step.NewInvite(invite.Private(0), &private))
	founder.do(step.EndInvite(back.Name))
	n.settle()
	x := n.join(public.Link, "x")
	n.settle()
	x.send("I am x")
	n.settle()
	founder.do(step.Rekey())
	n.settle()
	statuses := func() map[[16]byte]invite.Status {
		out := make(map[[16]byte]invite.Status)
		for _, in := range Invites(founder.space, n.now) {
			out[in.Name] = in.Status
			if in.Name == public.Name {
				require.Equal(t, []dkg.Index{dkg.Index(x.index())}, in.Members)
			}
		}
		return out
	}
	now := statuses()
	require.Len(t, now, 7)
	require.Equal(t, invite.Ended, now[back.Name])
	require.Equal(t, invite.Open, now[public.Name])
	require.Equal(t, invite.Open, now[private.Name])

	founder.do(step.Remove(dkg.Index(all[4].index())))
	n.settle()
	now = statuses()
	require.Len(t, now, 7)
	require.Equal(t, invite.Ended, now[public.Name])
	require.Equal(t, invite.Open, now[private.Name])
	count := 0
	for _, s := range now {
		if s == invite.Used {
			count++
		}
	}
	require.Equal(t, 4, count)
}

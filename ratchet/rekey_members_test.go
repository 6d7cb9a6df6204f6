package ratchet

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/orphans"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
)

// Parts come in any order, more than once, among messages that cross the rekey; nobody misses a message, and nobody reads one twice.
func TestRekeyInAnyOrder(t *testing.T) {
	for seed := uint64(40); seed < 42; seed++ {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			n, all := five(t, seed)
			n.frame, n.twice = 2000, true
			n.forget()
			sent := 0
			say := func(x *node) { sent++; x.send(fmt.Sprint("message ", sent)) }
			for round := range 3 {
				for _, x := range all[:4] {
					say(x)
				}
				switch round {
				case 0:
					all[0].do(step.Rekey())
				case 1:
					all[0].do(step.Remove(stateOf(all[4].space).me().index))
				}
				for _, x := range all[:4] {
					say(x)
					if n.rng.IntN(2) == 0 {
						x.sync()
						x.restart()
					}
				}
			}
			n.settle()
			for _, x := range all[:4] {
				require.EqualValues(t, 2, x.gen(), x.name)
				require.Len(t, x.texts(), sent-6, x.name)
				for _, f := range x.retained { // requests alone
					require.Equal(t, byte(proto.TypeRequest), f.data[0]&0xf, x.name)
				}
			}
			require.Equal(t, Removed, all[4].phase())
		})
	}
}

// A run that a rekey issues again lets everybody in, although nobody can prove who has the places that the rekey lists: who has drawn one
// of those asks for another.
func TestRunAfterARekey(t *testing.T) {
	n := newNetwork(t, 61)
	founder := n.found(rules.Policy{})
	var made invite.Made
	founder.do(step.NewInvite(invite.Public(16, 0), &made))
	requests := 0
	n.lose = func(x *node, f []byte) bool {
		if x == founder && f[0]&0xf == byte(proto.TypeRequest) {
			requests++
		}
		return false
	}
	join := func(count int) {
		for range count {
			n.join(made.Link, fmt.Sprint("x", len(n.all)))
		}
		n.settle()
		for _, x := range n.all {
			require.Equal(t, Member, x.phase(), x.name)
		}
	}
	join(8)
	founder.do(step.Rekey())
	n.settle()
	requests = 0
	join(5)
	require.Greater(t, requests, 5, "nobody has drawn a place that is taken")
}

// What a removed member sent before it was told is delivered late, with a mark; it is followed, and changes nobody's membership.
func TestLateMessageOfTheRemoved(t *testing.T) {
	n, all := five(t, 50)
	n.forget()
	gone := all[4]
	gone.offline = true
	all[0].do(step.Remove(stateOf(gone.space).me().index))
	n.settle()
	gone.send("crossing")
	n.settle()
	for _, x := range all[:4] {
		require.Len(t, x.read, 1, x.name)
		require.True(t, x.read[0].AfterRemoval, x.name)
		require.Len(t, x.members(), 4, x.name)
	}
	gone.offline = false
	n.settle()
	require.Equal(t, Removed, gone.phase())
}

// Links survive a rekey: a private one that was open when somebody was removed, and a public one through a rekey that removes nobody.
func TestLinksSurviveARekey(t *testing.T) {
	n, all := five(t, 51)
	founder := all[0]
	private, other := founder.invite(invite.Private(0)), founder.invite(invite.Private(0))
	public := founder.invite(invite.Public(16, 0))
	n.settle()
	founder.do(step.Rekey())
	n.settle()
	x, y := n.join(private, "x"), n.join(public, "y")
	n.settle()
	founder.do(step.Remove(stateOf(all[4].space).me().index))
	n.settle()
	z, late := n.join(other, "z"), n.join(public, "late")
	n.settle()
	for _, m := range []*node{x, y, z} {
		require.Equal(t, Member, m.phase(), m.name)
		require.EqualValues(t, 2, m.gen(), m.name)
	}
	require.Equal(t, Joining, late.phase(), "public invites are closed with a removal")
	for range 2 { // the first two that answer may know of no statement that proves it; later places wait ten minutes
		n.settle()
	}
	require.True(t, late.has(Refused))
	n.forget()
	for _, m := range []*node{founder, all[1], x, y, z} {
		m.send("from " + m.name)
	}
	n.settle()
	for _, m := range []*node{founder, all[1], all[2], all[3], x, y, z} {
		require.GreaterOrEqual(t, len(m.texts()), 4, m.name)
		require.Len(t, m.members(), 7, m.name)
	}
}

// A member that was away during rekeys follows them by the parts in its mailbox, in any order.
func TestAwayThroughRekeys(t *testing.T) {
	n, all := five(t, 52)
	away := all[3]
	n.forget()
	away.offline = true
	for k := range 3 {
		all[1].send(fmt.Sprint("before ", k))
		n.settle()
		all[0].do(step.Rekey())
		n.settle()
		all[2].send(fmt.Sprint("after ", k))
		n.settle()
		n.now = n.now.Add(26 * time.Hour)
	}
	away.offline = false
	n.settle()
	require.EqualValues(t, 3, away.gen())
	require.Len(t, away.texts(), 6)
	require.False(t, all[1].has(Resynced), "nobody was asked")
	away.send("back")
	n.settle()
	require.Contains(t, all[1].texts(), fmt.Sprintf("%d: back", away.index()))
}

// Without the parts, and with no owner awake, a member comes back by the ticket of a member that has its box.
func TestBoxIsHandedOn(t *testing.T) {
	n, all := five(t, 53)
	away := all[3]
	n.lose = func(x *node, f []byte) bool { return x == away && f[0]&0xf == byte(proto.TypeRekey) }
	all[0].do(step.Rekey())
	n.settle()
	all[0].offline = true
	n.forget()
	require.EqualValues(t, 0, away.gen())
	for range 6 {
		all[1].send("in the new root")
		n.settle()
		n.now = n.now.Add(2 * time.Hour)
	}
	n.settle()
	require.EqualValues(t, 1, away.gen())
	require.NotEmpty(t, away.texts())
	away.send("back")
	n.settle()
	require.Contains(t, all[1].texts(), fmt.Sprintf("%d: back", away.index()))
	for _, x := range all[1:] {
		x.restart()
		require.Nil(t, stateOf(x.space).rekeys.Value().Box(x.rootID(), stateOf(away.space).me().index), "it was heard")
	}
}

// rootID returns the root in which a device sends.
func (x *node) rootID() proto.EpochID {
	e, _ := stateOf(x.space).forest.Preferred()
	return e.Root()
}

// A rekey that is prepared by and by survives a crash at any point: each call goes on where the value that was stored stands.
func TestRekeyIsResumed(t *testing.T) {
	n, all := five(t, 54)
	n.seal = 1
	founder := all[0]
	founder.do(step.Remove(stateOf(all[4].space).me().index))
	for range 3 {
		require.EqualValues(t, 0, founder.gen())
		require.True(t, Due(founder.space, n.now).Rekey)
		founder.restart()
		all[1].send("meanwhile")
		founder.sync()
		founder.maintain()
	}
	founder.restart()
	require.EqualValues(t, 1, founder.gen())
	require.True(t, stateOf(founder.space).rekeys.Value().Draft.IsZero())
	n.settle()
	for _, x := range all[:4] {
		require.EqualValues(t, 1, x.gen(), x.name)
	}
	require.Equal(t, Removed, all[4].phase())
}

// The parts of a rekey that nobody got are posted again the next day.
func TestRekeyIsPostedAgain(t *testing.T) {
	n, all := five(t, 55)
	n.lose = func(_ *node, f []byte) bool { return f[0]&0xf == byte(proto.TypeRekey) }
	all[0].do(step.Rekey())
	n.lose = nil
	n.settle()
	require.EqualValues(t, 0, all[1].gen())
	n.now = n.now.Add(25 * time.Hour)
	n.settle()
	for _, x := range all {
		require.EqualValues(t, 1, x.gen(), x.name)
		x.send("hello")
	}
	n.settle()
	posted := stateOf(all[0].space).rekeys.Value().Posted[0].Last
	n.hours(26)
	require.Equal(t, posted, stateOf(all[0].space).rekeys.Value().Posted[0].Last, "once is enough")
}

// After a leave an owner rekeys by itself.
func TestLeaveIsFollowedByARekey(t *testing.T) {
	n, all := five(t, 56)
	all[4].do(step.Leave())
	n.settle()
	for _, x := range all[:4] {
		require.EqualValues(t, 1, x.gen(), x.name)
		require.Len(t, x.members(), 4, x.name)
	}
	require.Equal(t, Left, all[4].phase())
}

// Who left opens no ticket for what it asked before: members that do not know yet that it left answer from a root that comes later.
func TestWhoLeftOpensNoTicket(t *testing.T) {
	n, all := five(t, 58)
	m := all[4]
	require.NoError(t, m.edit(func(d *edit) error {
		require.True(t, d.askAgain())
		return nil
	}))
	n.lose = func(*node, []byte) bool { return true }
	m.do(step.Leave())
	n.lose = nil
	root := m.rootID()
	all[0].do(step.Rekey())
	answered := 0
	n.posted = func(_ *node, f []byte) {
		if proto.Type(f[0]&0xf) == proto.TypeTicket {
			answered++
		}
	}
	n.settle()
	require.Positive(t, answered)
	require.NotEqual(t, root, all[0].rootID())
	require.Equal(t, root, m.rootID())
	require.Equal(t, Left, m.phase())
}

// A thief of a state that only listens reads nothing below a rekey if the member committed since, and others built on it. One that
// seized the state right before reads on: it has the parent, and the key to which the box is.
func TestThiefBeforeARekey(t *testing.T) {
	n, all := five(t, 57)
	m := all[2]
	thief := m.copyOf("thief")
	require.NoError(t, m.edit(func(d *edit) error {
		d.st.rhythm.commit = true
		return d.say(inner("healing"))
	}))
	n.settle()
	late := m.copyOf("late")
	all[0].do(step.Rekey())
	n.settle()
	all[1].send("after the rekey")
	n.settle()
	for _, x := range []*node{thief, late} {
		x.read = nil
		x.inOrder()
	}
	require.NotContains(t, thief.texts(), fmt.Sprintf("%d: after the rekey", all[1].index()))
	require.EqualValues(t, 0, thief.gen())
	require.Contains(t, late.texts(), fmt.Sprintf("%d: after the rekey", all[1].index()))
}

// A joiner whose joining crossed a rekey that does not list it asks, and gets its share by its link.
func TestJoiningCrossesARekey(t *testing.T) {
	n, all := five(t, 58)
	founder := all[0]
	l := founder.invite(invite.Private(0))
	n.settle()
	founder.offline = true
	x := n.join(l, "x")
	n.settle()
	require.Equal(t, Member, x.phase())
	founder.mailbox = nil // it does not know of the joiner
	founder.do(step.Rekey())
	n.settle()
	require.EqualValues(t, 0, x.gen())
	founder.offline = false
	for range 4 {
		n.now = n.now.Add(time.Hour)
		n.settle()
	}
	require.EqualValues(t, 1, x.gen())
	n.forget()
	x.send("here I am")
	n.settle()
	for _, y := range all {
		require.Len(t, y.texts(), 1, y.name)
		require.Len(t, y.members(), 6, y.name)
	}
	x.restart()
}

// Calls that cannot be made change nothing.
func TestRemoveRefuses(t *testing.T) {
	n, all := five(t, 59)
	me := stateOf(all[0].space).me().index
	require.ErrorIs(t, all[0].try(step.Remove(me)), ErrPolicy)
	require.ErrorIs(t, all[0].try(step.Remove(999)), ErrPolicy)
	require.ErrorIs(t, all[1].try(step.Remove(me)), ErrPhase)
	require.ErrorIs(t, all[1].try(step.Rekey()), ErrPhase)
	s, err := Restore(all[0].space, n.now)
	require.NoError(t, err)
	all[0].space, all[0].retained = s, map[orphans.FrameName]incoming{}
	require.ErrorIs(t, all[0].try(step.Rekey()), ErrPhase)
}

package ratchet

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/step"
)

func (x *node) place() dkg.Index { return stateOf(x.space).me().index }

// owners names the owners, by the device that holds the root owner key.
func (x *node) owners(all ...*node) {
	var indices []dkg.Index
	for _, o := range all {
		indices = append(indices, o.place())
	}
	x.do(step.SetOwners(indices...))
}

// hears lets all devices send, and requires that each reads what all others sent, and is stored as it is.
func (n *network) hears(all ...*node) {
	n.t.Helper()
	n.hear(n.settle, all...)
	for _, x := range all {
		x.restart()
	}
}

// hear is hears of which nothing is stored. All is delivered by settle.
func (n *network) hear(settle func(), all ...*node) {
	n.t.Helper()
	n.forget()
	for _, x := range all {
		x.send("from " + x.name)
	}
	settle()
	for _, x := range all {
		require.Len(n.t, x.texts(), len(all)-1, "%s read %v", x.name, x.texts())
		require.Equal(n.t, all[0].members(), x.members(), x.name)
		require.Equal(n.t, all[0].rootID(), x.rootID(), x.name)
	}
}

// hours lets time go by, with everybody awake.
func (n *network) hours(count int) {
	for range count {
		n.now = n.now.Add(time.Hour)
		n.settle()
	}
}

// Owners are named by whoever holds the root owner key, whether they are awake or not. From then on each removes and invites without the
// others; who is taken off does neither.
func TestOwnersAreNamed(t *testing.T) {
	n, all := five(t, 80)
	founder, b, c := all[0], all[1], all[2]
	b.offline = true
	founder.owners(founder, b, c)
	n.settle()
	b.offline = false
	n.settle()
	for _, x := range all {
		require.True(t, x.has(OwnersChanged), x.name)
		owners := 0
		for _, m := range Members(x.space) {
			if m.Owner {
				owners++
			}
		}
		require.Equal(t, 3, owners, x.name)
		require.Equal(t, x == founder || x == b || x == c, Info(x.space).Owner, x.name)
	}
	founder.offline = true
	b.do(step.Remove(all[4].place()))
	n.settle()
	y := n.join(c.invite(invite.Private(0)), "y")
	n.settle()
	n.hears(b, c, all[3], y)
	founder.offline = false
	n.settle()
	founder.owners(founder, b)
	n.settle()
	require.False(t, Info(c.space).Owner)
	require.ErrorIs(t, c.try(step.Remove(y.place())), ErrPhase)
	require.ErrorIs(t, c.try(step.NewInvite(invite.Private(0), new(invite.Made))), ErrPhase)
	require.ErrorIs(t, b.try(step.Remove(founder.place())), ErrPolicy, "an owner is removed by who can take it off the list")
	founder.do(step.Remove(b.place()))
	n.settle()
	require.Len(t, stateOf(founder.space).me().owners.Keys, 1)
	require.Equal(t, Removed, b.phase())
	n.hears(founder, c, all[3], y)
}

// Rekeys of several owners that cross come to one root in which all are gone whom one of them removed.
func TestRekeysOfOwnersCross(t *testing.T) {
	for seed := uint64(81); seed < 84; seed++ {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			n, all := five(t, seed)
			f := n.member(all[0], "f")
			n.settle()
			all[0].owners(all[:3]...)
			n.settle()
			for k, x := range all[:3] { // nobody has heard of the others
				if k < 2 {
					x.do(step.Remove(all[3+k].place()))
				} else {
					x.do(step.Rekey())
				}
			}
			n.settle()
			n.hours(4)
			n.hears(all[0], all[1], all[2], f)
			for _, x := range all[3:5] {
				require.Equal(t, Removed, x.phase(), x.name)
			}
		})
	}
}

// Somebody comes by the invite of one owner while another one, that hears nothing, makes new roots, and that owner goes away: the other one
// lists it in the next root, and gives its index to nobody else.
func TestInviteOfAnotherOwnerCrossesRekeys(t *testing.T) {
	n, all := five(t, 96)
	founder, b := all[0], all[1]
	founder.owners(founder, b)
	n.settle()
	founder.offline = true
	x := n.member(b, "x")
	x.send("hello")
	n.settle()
	b.offline = true // else it rekeys, and knows the index by its own invite
	for range 2 {
		founder.do(step.Rekey())
	}
	founder.offline = false
	founder.sync()
	_, _, r := founder.standing()
	require.False(t, r.Heard(x.place()), "in the root where the founder stands nobody has met x")
	var made invite.Made
	_, _, err := Take(founder.space, n.now, step.NewInvite(invite.Private(0), &made)) // which is not kept: it would move the cursor
	require.NoError(t, err)
	l, err := openLink(made.Link)
	require.NoError(t, err)
	require.Greater(t, l.First, x.place())
	founder.do(step.Remove(all[4].place()))
	n.settle()
	n.hours(2)
	y := n.member(founder, "y")
	n.hears(founder, all[2], all[3], x, y)
	b.offline = false
	n.settle()
	n.hears(founder, b, all[2], all[3], x, y)
}

// Three owners rekey one after another. A member that misses parts and parents catches up in any order, also with no owner awake.
func TestThreeRekeysInARow(t *testing.T) {
	for seed := uint64(84); seed < 86; seed++ {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			n, all := five(t, seed)
			late := all[3]
			all[0].owners(all[:3]...)
			n.settle()
			n.frame = 2000
			drop := 0
			n.lose = func(x *node, f []byte) bool {
				if x == late && f[0]&0xf <= byte(proto.TypeRekey) {
					drop++
					return drop%3 == 0
				}
				return false
			}
			for _, x := range all[:3] {
				x.send("before")
				x.do(step.Rekey())
				for _, y := range all {
					if y != late {
						y.sync()
					}
				}
				x.send("after")
			}
			for _, x := range all[:3] {
				x.offline = true
			}
			for range 6 {
				all[4].send("no owner is awake")
				n.settle()
				n.now = n.now.Add(2 * time.Hour)
			}
			require.EqualValues(t, 4, late.gen())
			n.lose = nil
			for _, x := range all[:3] {
				x.offline = false
			}
			n.settle()
			n.hears(all...)
		})
	}
}

// An owner that is taken off while it rekeys moves nobody, however many rekeys it makes: its roots are barred, also for who joins later.
// What an owner that stays removed there is removed again.
func TestOwnerThatIsTakenOff(t *testing.T) {
	n, all := five(t, 87)
	founder, b, c := all[0], all[1], all[2]
	founder.owners(founder, b, c)
	n.settle()
	founder.offline = true
	b.do(step.Rekey())
	n.settle()
	c.do(step.Remove(all[4].place()))
	n.settle()
	b.do(step.Rekey())
	n.settle()
	mailbox := founder.mailbox
	founder.mailbox = nil
	founder.offline = false
	founder.sync()             // so far as it knows this is the end
	founder.owners(founder, c) // of the generation after its own
	founder.mailbox = append(founder.mailbox, mailbox...)
	n.settle()
	n.hours(3)
	for _, x := range []*node{founder, b, c, all[3]} {
		require.False(t, Info(x.space).Owner && x == b)
		require.Len(t, stateOf(x.space).me().owners.Keys, 2, x.name)
	}
	y := n.join(founder.invite(invite.Private(0)), "y")
	n.settle()
	n.hears(founder, b, c, all[3], y)
	require.Equal(t, Removed, all[4].phase())
	require.ErrorIs(t, b.try(step.Rekey()), ErrPhase)
}

// Somebody that came in the root of an owner that is taken off holds no other root. The ticket that tells it so leaves it without an epoch in
// which it may send until the epochs of the ticket are merged: it comes over all the same.
func TestJoinerInABarredRootComesOver(t *testing.T) {
	n, all := five(t, 97)
	founder, b := all[0], all[1]
	founder.owners(founder, b)
	n.settle()
	founder.offline = true
	b.do(step.Rekey())
	n.settle()
	x := n.member(b, "x")
	x.send("hello")
	n.settle()
	roots := stateOf(x.space).forest.Roots()
	require.Len(t, roots, 1)
	founder.owners(founder) // of the generation of the root where x is
	founder.offline = false
	n.settle()
	n.hours(3)
	barred, held := stateOf(x.space).forest.Root(roots[0].ID)
	require.True(t, !held || barred.Barred)
	require.NotEqual(t, roots[0].ID, x.rootID())
	n.hears(append(all, x)...)
}

// The root owner key is handed to another member, taken out of a device and put back, also by a member that was no owner; the space is not
// orphaned by a call that does not say so.
func TestRootOwnerKey(t *testing.T) {
	n, all := five(t, 88)
	founder, b, c := all[0], all[1], all[2]
	require.ErrorIs(t, founder.try(step.Leave()), ErrOrphan)
	founder.do(step.HandOver(b.place()))
	require.True(t, Info(founder.space).HoldsRootKey, "until it is there")
	n.settle()
	require.True(t, founder.has(HandedOver) && b.has(HandedOver))
	require.False(t, Info(founder.space).HoldsRootKey)
	require.True(t, Info(b.space).HoldsRootKey)
	require.ErrorIs(t, founder.try(step.SetOwners(founder.place())), ErrPhase)
	require.ErrorIs(t, b.try(step.SetOwners(founder.place())), ErrPolicy, "who deals must be among them")
	b.owners(b)
	n.settle()
	require.False(t, Info(founder.space).Owner)
	require.True(t, Info(b.space).Owner)

	var kept []byte
	require.Error(t, b.try(step.TakeRootKey(func([]byte) error { return errors.New("no paper") })))
	require.True(t, Info(b.space).HoldsRootKey)
	b.do(step.TakeRootKey(func(k []byte) error { kept = k; return nil }))
	require.ErrorIs(t, b.try(step.SetOwners(b.place())), ErrPhase)
	require.ErrorIs(t, c.try(step.PutRootKey(make([]byte, 32))), ErrPolicy)
	b.offline = true // for ever
	c.do(step.PutRootKey(kept))
	c.owners(c)
	n.settle()
	require.True(t, Info(c.space).Owner)
	c.do(step.Remove(b.place()))
	n.settle()
	n.hears(founder, c, all[3], all[4])
	c.do(step.Leave(step.Orphan))
	n.settle()
	require.Len(t, founder.members(), 3)
}

// An owner that leaves is taken off the list by the next rekey of who holds the root owner key.
func TestOwnerLeaves(t *testing.T) {
	n, all := five(t, 89)
	founder, b := all[0], all[1]
	founder.owners(founder, b)
	n.settle()
	require.ErrorIs(t, founder.try(step.Leave()), ErrOrphan, "it holds the root owner key")
	b.do(step.Leave())
	n.settle()
	n.hours(3)
	require.Len(t, stateOf(founder.space).me().owners.Keys, 1)
	n.hears(founder, all[2], all[3], all[4])
}

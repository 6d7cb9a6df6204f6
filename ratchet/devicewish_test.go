package ratchet

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
)

// wishes has a member ask for a further device, which a byte names.
func (x *node) wishes(device byte) { x.do(step.InviteDevice([32]byte{device})) }

// jump lets hours go by in which nothing happens.
func (n *network) jump(hours int) {
	n.now = n.now.Add(time.Duration(hours) * time.Hour)
	n.settle()
}

// entrance takes what came of the oldest wish.
func (x *node) entrance() Entrance {
	x.net.t.Helper()
	all := Entrances(x.space)
	require.NotEmpty(x.net.t, all, x.name)
	x.do(step.TakeEntrance(all[0].Device))
	return all[0]
}

// invited takes the invite that came for a device.
func (x *node) invited() Entrance {
	x.net.t.Helper()
	e := x.entrance()
	require.NoError(x.net.t, e.Reason)
	return e
}

// noDevice takes the outcome of a wish for which there is no invite.
func (x *node) noDevice(reason error) {
	x.net.t.Helper()
	require.True(x.net.t, x.has(DeviceNotInvited))
	require.ErrorIs(x.net.t, x.entrance().Reason, reason)
}

// A further device of a member that is no owner comes into the space although the owner was away for days, the first wish was lost, and the
// first device started anew. All show one person; the device is removed alone.
func TestDeviceOfAMember(t *testing.T) {
	n, all := five(t, 140)
	founder, ann := all[0], all[1]
	founder.offline = true
	n.lose = func(*node, []byte) bool { return true }
	ann.wishes(1)
	n.lose = nil
	ann.wishes(1)
	require.Empty(t, Entrances(ann.space))
	ann.restart()
	n.jump(60)
	founder.offline = false
	n.settle()
	n.jump(24)
	require.True(t, ann.has(DeviceInvited))
	e := ann.invited()
	require.Equal(t, [32]byte{1}, e.Device)
	laptop := n.enters(e, "laptop")
	n.settle()
	require.Equal(t, Member, laptop.phase())
	laptop.send("from the laptop")
	n.settle()
	for _, x := range append(all, laptop) {
		require.Equal(t, []dkg.Index{ann.place(), laptop.place()}, x.persons()[ann.place()], x.name)
	}
	n.jump(24)
	require.Empty(t, stateOf(ann.space).devices.Value().wishes)
	founder.do(step.Remove(laptop.place()))
	n.settle()
	require.Equal(t, Removed, laptop.phase())
	require.NotEqual(t, Member, n.enterSettled(e).phase(), "the vouch lets nobody in again")
	n.hears(all...)
}

// An owner makes the invite itself, at once; a device that another one signed for asks for nobody; a member may where the policy does not
// forbid it, and an owner always.
func TestWhoBringsDevices(t *testing.T) {
	n, all := five(t, 141)
	founder, ann := all[0], all[1]
	founder.wishes(1)
	tablet := n.enters(founder.invited(), "tablet")
	n.settle()
	require.Equal(t, Member, tablet.phase())
	require.ErrorIs(t, tablet.try(step.InviteDevice([32]byte{2})), ErrPhase)

	p := Info(founder.space).Policy
	p.NoDevices = true
	ann.offline = true
	founder.do(step.SetPolicy(p))
	n.settle()
	ann.wishes(1)
	ann.offline = false
	n.settle()
	ann.noDevice(ErrPolicy)
	require.ErrorIs(t, ann.try(step.InviteDevice([32]byte{1})), ErrPolicy)
	founder.wishes(2)
	founder.invited()
}

// A wish of who is still joining waits until it is let in.
func TestWishWhileJoining(t *testing.T) {
	n := newNetwork(t, 142)
	founder := n.found(rules.Policy{})
	l := founder.invite(invite.Private(0))
	n.settle()
	founder.offline = true
	ann := n.join(l, "ann")
	ann.wishes(1)
	n.settle()
	require.Equal(t, Joining, ann.phase())
	founder.offline = false
	n.settle()
	n.jump(2)
	require.Equal(t, Member, n.enterSettled(ann.invited()).phase())
}

func (n *network) enterSettled(e Entrance) *node {
	x := n.enters(e, "further")
	n.settle()
	return x
}

// Who was removed brings no device: not by a wish that crossed the removal, not by an invite that it had, and an owner that was away while
// another one removed it gives none either.
func TestRemovedMemberBringsNoDevice(t *testing.T) {
	n, all := five(t, 143)
	founder, ann, bob := all[0], all[1], all[2]
	founder.owners(founder, bob)
	n.settle()
	ann.wishes(1)
	n.settle()
	e := ann.invited()
	bob.offline = true
	ann.wishes(2)
	founder.do(step.Remove(ann.place()))
	n.settle()
	require.Equal(t, Removed, ann.phase())
	ann.noDevice(ErrRemoved)
	late := n.enters(e, "late")
	n.settle()
	require.NotEqual(t, Member, late.phase())
	require.True(t, late.has(Refused) || late.has(Hint))
	bob.offline = false
	n.settle()
	n.jump(48)
	require.Empty(t, Entrances(ann.space))
	require.NotEqual(t, Member, late.phase())
	require.ErrorIs(t, ann.try(step.InviteDevice([32]byte{3})), ErrRemoved)
	n.hears(founder, bob, all[3], all[4])
}

// A device that came before its first device was removed stays, and is the person from then on.
func TestDeviceOutlivesTheFirst(t *testing.T) {
	n, all := five(t, 144)
	founder, ann := all[0], all[1]
	ann.wishes(1)
	n.settle()
	laptop := n.enterSettled(ann.invited())
	laptop.send("here")
	n.settle()
	founder.do(step.Remove(ann.place()))
	n.settle()
	n.jump(48)
	require.Equal(t, Member, laptop.phase())
	n.hears(append(all[2:], founder, laptop)...)
}

// A member gives the invite for its device to a stranger, which comes without the vouch, or with that of somebody else: owners remove it, and
// give that member no further one. An owner that did not give the invite does so, too.
func TestStrangerByTheInviteOfADevice(t *testing.T) {
	t.Run("alone", func(t *testing.T) { strangerComes(t, 145, nil) })
	t.Run("vouched for by another", func(t *testing.T) {
		strangerComes(t, 146, func(founder, bob, other *node, l invite.Link) []byte {
			founder.offline = true // bob may have given it
			vouch, err := other.vouch(l)
			require.NoError(t, err)
			return vouch
		})
	})
}

func strangerComes(t *testing.T, seed uint64, claim func(founder, bob, other *node, l invite.Link) []byte) {
	n, all := five(t, seed)
	founder, ann, bob := all[0], all[1], all[2]
	founder.owners(founder, bob)
	n.settle()
	ann.wishes(1)
	n.settle()
	e := ann.invited()
	var vouch []byte
	if claim != nil {
		vouch = claim(founder, bob, all[3], e.Link)
	}
	s, request, err := join(e.Link, n.now, []byte("stranger"), vouch)
	require.NoError(t, err)
	stranger := n.node("stranger", s)
	stranger.post(request)
	n.settle()
	n.jump(2)
	require.NotContains(t, bob.members(), "stranger")
	require.NotEqual(t, Member, stranger.phase(), "removed by a rekey")
	founder.offline = false
	n.settle()
	ann.wishes(2)
	n.jump(26)
	require.Empty(t, Entrances(ann.space))
	n.hears(all...)
}

// A person has at most 8 devices; a member that floods its owners with wishes is given 3 invites that are open.
func TestDevicesOfAPersonAreBounded(t *testing.T) {
	n, all := five(t, 147)
	founder, ann := all[0], all[1]
	for k := range byte(maxDevices - 1) {
		ann.wishes(k)
		n.settle()
		require.Equal(t, Member, n.enterSettled(ann.invited()).phase())
	}
	require.ErrorIs(t, ann.try(step.InviteDevice([32]byte{100})), dkg.ErrExhausted)
	require.Len(t, founder.persons()[ann.place()], maxDevices)

	eve := all[2]
	for k := range byte(6) {
		eve.wishes(k)
		n.settle()
	}
	require.Len(t, Entrances(eve.space), maxDevicesOpen)
	eve.restart()
	founder.restart()
	require.Len(t, Entrances(eve.space), maxDevicesOpen)
	before := offers(founder)
	n.jump(48)
	require.Equal(t, before, offers(founder))
}

// A wish that no owner answers is given up after 30 days, and its person is told.
func TestWishIsGivenUp(t *testing.T) {
	n := newNetwork(t, 148)
	founder := n.found(rules.Policy{})
	ann := n.member(founder, "ann")
	n.settle()
	founder.offline = true
	ann.wishes(1)
	for range 31 {
		n.now = n.now.Add(24 * time.Hour)
		ann.sync()
		ann.maintain()
	}
	ann.noDevice(ErrHintOwnerNeeded)
	founder.offline = false
	n.settle()
	require.Empty(t, Entrances(ann.space))
}

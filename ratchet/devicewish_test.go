package ratchet

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/invite"
)

// wishes has a member ask for a further device, which a byte names.
func (x *node) wishes(device byte) { x.do(InviteDevice([32]byte{device})) }

// entrance takes what came of the oldest wish.
func (x *node) entrance() Entrance {
	x.net.t.Helper()
	all := Entrances(x.space)
	require.NotEmpty(x.net.t, all, x.name)
	x.do(TakeEntrance(all[0].Device))
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
	lost := false
	n.lose = func(_ *node, _ []byte) bool { return lost }
	lost = true
	ann.wishes(1)
	lost = false
	ann.wishes(1)
	require.Empty(t, Entrances(ann.space))
	ann.restart()
	n.hours(60)
	founder.offline = false
	n.settle()
	n.hours(24)
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
	n.hours(24)
	require.Empty(t, ann.space.State().devices.Value().wishes)
	founder.do(Remove(laptop.place()))
	n.settle()
	require.Equal(t, Removed, laptop.phase())
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
	require.ErrorIs(t, tablet.edit(InviteDevice([32]byte{2}).do), ErrPhase)

	p := Info(founder.space).Policy
	p.NoDevices = true
	ann.offline = true
	founder.do(SetPolicy(p))
	n.settle()
	ann.wishes(1)
	ann.offline = false
	n.settle()
	ann.noDevice(ErrPolicy)
	require.ErrorIs(t, ann.edit(InviteDevice([32]byte{1}).do), ErrPolicy)
	founder.wishes(2)
	founder.invited()
}

// A wish of who is still joining waits until it is let in.
func TestWishWhileJoining(t *testing.T) {
	n := newNetwork(t, 142)
	founder := n.found(Policy{})
	l := founder.invite(invite.Private(0))
	n.settle()
	founder.offline = true
	ann := n.join(l, "ann")
	ann.wishes(1)
	n.settle()
	require.Equal(t, Joining, ann.phase())
	founder.offline = false
	n.settle()
	n.hours(2)
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
	founder.do(Remove(ann.place()))
	n.settle()
	require.Equal(t, Removed, ann.phase())
	ann.noDevice(ErrRemoved)
	late := n.enters(e, "late")
	n.settle()
	require.NotEqual(t, Member, late.phase())
	require.True(t, late.has(Refused) || late.has(Hint))
	bob.offline = false
	n.settle()
	n.hours(48)
	require.Empty(t, Entrances(ann.space))
	require.NotEqual(t, Member, late.phase())
	require.ErrorIs(t, ann.edit(InviteDevice([32]byte{3}).do), ErrRemoved)
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
	founder.do(Remove(ann.place()))
	n.settle()
	n.hours(48)
	require.Equal(t, Member, laptop.phase())
	n.hears(append(all[2:], founder, laptop)...)
}

// A member gives the invite for its device to a stranger, which comes without the vouch, or with that of somebody else: owners remove it, and
// give that member no further one. An owner that did not give the invite does so, too.
func TestStrangerByTheInviteOfADevice(t *testing.T) {
	for seed, claims := range map[uint64]bool{145: false, 146: true} {
		n, all := five(t, seed)
		founder, ann, bob := all[0], all[1], all[2]
		founder.owners(founder, bob)
		n.settle()
		ann.wishes(1)
		n.settle()
		e := ann.invited()
		founder.offline = seed == 146 // bob may have given it
		var vouch []byte
		if claims {
			var err error
			vouch, err = all[3].vouch(e.Link)
			require.NoError(t, err)
		}
		s, request, err := join(e.Link, n.now, []byte("stranger"), vouch)
		require.NoError(t, err)
		stranger := n.node("stranger", s)
		stranger.post(request)
		n.settle()
		n.hours(3)
		require.NotContains(t, bob.members(), "stranger")
		require.NotEqual(t, Member, stranger.phase(), "removed by a rekey")
		founder.offline = false
		n.settle()
		n.hours(3)
		ann.wishes(2)
		n.hours(30)
		require.Empty(t, Entrances(ann.space))
		n.hears(all...)
	}
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
	require.ErrorIs(t, ann.edit(InviteDevice([32]byte{100}).do), dkg.ErrExhausted)
	require.Len(t, founder.persons()[ann.place()], maxDevices)

	eve := all[2]
	for k := range byte(6) {
		eve.wishes(k)
		n.settle()
	}
	require.Len(t, Entrances(eve.space), maxDevicesOpen)
	before := offers(founder)
	n.hours(48)
	require.Equal(t, before, offers(founder))
}

// A wish that no owner answers is given up after 30 days, and its person is told.
func TestWishIsGivenUp(t *testing.T) {
	n, all := five(t, 148)
	all[0].offline = true
	ann := all[1]
	ann.wishes(1)
	for range 32 {
		n.now = n.now.Add(24 * time.Hour)
		n.settle()
	}
	ann.noDevice(ErrHintOwnerNeeded)
	all[0].offline = false
	n.settle()
	require.Empty(t, Entrances(ann.space))
}

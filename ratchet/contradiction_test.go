package ratchet

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
	"github.com/trefoil-im/trefoil/state"
)

// twinsApart has two devices open one link: x is heard by the first owner, y by the second one.
func (n *network) twinsApart(first, second, m *node) (x, y *node) {
	l := first.invite(invite.Private(0))
	n.settle()
	x = n.joinApart(func() *node { return n.join(l, "x") }, func(o *node) bool { return o == second || o == m })
	y = n.joinApart(func() *node { return n.join(l, "y") }, func(o *node) bool { return o == first || o == x })
	return x, y
}

// An owner decides for one device, and another owner, who does not know that, makes a rekey that lists the other one. The bind that counts
// first in the old root names the device that lost. It is told all the same, whether the first owner comes back or not (§9).
func TestContradictedByARekey(t *testing.T) {
	for _, away := range []bool{true, false} {
		for seed := uint64(300); seed < 303; seed++ {
			t.Run(fmt.Sprint("first owner away ", away, ", seed ", seed), func(t *testing.T) {
				n := newNetwork(t, seed)
				founder := n.found(rules.Policy{})
				b, m := n.member(founder, "b"), n.member(founder, "m")
				founder.owners(founder, b)
				n.settle()
				first, second := byPlace(founder, b)
				loser, winner := n.twinsApart(first, second, m)
				n.lose = func(o *node, _ []byte) bool { return o != loser }
				require.NoError(t, first.edit(func(d *edit) error {
					_, r, _ := d.preferred()
					return d.declare(proto.Sign(proto.Bind{Said: proto.Said{Root: r.ID()}, Index: loser.place(), Body: stateOf(loser.space).me().binding.Hash()}, r.Space(), d.st.me().signing))
				}))
				loser.sync()
				n.lose = nil
				first.offline = true
				second.do(step.Rekey())
				n.settle()
				first.offline = away
				for range 10 {
					n.settle()
					n.now = n.now.Add(8 * time.Hour)
					loser.send("still here")
					second.send("day")
				}
				n.settle()
				require.Equal(t, second.members(), winner.members())
				require.False(t, winner.has(Refused))
				require.True(t, loser.has(Refused), "%v", loser.events)
				require.False(t, slices.ContainsFunc(loser.events[1:], func(e Event) bool { return e.Kind == Joined }))
			})
		}
	}
}

// Two rekeys cross. A device that one of them lists is displaced by the owner of the other one. Then the branch that lists it wins, of which
// it lacks a rekey. It asks on, so it comes back.
func TestDisplacedMemberComesBackByATicket(t *testing.T) {
	done := 0
	for seed := uint64(400); seed < 412 && done < 2; seed++ {
		n := newNetwork(t, seed)
		founder := n.found(rules.Policy{})
		b, m := n.member(founder, "b"), n.member(founder, "m")
		founder.owners(founder, b)
		n.settle()
		x, _ := n.twinsApart(founder, b, m)
		founder.do(step.Rekey()) // it lists x
		b.apart(step.Rekey(), founder, x)
		other := b.rootID()
		x.sync()
		require.Equal(t, founder.rootID(), x.rootID())
		founder.offline, founder.mailbox = true, nil
		lost := func(o *node, f []byte) bool { return o == x && f[0]&0xf == byte(proto.TypeRekey) }
		n.lose = func(o *node, f []byte) bool { return o == founder || lost(o, f) }
		for range 4 {
			n.settle()
			n.now = n.now.Add(8 * time.Hour)
			if !x.has(Refused) {
				x.send("still here")
			}
		}
		if b.rootID() != other || !x.has(Refused) {
			continue // the rekey of b does not come first
		}
		done++
		founder.offline = false
		n.lose = lost
		founder.do(step.Rekey())
		for range 12 {
			n.settle()
			n.now = n.now.Add(8 * time.Hour)
			founder.send("day")
		}
		n.lose = nil
		n.settle()
		require.Equal(t, founder.rootID(), b.rootID(), "seed %d", seed)
		require.Equal(t, founder.members(), x.members(), "seed %d", seed)
		require.True(t, x.has(Joined), "seed %d", seed)
		require.Equal(t, founder.rootID(), x.rootID(), "seed %d", seed)
		n.hears(founder, b, m, x)
	}
	require.Equal(t, 2, done)
}

// An owner that the root of the asker does not know has no word that counts there: whoever asks hears a hint, until an owner of that root is
// back.
func TestWordOfAnOwnerThatTheRootDoesNotKnow(t *testing.T) {
	n := newNetwork(t, 330)
	founder := n.found(rules.Policy{})
	b, m := n.member(founder, "b"), n.member(founder, "m")
	_, loser := n.losersOf(founder, m, true)
	n.lose = func(x *node, f []byte) bool { return x == loser && f[0]&0xf == byte(proto.TypeRekey) }
	loser.offline = true
	founder.owners(founder, b)
	n.settle()
	founder.offline, loser.offline = true, false
	days := func() {
		for range 10 {
			n.settle()
			n.now = n.now.Add(8 * time.Hour)
			loser.send("still here")
		}
	}
	days()
	require.NotEqual(t, b.rootID(), loser.rootID())
	require.True(t, loser.has(Hint))
	require.False(t, loser.has(Conflict) || loser.has(Refused), "%v", loser.events)
	founder.offline = false
	days()
	require.True(t, loser.has(Refused), "%v", loser.events)
}

// Whoever comes back first answers what was asked meanwhile, however long that took and whether it is an owner or not.
func TestAnsweredByWhoeverComesBackFirst(t *testing.T) {
	n := newNetwork(t, 320)
	founder := n.found(rules.Policy{})
	m, a := n.member(founder, "m"), n.member(founder, "a")
	founder.do(step.Rekey())
	n.settle()
	n.hears(founder, m, a)
	founder.offline, m.offline = true, true
	require.NoError(t, a.edit(func(d *edit) error { require.True(t, d.askAgain()); return nil }))
	for range 40 {
		n.now = n.now.Add(time.Hour)
		a.maintain()
	}
	require.True(t, stateOf(a.space).asking.Value().Waiting())
	m.offline = false
	for range 6 {
		n.settle()
		n.now = n.now.Add(10 * time.Minute)
	}
	require.False(t, stateOf(a.space).asking.Value().Waiting(), "m is no owner, and answers: %v", a.events)
}

// An owner that was displaced, and makes a rekey that lists it, has its place again: nobody else may answer it.
func TestDisplacedOwnerComesBackByItsOwnRekey(t *testing.T) {
	n := newNetwork(t, 702)
	founder := n.found(rules.Policy{})
	b := n.member(founder, "b")
	founder.owners(founder, b)
	n.settle()
	require.NoError(t, b.edit(func(d *edit) error {
		d.takeWord(founder.word(b.place(), proto.BodyHash{9}), false)
		return nil
	}))
	require.True(t, stateOf(b.space).asking.Value().Lost())
	b.events = nil
	b.do(step.Rekey())
	require.False(t, stateOf(b.space).asking.Value().Lost())
	require.True(t, b.has(Joined))
}

// word is a bind that an owner signs in its preferred root.
func (x *node) word(i dkg.Index, body proto.BodyHash) proto.Bind {
	d, _, r := x.standing()
	place, _ := d.place(r)
	return proto.Sign(proto.Bind{Said: proto.Said{Root: r.ID(), By: place}, Index: i, Body: body}, r.Space(), d.st.me().signing)
}

// The word of an owner that comes after the ticket is one among those that were read: an old one, kept back or repeated, displaces nobody for
// whom the owner that counts first decided since; one that nobody signed is no hint.
func TestWordAfterTheTicket(t *testing.T) {
	n := newNetwork(t, 901)
	founder := n.found(rules.Policy{})
	b := n.member(founder, "b")
	founder.owners(founder, b)
	n.settle()
	first, second := byPlace(founder, b)
	m := n.join(first.invite(invite.Public(2*invite.Unit, 0)), "m")
	n.settle()
	m.send("m")
	n.settle()
	place, body := m.place(), stateOf(m.space).me().binding.Hash()
	require.NoError(t, m.edit(func(d *edit) error { require.True(t, d.askAgain()); return nil }))
	forged := first.word(place, proto.BodyHash{9})
	forged.Signature = append([]byte{1}, forged.Signature[1:]...)
	old, junk := m.refusedWith(second.word(place, proto.BodyHash{9})), m.refusedWith(forged)
	for range 30 {
		n.now = n.now.Add(5 * time.Minute)
		n.settle()
	}
	require.False(t, stateOf(m.space).asking.Value().Waiting())
	require.NoError(t, first.edit(func(d *edit) error { return d.declare(first.word(place, body)) }))
	n.settle()
	m.events = nil
	for range 3 {
		m.receive(junk)
		m.receive(old)
	}
	require.False(t, m.has(Hint) || m.has(Refused) || m.has(Conflict))
	require.False(t, stateOf(m.space).asking.Value().Joining() || stateOf(m.space).asking.Value().Lost())
	n.hours(3)
	require.Equal(t, place, m.place())
}

// refusedWith returns a refusal of the newest request by the word of an owner, as it comes.
func (x *node) refusedWith(b proto.Bind) incoming {
	a, space := stateOf(x.space).asking.Value(), stateOf(x.space).space
	own, known := a.Find(space, a.Newest().Name())
	require.True(x.net.t, known)
	y, err := proto.SealRefusal(space, a.Newest().Name(), own.Ticket.Public, proto.Taken{Bind: b})
	require.NoError(x.net.t, err)
	return newIncoming(state.Frame{Source: "relay", Data: y.Frame()})
}

// A device of a run that has its place after all keeps no part of a ticket for another place: nothing opens it any more.
func TestReinstatedKeepsNoPartsOfATicket(t *testing.T) {
	n := newNetwork(t, 705)
	founder := n.found(rules.Policy{})
	n.member(founder, "m")
	x := n.join(founder.invite(invite.Public(32, 0)), "x")
	n.settle()
	n.now = n.now.Add(2 * time.Hour)
	n.frame = 2000
	parts := 0
	n.lose = func(o *node, f []byte) bool {
		if o != x || f[0]&0xf != byte(proto.TypeTicket) {
			return false
		}
		parts++
		return parts%2 == 1
	}
	require.NoError(t, x.edit(func(d *edit) error {
		d.displace()
		return nil
	}))
	for range 8 {
		n.now = n.now.Add(time.Minute)
		for _, o := range n.all {
			o.sync()
			o.maintain()
		}
	}
	require.True(t, stateOf(x.space).asking.Value().Joining())
	require.NotEmpty(t, x.retained)
	n.lose = nil
	require.NoError(t, founder.edit(func(d *edit) error { return d.declare(founder.word(x.place(), stateOf(x.space).me().binding.Hash())) }))
	n.settle()
	require.False(t, stateOf(x.space).asking.Value().Lost())
	require.Empty(t, x.retained)
}

// Two rekeys cross. Whoever is listed in the root that does not count is away until that root is given up. It asks without a certificate,
// since its root lists it, and nobody knows any more under which key: it gets a hint.
func TestLoserListedInARootThatIsGivenUp(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			n := newNetwork(t, 90+seed)
			founder := n.found(rules.Policy{})
			b, m := n.member(founder, "b"), n.member(founder, "m")
			founder.owners(founder, b)
			n.settle()
			x, y := n.twinsApart(founder, b, m)
			founder.do(step.Rekey())
			b.do(step.Rekey())
			x.sync()
			y.sync()
			require.NotEqual(t, x.rootID(), y.rootID())
			x.offline, y.offline = true, true
			n.settle()
			require.Equal(t, founder.rootID(), b.rootID())
			loser := x
			if x.rootID() == founder.rootID() {
				loser = y
			}
			x.offline, y.offline = loser == x, loser == y
			for range 50 {
				n.settle()
				n.now = n.now.Add(24 * time.Hour)
				founder.send("day")
			}
			d, _, _ := founder.standing()
			_, held := d.root(loser.rootID())
			require.False(t, held)
			loser.offline = false
			for range 20 {
				n.settle()
				n.now = n.now.Add(8 * time.Hour)
				loser.send("still here")
				founder.send("day")
			}
			require.True(t, loser.has(Hint))
		})
	}
}

// The word of an owner that the asker cannot judge, since it names a root that it does not hold, is no more than a hint.
func TestWordThatCannotBeJudgedIsAHint(t *testing.T) {
	n := newNetwork(t, 706)
	founder := n.found(rules.Policy{})
	m := n.member(founder, "m")
	winner, loser := n.losersOf(founder, m, true)
	n.lose = func(o *node, f []byte) bool { return o == loser && f[0]&0xf == byte(proto.TypeRekey) }
	founder.do(step.Rekey())
	require.NoError(t, founder.edit(func(d *edit) error {
		return d.declare(founder.word(winner.place(), stateOf(winner.space).me().binding.Hash()))
	}))
	loser.offline = true
	n.settle()
	founder.offline, loser.offline = true, false
	loser.events = nil
	for range 10 {
		n.settle()
		n.now = n.now.Add(8 * time.Hour)
		loser.send("still here")
		winner.send("day")
	}
	require.True(t, loser.has(Hint))
	require.False(t, loser.has(Refused))
}

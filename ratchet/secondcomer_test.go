package ratchet

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
)

// Who comes second by a private link is told that it is taken, with the proof, whoever of the others is there and whatever is lost once;
// while nobody is there who says it, that it waits (§9).
func TestSecondComer(t *testing.T) {
	for _, c := range []struct {
		name string
		away []string
		lost proto.Type
		told time.Duration // after the first hour if it is one
	}{
		{name: "all are there", told: time.Minute},
		{name: "the owner is away", away: []string{"founder"}, told: time.Minute},
		{name: "only the owner is there", away: []string{"m", "a"}, told: time.Minute},
		{name: "its request is lost", lost: proto.TypeRequest, told: time.Hour},
		{name: "the refusals are lost", lost: proto.TypeTicket, told: time.Hour},
		{name: "only who has the place is there", away: []string{"founder", "m"}, told: 2 * time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := newNetwork(t, 75)
			founder := n.found(rules.Policy{})
			n.member(founder, "m")
			l := founder.invite(invite.Private(0))
			n.join(l, "a")
			n.settle()
			n.away(c.away...)
			n.lose = func(_ *node, f []byte) bool { return c.lost != 0 && f[0]&0xf == byte(c.lost) }
			b := n.join(l, "b")
			posted := n.now
			n.now = n.now.Add(time.Second) // a frame is some time on its way
			n.settle()
			require.Equal(t, c.told < time.Hour, b.has(Refused))
			n.lose = nil
			n.now = posted.Add(time.Hour)
			b.maintain() // it asks again: less than an hour after it was refused, if it was
			n.settle()
			require.Equal(t, c.told <= time.Hour, b.has(Refused))
			require.True(t, b.has(Refused) || b.has(StillWaiting))
			n.away()
			n.settle()
			require.True(t, b.refused(ErrInviteTaken), b.name)
			require.Equal(t, Joining, b.phase())
			require.Len(t, founder.members(), 3)
		})
	}
}

// Who comes second by a private link is refused by those that read whoever came first, also if they read it in the root before a rekey whose
// owner knew nothing of it: its invite is issued again there, and nobody has said anything in the new root yet (§9).
func TestSecondComerAfterACrossingRekey(t *testing.T) {
	n := newNetwork(t, 310)
	founder := n.found(rules.Policy{})
	m := n.member(founder, "m")
	l := founder.invite(invite.Private(0))
	n.settle()
	founder.offline = true
	a := n.join(l, "a")
	n.settle()
	place := a.place()
	a.send("a")
	m.sync()
	require.Len(t, m.texts(), 1)
	founder.do(step.Rekey()) // before it reads its mailbox
	a.offline = true
	m.sync()
	_, _, r := m.standing()
	require.EqualValues(t, 1, r.Rekey())
	require.Len(t, r.Open(), 1)
	require.False(t, r.Heard(place))

	b := n.join(l, "b")
	n.settle()
	require.Equal(t, Joining, b.phase())
	require.True(t, b.refused(ErrInviteTaken), b.name)
	a.offline, founder.offline = false, false
	founder.inOrder()
	for range 12 {
		n.settle()
		n.now = n.now.Add(8 * time.Hour)
		a.send("still here")
	}
	require.False(t, a.has(Refused))
	require.Equal(t, founder.members(), a.members())
	_, _, r = founder.standing()
	shown, _ := r.ListedBinding(place)
	require.Equal(t, stateOf(a.space).me().maker(), shown.Maker)
}

// Of two devices at one place of a link whose request the owner answered of one, and reads only the other one in the old root after its rekey,
// whoever is read first keeps the place, and the other one takes another. Who has not said anything keeps nobody out (§9).
func TestReadInTheOldRootAfterTheRekey(t *testing.T) {
	for k, first := range []string{"only b", "b", "a"} {
		t.Run(first, func(t *testing.T) {
			n := newNetwork(t, 320+uint64(k))
			founder := n.found(rules.Policy{})
			m := n.member(founder, "m")
			l := founder.invite(invite.Public(invite.Unit, 0))
			n.settle()
			n.lose = func(x *node, f []byte) bool { return x == m || x == founder && f[0]&0xf == byte(proto.TypeMessage) }
			a := n.join(l, "a")
			n.settle()
			require.Equal(t, Member, a.phase())
			place := a.place()
			b := n.joinApart(func() *node { return n.joinAt(l, place, "b") }, func(x *node) bool { return x == founder || x == a })
			founder.do(step.Rekey())
			_, _, r := founder.standing()
			require.Len(t, r.Bindings(place), 1)
			require.False(t, r.Met(place))
			a.offline, b.offline = first != "a", first == "a"
			pass := func(x *node) {
				for range 5 { // within the day for which the seed of a run is kept
					x.send("still here")
					n.settle()
					n.now = n.now.Add(2 * time.Hour)
				}
			}
			winner, other := b, a
			if first == "a" {
				winner, other = a, b
			}
			pass(winner)
			require.Equal(t, place, winner.place())
			require.Equal(t, founder.members(), winner.members())
			if first == "only b" {
				return
			}
			other.offline = false
			pass(other)
			require.NotEqual(t, place, other.place())
			require.Equal(t, place, winner.place())
			require.Equal(t, founder.members(), other.members())
			n.hears(founder, m, a, b)
		})
	}
}

// A device that was read first keeps its place, though another one, which a member let in under the root before a rekey and told nobody of,
// writes there afterwards; also if it was introduced in the new root before (§9).
func TestNoPlaceIsTakenFromAnOlderRoot(t *testing.T) {
	for _, introduced := range []bool{true, false} {
		n := newNetwork(t, 330)
		founder := n.found(rules.Policy{})
		m, o := n.member(founder, "m"), n.member(founder, "o")
		l := founder.invite(invite.Private(0))
		n.settle()
		thief := n.joinApart(func() *node { return n.join(l, "thief") }, func(x *node) bool { return x == founder || x == o })
		thief.offline, m.offline = true, true
		founder.do(step.Rekey())
		thief.mailbox = nil // it stays in the older root
		n.settle()
		x := n.join(l, "x")
		n.settle()
		require.Equal(t, thief.place(), x.place())
		me := stateOf(x.space).me().maker()
		_, _, r := founder.standing()
		require.True(t, r.Heard(x.place()))
		if introduced {
			require.NoError(t, founder.edit(func(d *edit) error {
				_, r, _ := d.preferred()
				of, _ := r.Binding(me)
				c := proto.Credential{Certificate: of.Credential.Certificate, Binding: stateOf(thief.space).me().binding}
				r, change, err := r.Admit(c, members.Via{By: m.place()})
				d.changed(r, change)
				return err
			}))
		}
		n.lose = func(y *node, _ []byte) bool { return y != founder }
		thief.send("late, in the older root")
		n.lose = nil
		founder.sync()
		n.now = n.now.Add(time.Hour)
		founder.maintain()
		n.settle()
		_, _, r = founder.standing()
		require.Len(t, r.Bindings(x.place()), 2)
		b, _ := r.ListedBinding(x.place())
		require.Equal(t, me, b.Maker)
		require.False(t, x.has(Refused))
	}
}

// away lets some devices be offline, and the others be there.
func (n *network) away(names ...string) {
	for _, x := range n.all {
		x.offline = slices.Contains(names, x.name)
	}
}

// losers has two devices open a link at once, which different members let in. Nobody but the owner reads what they say, and nobody reads
// the owner's word: neither device knows of the other one. It returns the one whose binding is listed, and the other one.
func (n *network) losers(founder, m *node, l invite.Link) (winner, loser *node) {
	joins := func(name string, passedOver *node) *node {
		n.lose = func(x *node, f []byte) bool { return x == passedOver && f[0]&0xf == byte(proto.TypeRequest) }
		return n.join(l, name)
	}
	winner, loser = joins("a", m), joins("b", founder)
	n.lose = func(x *node, f []byte) bool { return x != founder && f[0]&0xf == byte(proto.TypeMessage) }
	n.settle()
	n.lose = nil
	if slices.Equal(founder.members(), loser.members()) {
		winner, loser = loser, winner
	}
	require.Equal(n.t, founder.members(), winner.members())
	require.Equal(n.t, Member, loser.phase())
	require.False(n.t, loser.has(Conflict) || winner.has(Conflict))
	return winner, loser
}

// A member that lost its place to somebody of whom it knows nothing is told when it asks: the refusal brings the owner's word, which counts
// although the other binding is not known (§9).
func TestLoserThatReadNothingIsToldWhenItAsks(t *testing.T) {
	n := newNetwork(t, 79)
	founder := n.found(rules.Policy{})
	m := n.member(founder, "m")
	winner, loser := n.losers(founder, m, founder.invite(invite.Private(0)))
	require.NoError(t, loser.edit(func(d *edit) error {
		require.True(t, d.askAgain())
		return nil
	}))
	n.settle()
	require.True(t, loser.refused(ErrInviteTaken), loser.name)
	require.False(t, winner.has(Refused))
}

// A member that lost its place and has no reason to ask is told, too: the owner says its word again when it reads a message of the binding
// that lost, an hour or more after it said it last (§9).
func TestLoserThatOnlyTalksIsTold(t *testing.T) {
	n := newNetwork(t, 80)
	founder := n.found(rules.Policy{})
	n.member(founder, "m")
	l := founder.invite(invite.Private(0))
	n.settle()
	founder.offline = true
	winner, loser := n.join(l, "a"), n.join(l, "b")
	n.settle()
	founder.offline = false
	founder.sync()
	n.lose = func(*node, []byte) bool { return true }
	founder.maintain()
	if slices.Equal(founder.members(), loser.members()) {
		winner, loser = loser, winner
	}
	n.lose = func(_ *node, f []byte) bool { return f[0]&0xf == byte(proto.TypeRequest) }
	loser.send("just after the owner said it")
	n.settle()
	require.False(t, loser.has(Refused))
	n.now = n.now.Add(time.Hour)
	loser.send("later")
	n.settle()
	require.True(t, loser.refused(ErrInviteTaken), loser.name)
	require.False(t, winner.has(Refused))
}

// However much those say that lost a place, no other statement that is owed gives way to the owner's word: that waits until there is room.
func TestOwedStatementsGiveWayToNoBind(t *testing.T) {
	n := newNetwork(t, 84)
	founder := n.found(rules.Policy{})
	m := n.member(founder, "m")
	_, loser := n.losers(founder, m, founder.invite(invite.Private(0)))
	n.now = n.now.Add(2 * time.Hour)
	founder.sync()
	var full []recent
	require.NoError(t, founder.edit(func(d *edit) error {
		for k := range maxRecent {
			full = append(full, recent{hash: proto.Digest{byte(k)}, said: d.age(), owed: true})
		}
		d.setRecent(full)
		return nil
	}))
	recents := func() []recent { return stateOf(founder.space).news.Value().recent }
	loser.send("while much is owed")
	founder.sync()
	require.Equal(t, full, recents())

	require.NoError(t, founder.edit(func(d *edit) error { d.setRecent(full[1:]); return nil }))
	loser.send("there is room")
	founder.sync()
	require.Len(t, recents(), maxRecent)
	require.Equal(t, full[1:], recents()[1:])
	require.NoError(t, founder.edit(func(d *edit) error { return d.take(step.SetTitle([]byte("title"))) }))
	require.Equal(t, full[1:], recents()[:maxRecent-1], "the bind gives way")
}

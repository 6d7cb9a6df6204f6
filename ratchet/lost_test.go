package ratchet

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
)

// A member that lost its place is told although the owner makes a rekey before that: in the new root the other binding is listed, and
// whoever lost asks from the old one, in which nobody says anything any more (§9).
func TestLoserIsToldAfterARekey(t *testing.T) {
	for _, c := range []struct {
		name   string
		others int           // members besides, that answer it, too
		unsaid bool          // the owner knew nothing of it before the rekey, and said nothing
		rekeys int           // besides the first
		away   time.Duration // before it sends again
	}{
		{name: "the owner said its word before"},
		{name: "the owner said nothing", unsaid: true},
		{name: "others answer that have no proof", unsaid: true, others: 4},
		{name: "several rekeys", unsaid: true, rekeys: 2},
		{name: "the root before is given up", unsaid: true, away: 45 * 24 * time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := newNetwork(t, 85)
			founder := n.found(rules.Policy{})
			m := n.member(founder, "m")
			for k := range c.others {
				n.member(founder, fmt.Sprint("m", k))
			}
			winner, loser := n.losersOf(founder, m, c.unsaid)
			founder.do(step.Rekey())
			for range c.rekeys {
				n.settle()
				founder.do(step.Rekey())
			}
			if c.away > 0 {
				loser.offline = true
				for range int(c.away / (24 * time.Hour)) {
					n.settle()
					n.now = n.now.Add(24 * time.Hour)
					founder.send("day")
				}
				loser.offline = false
			}
			for range 6 {
				for range 3 { // until it is the owner's turn, if others have answered
					n.settle()
				}
				n.now = n.now.Add(8 * time.Hour)
				loser.send("still here")
			}
			require.True(t, loser.refused(ErrInviteTaken), loser.name)
			require.False(t, winner.has(Refused))
			require.Equal(t, founder.members(), winner.members())
		})
	}
}

// losersOf is losers. Unknown: the owner knows nothing of the one that loses when it returns, and the others nothing of the one that wins.
func (n *network) losersOf(founder, m *node, unknown bool) (winner, loser *node) {
	l := founder.invite(invite.Private(0))
	n.settle()
	if !unknown {
		return n.losers(founder, m, l)
	}
	winner = n.joinApart(func() *node { return n.join(l, "a") }, func(x *node) bool { return x != founder && x.name != "a" })
	loser = n.joinApart(func() *node { return n.join(l, "b") }, func(x *node) bool { return x == founder || x == winner })
	require.Equal(n.t, founder.members(), winner.members())
	require.Equal(n.t, m.members(), loser.members())
	return winner, loser
}

// joinApart has a device open a link. Those apart hear nothing of it.
func (n *network) joinApart(join func() *node, apart func(x *node) bool) *node {
	n.lose = func(x *node, _ []byte) bool { return apart(x) }
	joiner := join()
	for range 4 {
		for _, x := range n.all {
			if !apart(x) {
				x.sync()
				x.maintain()
			}
		}
		n.now = n.now.Add(time.Minute)
	}
	n.lose = nil
	require.Equal(n.t, Member, joiner.phase())
	return joiner
}

// Two devices at one place are read by the owner in the old root only, after its rekey, and follow no rekey; then the one that was read first
// goes off the line. The owner decides for it all the same, so the other one takes another place.
func TestTwinsOfAnOlderRoot(t *testing.T) {
	for seed := range uint64(8) {
		before := seed%2 == 0 // others introduce both in the new root before the owner reads them in the old one, or afterwards
		n := newNetwork(t, 160+seed/2)
		founder := n.found(rules.Policy{})
		m, o := n.member(founder, "m"), n.member(founder, "o")
		l := founder.invite(invite.Public(invite.Unit, 0))
		n.settle()
		a := n.joinApart(func() *node { return n.join(l, "a") }, func(x *node) bool { return x == founder || x == o })
		b := n.joinApart(func() *node { return n.joinAt(l, a.place(), "b") }, func(x *node) bool { return x == founder || x == m || x == a })
		founder.do(step.Rekey())
		n.lose = func(x *node, f []byte) bool { return (x == a || x == b) && f[0]&0xf == byte(proto.TypeRekey) }
		introduce := func(x *node) {
			require.NoError(t, founder.edit(func(d *edit) error {
				_, r, _ := d.preferred()
				c := proto.Credential{Certificate: r.Open()[0].Certificate, Binding: stateOf(x.space).me().binding}
				r, change, err := r.Admit(c, members.Via{By: m.place()})
				require.NoError(t, err)
				d.changed(r, change)
				return nil
			}))
		}
		if before {
			introduce(b)
			introduce(a)
		}
		a.send("a")
		founder.sync()
		b.send("b")
		founder.sync()
		if !before {
			introduce(b)
			introduce(a)
		}
		place := a.place()
		a.offline = true
		for range 12 {
			b.send("still here")
			n.settle()
			n.now = n.now.Add(12 * time.Hour)
		}
		require.NotEqual(t, place, b.place(), seed)
		require.Equal(t, founder.members(), b.members(), seed)
		a.offline = false
		for range 4 {
			n.settle()
			n.now = n.now.Add(12 * time.Hour)
		}
		require.Equal(t, place, a.place(), seed)
		require.Equal(t, founder.members(), a.members(), seed)
		_, _, r := founder.standing()
		shown, _ := r.ListedBinding(place)
		require.Equal(t, stateOf(a.space).me().maker(), shown.Maker, seed)
	}
}

// Two owners that read different ones of two devices at one place make a rekey each. Whoever is listed in the root that does not count is
// alone there, and is told.
func TestLoserOfRekeysThatCross(t *testing.T) {
	for seed := range uint64(4) {
		n := newNetwork(t, 90+seed)
		founder := n.found(rules.Policy{})
		b, m := n.member(founder, "b"), n.member(founder, "m")
		founder.owners(founder, b)
		n.settle()
		x, y := n.twinsApart(founder, b, m)
		founder.do(step.Rekey())
		b.do(step.Rekey())
		for range 6 {
			n.settle()
			n.now = n.now.Add(8 * time.Hour)
			x.send("x")
			y.send("y")
		}
		n.settle()
		require.Equal(t, founder.rootID(), b.rootID())
		winner, loser := x, y
		if !slices.Equal(winner.members(), founder.members()) {
			winner, loser = y, x
		}
		require.Equal(t, founder.members(), winner.members(), "seed %d", seed)
		require.True(t, loser.has(Refused), "seed %d", seed)
		require.False(t, winner.has(Refused), "seed %d", seed)
		n.hears(founder, b, m, winner)
	}
}

// joinAt opens a link of a run on a new device that draws the index which another one has.
func (n *network) joinAt(l invite.Link, i dkg.Index, name string) *node {
	link, err := openLink(l)
	require.NoError(n.t, err)
	keys, err := link.Keys()
	require.NoError(n.t, err)
	for {
		s, frame, err := Join(l, n.now, []byte(name))
		require.NoError(n.t, err)
		q, err := proto.ParseRequest(frame)
		require.NoError(n.t, err)
		asked, err := q.Open(link.Space, suite.NewAEAD(keys.RequestKey))
		require.NoError(n.t, err)
		if asked.Index == i {
			x := n.node(name, s)
			x.post(frame)
			return x
		}
	}
}

// A device that drew a place of a run that another one has, and that the owner knew nothing of before a rekey, takes another place.
func TestLoserOfARunTakesAnotherPlaceAfterARekey(t *testing.T) {
	n := newNetwork(t, 89)
	founder := n.found(rules.Policy{})
	m := n.member(founder, "m")
	l := founder.invite(invite.Public(16, 0))
	n.settle()
	winner := n.joinApart(func() *node { return n.join(l, "a") }, func(x *node) bool { return x == m })
	loser := n.joinApart(func() *node { return n.joinAt(l, winner.place(), "b") }, func(x *node) bool { return x == founder || x == winner })
	require.Equal(t, winner.place(), loser.place())
	founder.do(step.Rekey())
	for range 3 {
		n.settle()
		n.now = n.now.Add(3 * time.Hour)
		loser.send("still here")
	}
	n.settle()
	require.NotEqual(t, winner.place(), loser.place())
	require.False(t, loser.has(Refused) || winner.has(Refused))
	n.hears(founder, m, winner, loser)
}

// Owners that decided without knowing of each other contradict each other. Whatever a device reads first, in the end it has its place if
// what counts names its binding, and else not (§9).
func TestContradictingBindsInAnyOrder(t *testing.T) {
	n := newNetwork(t, 86)
	founder := n.found(rules.Policy{})
	m := n.member(founder, "m")
	founder.owners(founder, m)
	n.settle()
	joiners := []*node{n.member(founder, "by a private link"), n.join(founder.invite(invite.Public(16, 0)), "by a run")}
	n.settle()
	n.lose = func(*node, []byte) bool { return true }
	rapid.Check(t, func(rt *rapid.T) {
		of := rapid.SampledFrom(joiners).Draw(rt, "joiner")
		x := &node{net: n, name: of.name, space: of.space}
		me := stateOf(x.space).me()
		_, _, r := x.standing()
		var said []proto.Bind
		for _, owner := range []*node{founder, m} {
			d, _, r := owner.standing()
			place, _ := d.place(r)
			for _, body := range []proto.BodyHash{me.binding.Hash(), {1}, {2}} {
				said = append(said, proto.Sign(proto.Bind{Said: proto.Said{Root: r.ID(), By: place}, Index: me.index, Body: body}, r.Space(), d.st.me().signing))
			}
		}
		said = rapid.Permutation(said).Draw(rt, "said")[:rapid.IntRange(1, len(said)).Draw(rt, "number")]
		refused := false
		for _, s := range said {
			x.events = nil
			require.NoError(rt, x.edit(func(d *edit) error {
				err := d.apply(s, r.ID())
				d.displaced()
				if errors.Is(err, members.ErrStale) { // four decide before it
					return nil
				}
				return err
			}))
			refused = (refused || x.has(Refused)) && !x.has(Joined)
		}
		first := slices.MinFunc(said, func(a, b proto.Bind) int {
			x, y := proto.StatementHash(a), proto.StatementHash(b)
			return cmp.Or(cmp.Compare(a.By, b.By), bytes.Compare(x[:], y[:]))
		})
		asking := stateOf(x.space).asking.Value()
		require.Equal(rt, first.Body != me.binding.Hash(), asking.Lost())
		require.Equal(rt, asking.Over() != nil, refused)
		require.Equal(rt, Member, x.phase())
	})
}

// However many binds an owner says, it forgets nothing else that joiners may lack: with a public link anybody can come to any number of
// places that others have (§7, Saying again).
func TestManyBindsPushNothingOut(t *testing.T) {
	n := newNetwork(t, 87)
	founder := n.found(rules.Policy{})
	n.member(founder, "m")
	n.settle()
	founder.do(step.SetTitle([]byte("title")))
	d, _, r := founder.standing()
	place, _ := d.place(r)
	title, ok := r.Title()
	require.True(t, ok)
	for k := range 2 * maxRecent {
		require.NoError(t, founder.edit(func(d *edit) error {
			return d.declare(proto.Sign(proto.Bind{Said: proto.Said{Root: r.ID(), By: place}, Index: dkg.Index(1000 + k)}, r.Space(), d.st.me().signing))
		}))
	}
	recents := stateOf(founder.space).news.Value().recent
	require.Len(t, recents, maxRecent)
	require.Equal(t, proto.StatementHash(title), recents[maxRecent-1].hash)
	founder.do(step.SetTitle([]byte("another title")))
	require.Equal(t, proto.StatementHash(title), stateOf(founder.space).news.Value().recent[maxRecent-2].hash, "a bind gives way")
}

// Devices that lost their places, and stand together in the root before the rekey, answer one another before the owner does. Whoever asks hears of
// it all the same, also if no message of others reaches it: the owner's word in the refusal counts although a ticket came (§9).
func TestLosersThatAnswerOneAnother(t *testing.T) {
	n := newNetwork(t, 96)
	founder := n.found(rules.Policy{})
	m := n.member(founder, "m")
	l := founder.invite(invite.Public(invite.Unit, 0))
	n.settle()
	a := n.joinApart(func() *node { return n.join(l, "a") }, func(x *node) bool { return x == m })
	b := n.joinApart(func() *node { return n.join(l, "b") }, func(x *node) bool { return x == m })
	winner := func(x *node) bool { return x == a || x == b || x == founder }
	loser := n.joinApart(func() *node { return n.joinAt(l, a.place(), "loser") }, winner)
	other := n.joinApart(func() *node { return n.joinAt(l, b.place(), "other") }, winner)
	founder.do(step.Rekey())
	n.lose = func(x *node, f []byte) bool { return x == loser && f[0]&0xf == byte(proto.TypeMessage) }
	n.away("founder", "m", "a", "b")
	require.NoError(t, loser.edit(func(d *edit) error {
		require.True(t, d.askAgain())
		return nil
	}))
	n.settle()
	require.True(t, other.has(Resynced), "it has answered")
	require.Equal(t, a.place(), loser.place())
	require.Equal(t, other.rootID(), loser.rootID())
	n.away()
	n.hours(4)
	require.NotEqual(t, a.place(), loser.place())
	require.False(t, loser.has(Refused))
	n.lose = nil
	n.hear(func() { n.hours(2) }, founder, m, a, b, loser)
}

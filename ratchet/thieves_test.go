package ratchet

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/invites"
	"github.com/trefoil-im/trefoil/ratchet/internal/orphans"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
	"github.com/trefoil-im/trefoil/state"
)

// copyOf is a device with a copy of another one's state, which nobody else sees on the network.
func (x *node) copyOf(name string) *node {
	y := x.net.node(name, x.space)
	y.offline = true
	return y
}

// opens reports whether a link and what a seized state holds give the share of an index.
func opens(t *testing.T, l invite.Link, seized *node, i dkg.Index) bool {
	link, err := openLink(l)
	require.NoError(t, err)
	d, err := newEdit(seized.space, seized.net.now, Options{})
	require.NoError(t, err)
	_, r, ok := d.preferred()
	require.True(t, ok)
	for _, x := range append(r.Open(), r.Used()...) {
		if _, err := invites.OpenShare(link, x.Masked, i, r.Commitment()); err == nil {
			return true
		}
	}
	return false
}

// A link gives a share together with a state that was copied while it was open, and with none that was copied when it was used,
// revoked or over.
func TestLinkAndStateGiveAShareOnlyWhileOpen(t *testing.T) {
	n := newNetwork(t, 21)
	founder := n.found(rules.Policy{})
	m := n.member(founder, "m")
	var used, revoked, expired invite.Made
	founder.do(step.NewInvite(invite.Private(0), &used))
	founder.do(step.NewInvite(invite.Private(0), &revoked))
	founder.do(step.NewInvite(invite.Private(time.Hour), &expired))
	n.settle()
	before := m.copyOf("thief")
	first := func(v invite.Made) dkg.Index {
		l, err := openLink(v.Link)
		require.NoError(t, err)
		return l.First
	}
	for _, v := range []invite.Made{used, revoked, expired} {
		require.True(t, opens(t, v.Link, before, first(v)))
		require.False(t, opens(t, v.Link, before, 1), "of nobody else")
	}
	n.join(used.Link, "x")
	founder.do(step.EndInvite(revoked.Name))
	for range 4 {
		n.settle()
		n.now = n.now.Add(23 * time.Hour)
	}
	n.settle()
	for _, x := range []*node{founder, m} {
		for _, v := range []invite.Made{used, revoked, expired} {
			require.False(t, opens(t, v.Link, x, first(v)), x.name)
		}
	}
}

// The state of a joiner by a public link gives its own share alone once a day has gone by: the seed is erased (D63).
func TestPublicJoinerStateIsOneShare(t *testing.T) {
	n := newNetwork(t, 22)
	founder := n.found(rules.Policy{})
	l := founder.invite(invite.Public(16, 0))
	x := n.join(l, "x")
	n.settle()
	require.False(t, templateOf(x.space).link.Value().bytes.IsZero())
	for range 2 {
		n.now = n.now.Add(23 * time.Hour)
		n.settle()
	}
	require.True(t, templateOf(x.space).link.Value().bytes.IsZero())
	require.Equal(t, Member, x.phase())
}

// A thief that asks as a member is heard by all, and by the member: also if the server shows its request to one member alone, since
// who answered it shows it to all (D68).
func TestHiddenRequestIsShown(t *testing.T) {
	n := newNetwork(t, 23)
	founder := n.found(rules.Policy{})
	m, other := n.member(founder, "m"), n.member(founder, "other")
	thief := m.copyOf("thief")
	n.now = n.now.Add(2 * time.Hour)
	n.lose = func(x *node, f []byte) bool { return x != founder && f[0]&0xf == byte(proto.TypeRequest) }
	require.NoError(t, thief.edit(func(d *edit) error { d.st.rhythm.ask = true; return d.ask() }))
	n.lose = nil
	n.settle()
	require.False(t, m.has(Impersonated))
	n.now = n.now.Add(time.Hour) // what was answered is said an hour later
	n.settle()
	require.True(t, founder.has(Resynced))
	require.True(t, other.has(Resynced))
	require.True(t, m.has(Impersonated))
}

// A backup that was made while joining, of a device that was heard since, is brought back by an owner: v is erased everywhere (D35).
func TestBackupOfAJoiner(t *testing.T) {
	n := newNetwork(t, 25)
	founder := n.found(rules.Policy{})
	n.member(founder, "m")
	x := n.join(founder.invite(invite.Private(0)), "x")
	backup := x.space
	n.settle()
	require.Equal(t, Member, x.phase())
	x.send("heard")
	n.settle()
	n.now = n.now.Add(2 * time.Hour)
	s, err := Restore(backup, n.now)
	require.NoError(t, err)
	x.space, x.retained, x.events = s, map[orphans.FrameName]incoming{}, nil
	for range 3 {
		n.settle()
		n.now = n.now.Add(time.Hour)
	}
	require.Equal(t, Member, x.phase())
	require.True(t, founder.has(Resynced), "everybody is told")
	x.send("again")
	n.settle()
	require.Contains(t, founder.texts(), "3: again")
	require.Len(t, founder.members(), 3)
}

// What may be from before joining is given up when words of two issuers say so, or after a week: one alone may lie (D45).
func TestBeforeJoinNeedsTwoIssuers(t *testing.T) {
	for _, two := range []bool{false, true} {
		n := newNetwork(t, 26)
		founder := n.found(rules.Policy{})
		m := n.member(founder, "m")
		founder.send("before")
		old := m.mailbox[len(m.mailbox)-1]
		n.settle()
		m.offline = !two
		x := n.join(founder.invite(invite.Private(0)), "x")
		x.offline = true
		n.settle()
		tickets := x.frames(proto.TypeTicket)
		require.Equal(t, two, len(tickets) == 2)
		for k, f := range tickets {
			x.receive(newIncoming(state.Frame{Source: string(rune('a' + k)), Data: f}))
		}
		x.offline, m.offline = false, false
		n.settle()
		m.send("third")
		founder.send("fourth")
		n.settle()
		x.receive(old)
		require.Len(t, x.retained, 1)
		n.now = n.now.Add(25 * time.Hour) // the key of the tickets is gone by now
		n.settle()
		require.Equal(t, !two, len(x.retained) == 1)
		for range 8 {
			n.now = n.now.Add(24 * time.Hour)
			n.settle()
		}
		require.Empty(t, x.retained)
		require.ErrorIs(t, x.reasons[len(x.reasons)-1], ErrLost)
	}
}

// Members may ask owners for links to hand on, where the policy says so; each at most three that are open.
func TestMembersMayInvite(t *testing.T) {
	n := newNetwork(t, 27)
	founder := n.found(rules.Policy{MembersMayInvite: true})
	m := n.member(founder, "m")
	for range 5 {
		m.do(step.WantInvite())
		n.settle()
	}
	var links []invite.Link
	for _, e := range m.events {
		if e.Kind == LinkGiven {
			links = append(links, e.Link)
		}
	}
	require.Len(t, links, 3)
	require.Equal(t, 3, offers(founder))
	n.join(links[0], "x")
	n.settle()
	n.agree(3)
	m.do(step.WantInvite())
	n.settle()
	require.Equal(t, 3, offers(founder))

	strict := newNetwork(t, 28)
	owner := strict.found(rules.Policy{})
	require.ErrorIs(t, strict.member(owner, "m").try(step.WantInvite()), ErrPolicy)
}

// Title and profile reach everybody, joiners too; only an owner names the space.
func TestTitleAndProfile(t *testing.T) {
	n := newNetwork(t, 29)
	founder := n.found(rules.Policy{})
	m := n.member(founder, "m")
	founder.do(step.SetTitle([]byte("first")))
	founder.do(step.SetTitle([]byte("second")))
	m.do(step.SetProfile([]byte("renamed")))
	require.ErrorIs(t, m.try(step.SetTitle([]byte("mine"))), ErrPhase)
	n.settle()
	x := n.member(founder, "x")
	for _, y := range []*node{founder, m, x} {
		d, err := newEdit(y.space, n.now, Options{})
		require.NoError(t, err)
		_, r, _ := d.preferred()
		title, ok := r.Title()
		require.True(t, ok, y.name)
		require.Equal(t, "second", string(title.Title), y.name)
		b, ok := r.ListedBinding(2)
		require.True(t, ok)
		require.Equal(t, "renamed", string(b.Profile.App), y.name)
	}
}

// The ticket of a direct link lets its person in without asking anybody.
func TestDirectTicket(t *testing.T) {
	n := newNetwork(t, 30)
	founder := n.found(rules.Policy{})
	m := n.member(founder, "m")
	var made invite.Made
	founder.do(step.NewInvite(invite.Direct(0), &made))
	n.settle()
	require.NotEmpty(t, made.Ticket)
	founder.offline, m.offline = true, true
	x := n.join(made.Link, "x")
	for _, f := range made.Ticket {
		x.receive(incoming{name: [32]byte{9}, data: f})
	}
	require.Equal(t, Member, x.phase())
	founder.offline, m.offline = false, false
	x.send("hello")
	n.settle()
	n.agree(3)
	require.Contains(t, m.texts(), "3: hello")
}

// A thief that copies a member's state and asks in its name is heard by all, and by the member: the request itself says so.
func TestActingThiefIsHeardByAll(t *testing.T) {
	n := newNetwork(t, 32)
	founder := n.found(rules.Policy{})
	m, other := n.member(founder, "m"), n.member(founder, "other")
	thief := m.copyOf("thief")
	n.now = n.now.Add(2 * time.Hour)
	require.NoError(t, thief.edit(func(d *edit) error { d.st.rhythm.ask = true; return d.ask() }))
	n.settle()
	require.True(t, founder.has(Resynced))
	require.True(t, other.has(Resynced))
	require.True(t, m.has(Impersonated))
	require.False(t, m.has(Resynced), "it is told as what it is")
}

// A request that is sent again brings the same ticket for a day, and none before an hour: who replays it learns nothing new, and makes
// nobody work (D30). The copy of a request that was answered under a binding that was heard since is of no use.
func TestReplayedRequestOfAnOpenTicket(t *testing.T) {
	n := newNetwork(t, 33)
	founder := n.found(rules.Policy{})
	x := n.join(founder.invite(invite.Private(0)), "x")
	x.offline = true
	request := founder.frames(proto.TypeRequest)
	require.Equal(t, 1, len(request))
	replay := func(source string) (tickets [][]byte) {
		x.frames(proto.TypeTicket)
		founder.receive(newIncoming(state.Frame{Source: source, Data: request[0]}))
		founder.sync()
		return x.frames(proto.TypeTicket)
	}
	first := replay("a")
	require.Equal(t, 1, len(first))
	require.Empty(t, replay("b"))
	n.now = n.now.Add(61 * time.Minute)
	again := replay("c")
	require.Equal(t, 1, len(again))
	require.True(t, bytes.Equal(first[0], again[0]))

	x.receive(newIncoming(state.Frame{Data: first[0]}))
	x.offline = false
	n.settle()
	require.Equal(t, Member, x.phase())
	n.now = n.now.Add(2 * time.Hour)
	require.Empty(t, replay("d"))
}

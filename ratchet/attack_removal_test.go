package ratchet

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
	"github.com/trefoil-im/trefoil/state"
)

// taking returns a device with what another one holds that signs as an index of a public run: who has the link can bind any of them, and
// who is in an epoch has the chains of all.
func (x *node) taking(l invite.Link, i dkg.Index, name string) *node {
	t := x.net.t
	link, err := openLink(l)
	require.NoError(t, err)
	keys, err := link.Keys()
	require.NoError(t, err)
	y := x.copyOf(name)
	d, _, r := y.standing()
	var c proto.Certificate
	for _, x := range append(r.Open(), r.Used()...) {
		if x.Certificate.Covers(i) {
			c = x.Certificate
		}
	}
	inbox := suite.NewKEMSecret(link.Suite.KEM())
	me := d.st.me()
	me.index, me.signing = i, suite.NewSigningKey(link.Suite.Scheme())
	me.inboxes = []inboxKey{{secret: inbox}}
	me.rest = proto.Rest{Inbox: proto.HashOfInbox(inbox.Public), Capabilities: capabilities(), App: []byte(name)}
	me.binding = proto.NewBinding(d.st.space, i, me.rest.Hash(), keys.Admission, me.signing)
	me.certificates = []proto.Certificate{c}
	d.setIdentity(me)
	d.st.forest = d.st.forest.As(i)
	d.setNews(announcements{})
	d.st.rhythm.commit = false
	y.space = d.space()
	return y
}

// Who was removed and has a public link of the space that the removal closed does not come back by a message that it sends in the old
// root as another index of the run.
func TestRemovedDoesNotComeBackThroughTheOldRoot(t *testing.T) {
	n, all := five(t, 70)
	founder, gone := all[0], all[4]
	public := founder.invite(invite.Public(16, 0))
	n.settle()
	link, err := openLink(public)
	require.NoError(t, err)
	thief := gone.taking(public, link.First+3, "thief")
	founder.do(step.Remove(stateOf(gone.space).me().index))
	n.settle()
	n.forget()
	thief.mailbox = nil
	thief.send("it is me, and I am new")
	for range 4 {
		n.settle()
		n.now = n.now.Add(time.Hour)
	}
	for _, x := range all[:4] {
		for _, m := range x.read {
			require.True(t, m.AfterRemoval, "%s shows it like a member's", x.name)
		}
	}
	n.forget()
	all[1].send("secret of those that stayed")
	n.settle()
	thief.inOrder()
	require.NotContains(t, thief.texts(), "2: secret of those that stayed")
	for _, x := range all[:4] {
		require.Len(t, x.members(), 4, x.name)
		require.EqualValues(t, 1, x.gen(), x.name)
	}
}

// A member that is being removed, while the boxes are still being sealed, gets no link by which it comes back.
func TestNoLinkForWhoIsBeingRemoved(t *testing.T) {
	n := newNetwork(t, 71)
	founder := n.found(rules.Policy{MembersMayInvite: true})
	b, gone := n.member(founder, "b"), n.member(founder, "gone")
	n.settle()
	n.seal = 1
	n.forget()
	founder.do(step.Remove(stateOf(gone.space).me().index))
	require.True(t, Due(founder.space, n.now).Rekey, "boxes are left to be sealed")
	gone.do(step.WantInvite())
	n.settle()
	require.EqualValues(t, 1, founder.gen())
	require.EqualValues(t, 1, b.gen())
	var links []invite.Link
	for _, e := range gone.events {
		if e.Kind == LinkGiven {
			links = append(links, e.Link)
		}
	}
	for _, l := range links {
		back := n.join(l, "back")
		n.settle()
		require.NotEqual(t, Member, back.phase(), "the removed member has a link that goes on in the new root")
	}
}

// A direct invite that nobody came by is ended by Remove, since its link and ticket are a member's state (§9).
func TestRemoveEndsADirectInvite(t *testing.T) {
	n, all := five(t, 72)
	founder := all[0]
	var made invite.Made
	founder.do(step.NewInvite(invite.Direct(0), &made))
	n.settle()
	x := n.join(made.Link, "x")
	for _, f := range made.Ticket {
		x.receive(incoming{name: [32]byte{9}, data: f})
	}
	x.offline = true
	for _, y := range all {
		y.mailbox = nil
	}
	link, err := openLink(made.Link)
	require.NoError(t, err)
	require.NoError(t, founder.try(step.Remove(link.First)))
	n.settle()
	n.forget()
	all[1].send("after the removal")
	n.settle()
	x.inOrder()
	require.Empty(t, x.texts())
	require.EqualValues(t, 1, all[1].gen())
}

// A member that says another one's inbox key as its own takes no box from it: the other one misses nothing of the new root.
func TestAnothersInboxKeyTakesNoBox(t *testing.T) {
	n, all := five(t, 78)
	thief, victim := all[1], all[3]
	n.forget()
	require.NoError(t, thief.edit(func(d *edit) error {
		stolen := stateOf(victim.space).me().newest().secret.Public
		news := d.st.news.Value()
		news.update = proto.NewUpdate(d.st.space, d.st.me().index, d.st.me().drawn+1, stolen, d.st.me().signing)
		news.updateDue = true
		d.setNews(news)
		d.st.rhythm.commit = true
		return d.say(inner("my key"))
	}))
	n.settle()
	victim.offline = true
	all[0].do(step.Rekey())
	n.settle()
	for _, text := range []string{"one", "two", "three"} {
		all[2].send(text)
		n.settle()
	}
	victim.offline = false
	for range 6 {
		n.settle()
		n.now = n.now.Add(time.Hour)
	}
	require.EqualValues(t, 1, victim.gen())
	require.Subset(t, victim.texts(), []string{"3: one", "3: two", "3: three"})
}

// Whom an owner that stays removes with a root that another owner's list bars is gone for all (D146), and is told by that root's notice:
// there may be no owner awake who makes a further one.
func TestRemovedByABarredRootIsTold(t *testing.T) {
	n, all := five(t, 98)
	founder, b, c, gone := all[0], all[1], all[2], all[4]
	founder.owners(founder, b, c)
	n.settle()
	var late []incoming
	founder.offline = true
	n.lose = func(x *node, f []byte) bool {
		held := x == gone && f[0]&0xf == byte(proto.TypeRekey)
		if held {
			late = append(late, newIncoming(state.Frame{Source: c.name, Data: f}))
		}
		return held
	}
	c.do(step.Remove(gone.place()))
	n.settle()
	n.lose = nil
	b.offline, c.offline = true, true
	founder.mailbox, founder.offline = nil, false
	founder.sync() // so far as it knows this is the end
	founder.owners(founder, c)
	n.settle()
	require.EqualValues(t, 2, gone.gen())
	_, _, r := all[3].standing()
	require.True(t, r.Gone(gone.place()), "who holds both roots")
	require.Equal(t, Member, gone.phase())
	gone.mailbox = append(gone.mailbox, late...)
	gone.sync()
	require.Equal(t, Removed, gone.phase())
	require.True(t, gone.has(WasRemoved))
}

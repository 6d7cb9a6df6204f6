package ratchet

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
)

// invite makes an invite.
func (x *node) invite(o invite.Terms) invite.Link {
	var made invite.Made
	x.do(step.NewInvite(o, &made))
	return made.Link
}

// member lets somebody join by a link of its own, of an owner.
func (n *network) member(owner *node, name string) *node {
	x := n.join(owner.invite(invite.Private(0)), name)
	n.settle()
	require.Equal(n.t, Member, x.phase())
	return x
}

// frames takes the frames of a type out of a mailbox.
func (x *node) frames(t proto.Type) (out [][]byte) {
	kept := x.mailbox[:0]
	for _, f := range x.mailbox {
		if f.data[0]&0xf == byte(t) {
			out = append(out, f.data)
		} else {
			kept = append(kept, f)
		}
	}
	x.mailbox = kept
	return out
}

// A ticket that is lost uses nothing up: the link still lets its joiner in, when it asks again (D26).
func TestLostTicketDoesNotUseTheLink(t *testing.T) {
	n := newNetwork(t, 1)
	founder := n.found(rules.Policy{})
	m := n.member(founder, "m")
	n.lose = func(x *node, f []byte) bool { return x.name == "x" && f[0]&0xf == byte(proto.TypeTicket) }
	x := n.join(founder.invite(invite.Private(0)), "x")
	posted := n.now
	n.now = n.now.Add(time.Second) // a frame is some time on its way
	n.settle()
	require.Equal(t, Joining, x.phase())
	n.lose = nil
	n.now = posted.Add(time.Hour)
	x.maintain() // less than an hour after it was answered
	n.settle()
	require.Equal(t, Member, x.phase())
	require.Equal(t, founder.members(), m.members())
	require.Len(t, x.members(), 3)
}

// Two devices that opened one link are both let in while neither was read: the first may be a phone that is lost (D27). The owner that
// read both says which of them is the member (D57), and the other one is told.
func TestBothAskersAreAnswered(t *testing.T) {
	n := newNetwork(t, 2)
	founder := n.found(rules.Policy{})
	l := founder.invite(invite.Private(0))
	a, b := n.join(l, "a"), n.join(l, "b")
	n.settle()
	n.now = n.now.Add(time.Hour) // who was decided against cannot read it: it asks for a ticket, and is refused with the owner's word
	n.settle()
	require.Equal(t, Member, a.phase())
	require.Equal(t, Member, b.phase())
	require.True(t, founder.has(Conflict))
	refused := 0
	for _, x := range []*node{a, b} {
		if x.has(Refused) {
			refused++
		}
	}
	require.Equal(t, 1, refused)
	require.Len(t, founder.members(), 2)
	require.Equal(t, founder.members(), a.members())
	require.Equal(t, founder.members(), b.members())
}

// A second comer is told that the place is taken, with the proof.
func TestSecondComerIsTold(t *testing.T) {
	n := newNetwork(t, 3)
	founder := n.found(rules.Policy{})
	l := founder.invite(invite.Private(0))
	n.join(l, "a")
	n.settle()
	b := n.join(l, "b")
	n.settle()
	require.Equal(t, Joining, b.phase())
	require.True(t, b.refused(ErrInviteTaken), b.name)
	require.True(t, templateOf(b.space).link.Value().bytes.IsZero(), "the seed is erased")
	require.Len(t, founder.members(), 2)
}

// Of a run the second comer takes another place by itself.
func TestSecondComerOfARunTakesAnother(t *testing.T) {
	n := newNetwork(t, 4)
	founder := n.found(rules.Policy{})
	l := founder.invite(invite.Public(16, 0))
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		n.join(l, name)
		n.settle()
	}
	n.agree(9)
}

// A request that arrives before the record of its invite waits for it.
func TestRequestBeforeItsRecord(t *testing.T) {
	n := newNetwork(t, 5)
	founder := n.found(rules.Policy{})
	m := n.member(founder, "m")
	l := founder.invite(invite.Private(0))
	said := m.frames(proto.TypeMessage)
	founder.offline = true
	x := n.join(l, "x")
	n.settle()
	require.Equal(t, Joining, x.phase())
	require.Len(t, m.retained, 1)
	founder.post(said...)
	n.settle()
	require.Equal(t, Member, x.phase(), "m answered, and the founder was away")
	require.False(t, founder.has(Arrived) && len(founder.mailbox) == 0)
}

// A revoked link proves itself dead to who opens it; a closed run too, also to who is asking while it is closed.
func TestEndedLinks(t *testing.T) {
	n := newNetwork(t, 6)
	founder := n.found(rules.Policy{})
	m := n.member(founder, "m")
	for _, o := range []invite.Terms{invite.Private(0), invite.Public(16, 0)} {
		var made invite.Made
		founder.do(step.NewInvite(o, &made))
		n.settle()
		founder.do(step.EndInvite(made.Name))
		n.settle()
		require.Zero(t, openRecords(t, m), "v is erased everywhere")
		require.Zero(t, offers(founder), "and m")
		x := n.join(made.Link, "x")
		n.settle()
		require.Equal(t, Joining, x.phase())
		require.True(t, x.refused(ErrInviteDead), x.name)
		require.Len(t, founder.members(), 2)
	}
}

// A place that is taken back admits nobody: the link to it is dead, and of a run another place is drawn (D66). A member's place is
// not taken back.
func TestRevokedPlaces(t *testing.T) {
	n := newNetwork(t, 61)
	founder := n.found(rules.Policy{})
	m := n.member(founder, "m")
	var private, run invite.Made
	founder.do(step.NewInvite(invite.Private(0), &private))
	founder.do(step.NewInvite(invite.Public(16, 0), &run))
	n.settle()
	l, err := openLink(run.Link)
	require.NoError(t, err)
	first, taken := l.First, []dkg.Index{}
	for i := range dkg.Index(15) { // all of the run but the last one
		taken = append(taken, first+i)
	}
	founder.do(step.EndInvite(private.Name))
	founder.do(step.EndInvite(run.Name, taken...))
	n.settle()
	x, y := n.join(private.Link, "x"), n.join(run.Link, "y")
	for range 16 {
		n.settle()
		n.now = n.now.Add(time.Hour)
	}
	require.Equal(t, Joining, x.phase())
	require.True(t, x.refused(ErrInviteDead), x.name)
	require.Equal(t, Member, y.phase())
	require.Equal(t, first+15, stateOf(y.space).me().index)
	require.ErrorIs(t, founder.try(step.EndInvite(run.Name, stateOf(m.space).me().index)), ErrPolicy, "not of this invite")
	require.ErrorIs(t, founder.try(step.EndInvite(run.Name, first+15)), ErrPolicy, "a member's")
	require.ErrorIs(t, m.try(step.EndInvite(run.Name, first)), ErrPhase)
}

func openRecords(t *testing.T, x *node) int {
	d, err := newEdit(x.space, x.net.now, Options{})
	require.NoError(t, err)
	_, r, ok := d.preferred()
	require.True(t, ok)
	return len(r.Open())
}

func offers(x *node) (n int) {
	for range x.space.Evals().Offers() {
		n++
	}
	return n
}

// A link past its lifetime is answered by nobody; its joiner is told at once, and after a week that it is over (D34).
func TestExpiredLink(t *testing.T) {
	n := newNetwork(t, 7)
	founder := n.found(rules.Policy{})
	l := founder.invite(invite.Private(time.Hour))
	n.now = n.now.Add(2 * time.Hour)
	x := n.join(l, "x")
	n.settle()
	require.Equal(t, Joining, x.phase())
	require.True(t, x.has(Hint))
	require.False(t, x.has(Refused))
	for range 9 {
		n.now = n.now.Add(24 * time.Hour)
		n.settle()
	}
	require.True(t, x.has(Refused))
	require.Zero(t, openRecords(t, founder), "v goes a day after its lifetime")
}

// The founder of a new space answers although it has nobody to read (D25).
func TestQuietFounderAnswers(t *testing.T) {
	n := newNetwork(t, 8)
	founder := n.found(rules.Policy{})
	n.now = n.now.Add(40 * 24 * time.Hour)
	founder.sync()
	x := n.join(founder.invite(invite.Private(0)), "x")
	n.settle()
	require.Equal(t, Member, x.phase())
}

// A member that did not come to the end of its mailbox answers nobody: behind the request may stand that it was answered.
func TestAnswersAfterTheBacklog(t *testing.T) {
	n := newNetwork(t, 9)
	founder := n.found(rules.Policy{})
	x := n.join(founder.invite(invite.Private(0)), "x")
	for _, f := range founder.mailbox {
		founder.receive(f)
	}
	founder.mailbox = nil
	require.Empty(t, x.mailbox[1:], "the record alone")
	founder.sync()
	require.Equal(t, 1, len(x.frames(proto.TypeTicket)))
}

// Of many requests of one member in a backlog the last one alone is answered (D26).
func TestOnlyTheLastRequestIsAnswered(t *testing.T) {
	n := newNetwork(t, 10)
	founder := n.found(rules.Policy{})
	m := n.member(founder, "m")
	founder.offline = true
	var last proto.RequestID
	for range 20 {
		n.now = n.now.Add(2 * time.Hour)
		require.NoError(t, m.edit(func(d *edit) error { d.st.rhythm.ask = true; return d.ask() }))
		last = stateOf(m.space).asking.Value().Newest()
	}
	m.frames(proto.TypeTicket)
	founder.offline = false
	founder.sync()
	founder.maintain()
	tickets := slices.DeleteFunc(m.frames(proto.TypeTicket), proto.IsRefusal)
	require.Equal(t, 1, len(tickets))
	require.Equal(t, last.Name(), ticketName(t, tickets[0]))
}

func ticketName(t *testing.T, frame []byte) proto.Name {
	p, err := proto.ParsePart(frame)
	require.NoError(t, err)
	return p.Name
}

// Who lets somebody in introduces it at once: a joiner that says nothing is seen all the same.
func TestAdmitterIntroduces(t *testing.T) {
	n := newNetwork(t, 11)
	founder := n.found(rules.Policy{})
	m := n.member(founder, "m")
	x := n.join(founder.invite(invite.Private(0)), "x")
	n.lose = func(_ *node, f []byte) bool { return false }
	x.offline = true // its ticket waits for it
	n.settle()
	require.Equal(t, Joining, x.phase())
	require.Len(t, founder.members(), 3)
	require.Equal(t, founder.members(), m.members())
}

// What a member sent just before it left is delivered, and nothing that is sent in epochs below (D44).
func TestLeaveWithholdsNothingSentBefore(t *testing.T) {
	n := newNetwork(t, 12)
	founder := n.found(rules.Policy{})
	m := n.member(founder, "m")
	late := n.member(founder, "late")
	late.offline = true
	m.send("the last word")
	m.do(step.Leave())
	require.Equal(t, Left, m.phase())
	require.ErrorIs(t, m.edit(func(d *edit) error { return d.say(inner("after")) }), ErrPhase)
	n.settle()
	late.offline = false
	n.settle()
	for _, x := range []*node{founder, late} {
		require.True(t, x.has(Gone), x.name)
		require.Len(t, x.members(), 2, x.name)
		require.Contains(t, x.texts(), "2: the last word")
	}
	require.True(t, founder.has(LeavePending))
	require.False(t, m.has(Gone), "it said so itself")
	require.ErrorIs(t, founder.try(step.Leave()), ErrOrphan, "the only owner")
}

// Small frames carry everything: tickets go in parts, which come in any order and from several members at once.
func TestSmallFrames(t *testing.T) {
	n := newNetwork(t, 13)
	n.frame = 8 << 10
	founder := n.found(rules.Policy{KEM: rules.MLKEM768X25519})
	l := founder.invite(invite.Public(64, 0))
	parts := 0
	n.lose = func(_ *node, f []byte) bool {
		require.LessOrEqual(t, len(f), n.frame)
		if p, err := proto.ParsePart(f); err == nil && len(p.Hashes) > 1 {
			parts++
		}
		return false
	}
	for k := range 6 {
		n.join(l, string(rune('a'+k)))
		n.settle()
	}
	n.agree(7)
	require.NotZero(t, parts)
	for _, x := range n.all {
		require.Zero(t, stateOf(x.space).parts.Value().Size())
	}
}

// agree requires that all are members, and show the same ones.
func (n *network) agree(count int) {
	for _, x := range n.all {
		require.Equal(n.t, Member, x.phase(), x.name)
		require.Equal(n.t, n.all[0].members(), x.members(), x.name)
		require.Len(n.t, x.members(), count, x.name)
	}
}

// No request is looked at again for ever: once all was answered, refused or over, nothing is due and nothing is written.
func TestNothingIsDueAtRest(t *testing.T) {
	n := newNetwork(t, 14)
	founder := n.found(rules.Policy{})
	m := n.member(founder, "m")
	l := founder.invite(invite.Private(0))
	n.join(l, "a")
	n.settle()
	n.join(l, "b") // refused
	n.settle()
	for range 5 {
		n.now = n.now.Add(2 * time.Hour)
		n.settle()
	}
	for _, x := range []*node{founder, m} {
		due := Due(x.space, n.now)
		require.False(t, due.Answer || due.Owe || due.Ask, "%s: %+v", x.name, due)
		require.Empty(t, x.ready, x.name)
	}
}

package simnet_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/simnet"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
)

// commits lets so many commits be made, by the given members in turn, each of which takes 40 hours.
func commits(t *testing.T, n *simnet.Net, count int, by ...*simnet.Member) {
	t.Helper()
	commitsEvery(t, n, 40*time.Hour, count, by...)
}

func commitsEvery(t *testing.T, n *simnet.Net, d time.Duration, count int, by ...*simnet.Member) {
	t.Helper()
	for i := range count {
		n.Advance(d)
		require.NoError(t, by[i%len(by)].Send(fmt.Sprintf("commit %d at %v", i, n.Now())))
		n.Settle()
	}
}

// pass lets time go by in which all do what is due.
func pass(n *simnet.Net, d, step time.Duration) {
	for ; d > 0; d -= step {
		n.Advance(step)
		n.Settle()
	}
}

// §9: what is said to a joiner at once, before it was heard, is read.
func TestWelcomeIsRead(t *testing.T) {
	n := simnet.New(t, simnet.Options{Seed: 21})
	n.Grow(3)
	joiner := n.Join(n.Invite())
	joiner.Fetch(-1)                     // its request is out
	for i, m := range n.Others(joiner) { // some of them let it in; none has heard it
		m.Fetch(-1)
		require.NoError(t, m.Send(fmt.Sprint("welcome ", i)))
	}
	n.Rest()
	require.True(t, joiner.Joined())
	for i := range 3 {
		require.Contains(t, joiner.Texts(), fmt.Sprint("welcome ", i))
	}
}

// D54: the request of a device that goes away is answered by few, and when it comes back it is let in, by what was
// answered then.
func TestJoinerAwayForADay(t *testing.T) {
	n := simnet.New(t, simnet.Options{Seed: 22})
	n.Grow(size(6, 24))
	joiner := n.Join(n.Invite())
	n.Settle()
	require.True(t, joiner.Joined())
	before := n.Stats().Tickets
	late := n.Join(n.Invite())
	late.Fetch(-1) // its request is out
	late.Offline = true
	n.Settle()
	for day := range 24 {
		n.Advance(time.Hour)
		require.NoError(t, n.Founder().Send(fmt.Sprint("hour ", day)))
		n.Settle()
	}
	late.Offline = false
	n.Rest()
	require.True(t, late.Joined())
	require.LessOrEqual(t, n.Stats().Tickets-before, 20, "places 0 to 15 answer, and few of the others")
	require.NoError(t, n.Founder().Send("afterwards"))
	n.Rest()
	require.Contains(t, late.Texts(), "afterwards")
}

// §9, D49: an author is cut off during a join, in an epoch of which others are so many commits ahead, and commits from there.
// Joiner and members read it.
func authorAway(t *testing.T, seed uint64, behind int, heard bool, days time.Duration) {
	n := simnet.New(t, simnet.Options{Seed: seed})
	n.Grow(4)
	author := n.Members[1]
	commits(t, n, 2, n.Members[2], n.Members[3]) // which the author reads
	if heard {
		require.NoError(t, author.Send("here"))
		n.Settle()
	}
	n.Partition(n.Others(author), []*simnet.Member{author})
	for range behind {
		n.Advance(days * 24 * time.Hour / time.Duration(behind))
		for _, m := range n.Others(author) {
			require.NoError(t, m.Send(fmt.Sprintf("%s at %v", m.Name, n.Now())))
		}
		n.Settle()
	}
	joiner := n.Join(n.Invite())
	pass(n, time.Minute, 20*time.Second)
	require.True(t, joiner.Joined())
	require.NoError(t, author.Send("written while away")) // after a commit, which is due
	n.Rest()
	for _, m := range n.Others(author) {
		require.Contains(t, m.Texts(), "written while away", m.Name)
	}
	require.NoError(t, author.Send("back"))
	n.Rest()
	require.Contains(t, joiner.Texts(), "back")
}

func TestOfflineAuthorDuringAJoin(t *testing.T)    { authorAway(t, 23, 1, true, 2) }
func TestAuthorFiveGenerationsBehind(t *testing.T) { authorAway(t, 24, 5, true, 6) }
func TestAuthorWhereItWasNotHeard(t *testing.T)    { authorAway(t, 25, 4, false, 6) }

// A joiner writes in a branch of which the rest know only its ticket's epochs, and somebody who joins later reads it.
func TestBranchWithoutTheFirstCommit(t *testing.T) {
	n := simnet.New(t, simnet.Options{Seed: 26})
	n.Grow(4)
	commits(t, n, 3, n.Members...)
	first, second := n.Invite(), n.Invite()
	n.Settle()
	n.Partition(n.Members[:2], n.Members[2:])
	commits(t, n, 1, n.Members[0])
	joiner := n.Join(first)
	n.Partition(append(n.Members[:2:2], joiner), n.Members[2:4])
	pass(n, time.Minute, 20*time.Second)
	require.True(t, joiner.Joined())
	require.NoError(t, joiner.Send("in the first branch"))
	commits(t, n, 2, n.Members[2], n.Members[3])
	n.Drop(func(from, to *simnet.Member, _ int) bool {
		return from == joiner && len(to.Texts()) >= 0 && to != n.Members[0]
	})
	n.Heal()
	n.Settle()
	n.Drop(nil)
	later := n.Join(second)
	n.Rest()
	require.True(t, later.Joined())
	require.NoError(t, joiner.Send("still there"))
	n.Rest()
	require.Contains(t, later.Texts(), "still there")
}

// §9, D66: a link is taken back while a member is away. Whoever the late member lets in by it is shown as gone by all.
func TestRevokedLinkAndALateMember(t *testing.T) {
	n := simnet.New(t, simnet.Options{Seed: 27})
	n.Grow(4)
	var made invite.Made
	n.Founder().Step(step.NewInvite(invite.Private(0), &made))
	n.Settle()
	late := n.Members[3]
	n.Partition(n.Members[:3], n.Members[3:])
	n.Founder().Step(step.EndInvite(made.Name))
	n.Settle()
	joiner := n.Join(made.Link)
	joiner.Disputed = true
	n.Partition(n.Members[:3], []*simnet.Member{late, joiner})
	pass(n, time.Minute, 10*time.Second)
	require.True(t, joiner.Joined(), "the late member has not heard")
	n.Heal()
	pass(n, 26*time.Hour, 2*time.Hour)
	n.Rest()
	for _, m := range n.Members[:4] {
		require.Len(t, ratchet.Members(m.Space()), 4, "%s shows who was let in although gone", m.Name)
	}
	require.NotZero(t, n.Founder().Saw(ratchet.LetInGone)+late.Saw(ratchet.Gone))
}

// §9: a public link is closed while somebody joins by it. It is in at all or at none, and nobody waits untold.
func TestCloseWhileJoining(t *testing.T) {
	seeds(t, size(1, 32), func(t *testing.T, seed uint64) {
		n := simnet.New(t, simnet.Options{Seed: seed, Faults: simnet.Rough})
		n.Grow(3)
		var made invite.Made
		n.Founder().Step(step.NewInvite(invite.Public(16, 0), &made))
		if seed%2 == 0 {
			n.Settle()
		}
		before := n.Join(made.Link)
		n.Run(int(2 + seed%5))
		n.Founder().Step(step.EndInvite(made.Name))
		after := n.Join(made.Link)
		n.Run(10)
		n.Settle()
		pass(n, 26*time.Hour, 2*time.Hour)
		before.Disputed, after.Disputed = !before.Joined(), !after.Joined()
		for _, m := range []*simnet.Member{before, after} {
			require.True(t, m.Joined() || m.Saw(ratchet.Refused)+m.Saw(ratchet.Hint) > 0, m.Name)
		}
		n.Rest()
	})
}

// §9: many open one public link at once. Each comes to be a member, two of one index take another or are told, and all show
// the same members.
func TestPublicLinkRush(t *testing.T) {
	n := simnet.New(t, simnet.Options{Seed: 28})
	n.Grow(2)
	count := rush(6, 64)
	l := n.InviteBy(n.Founder(), invite.Public(uint32(16*(1+count/8)), 0))
	for range count {
		n.Join(l)
	}
	pass(n, 4*time.Minute, time.Minute)
	pass(n, 26*time.Hour, 2*time.Hour)
	n.Rest()
	for _, m := range n.Members {
		require.True(t, m.Joined(), m.Name)
		require.Len(t, ratchet.Members(m.Space()), count+2, m.Name)
	}
}

// §9, G39: many open one link at once while frames are lost, late and out of order. Of two that draw one place and are both let in the one
// that loses takes another, also if it knows nothing of the other one: a day later everybody is a member in the sight of all.
func TestOneLinkForMany(t *testing.T) {
	faults := simnet.Faults{Late: 0.3, Repeat: 0.05, Lose: 0.02, LateBy: 20, Window: 64}
	n := simnet.New(t, simnet.Options{Seed: 1, Faults: faults})
	n.Grow(3)
	count := rush(12, 48)
	l := n.InviteBy(n.Founder(), invite.Public(uint32(16*((2*count+15)/16)), 0))
	n.Settle()
	for range count {
		n.Join(l)
	}
	n.Wait(30, 10*time.Second)
	n.Settle()
	pass(n, 4*time.Minute, time.Minute)
	pass(n, 26*time.Hour, 2*time.Hour)
	for _, m := range n.Members {
		require.True(t, m.Joined(), m.Name)
		for _, o := range n.Members {
			shown := slices.ContainsFunc(ratchet.Members(o.Space()), func(i ratchet.MemberInfo) bool { return i.Key == m.Info().Key })
			require.True(t, shown, "%s is not shown by %s", m.Name, o.Name)
		}
	}
}

// Members that may invite hand links on that an owner made for them.
func TestMembersInvite(t *testing.T) {
	n := simnet.New(t, simnet.Options{Seed: 29, Policy: rules.Policy{MembersMayInvite: true}})
	n.Grow(3)
	host := n.Members[1]
	host.Step(step.WantInvite())
	pass(n, 3*time.Minute, time.Minute)
	var l invite.Link
	for _, e := range host.Events {
		if e, ok := e.(ratchet.Event); ok && e.Kind == ratchet.LinkGiven {
			l = e.Link
		}
	}
	require.False(t, l.IsZero())
	n.Founder().Offline = true // the owner need not be there
	joiner := n.Join(l)
	pass(n, time.Minute, 10*time.Second)
	require.True(t, joiner.Joined())
	n.Founder().Offline = false
	n.Rest()
}

// Frames of 32 KiB carry joins, too: tickets go in parts.
func TestScenarioSmallFrames(t *testing.T) {
	n := simnet.New(t, simnet.Options{Seed: 30, MaxFrame: 32 << 10, Policy: rules.Policy{KEM: rules.MLKEM768X25519}, Faults: simnet.Rough})
	n.Grow(3)
	for range size(1, 10) {
		n.Run(5)
		n.Join(n.Invite())
	}
	n.Run(10)
	n.Rest()
	for _, p := range n.Posts() {
		require.LessOrEqual(t, len(p.Data), 32<<10)
	}
}

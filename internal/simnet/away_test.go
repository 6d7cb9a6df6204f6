package simnet_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/simnet"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/ratchettest"
)

// away lets a member be away for some days, in which the others talk and commit, and it writes once in the middle. What it
// said is read if all hold its epoch still, and afterwards all are in step.
func away(t *testing.T, seed uint64, days int, o simnet.Options) (n *simnet.Net, m *simnet.Member) {
	o.Seed = seed
	n = simnet.New(t, o)
	n.Grow(4)
	m = n.Members[2]
	m.Offline = true
	for day := range days {
		for _, o := range n.Others(m) {
			require.NoError(t, o.Send(fmt.Sprintf("%s on day %d", o.Name, day)))
			n.Advance(8 * time.Hour)
			n.Settle()
		}
		if day == days/2 {
			m.Disputed = days > 30 // the epoch in which it writes is gone when that arrives
			require.NoError(t, m.Send("from far away"))
			m.Disputed = false
		}
	}
	m.Offline = false
	return n, m
}

func TestOfflineNineDays(t *testing.T) {
	n, m := away(t, 41, 9, simnet.Options{})
	n.Rest()
	for _, o := range n.Others(m) {
		require.Contains(t, o.Texts(), "from far away")
	}
	require.Len(t, m.Texts(), 27, "all that was stored for it")
}

// Whoever was away for longer than epochs are kept is brought back by a ticket.
func TestOfflineThirtyDays(t *testing.T) {
	n, m := away(t, 42, 40, simnet.Options{})
	n.Rest()
	require.NoError(t, m.Send("back"))
	require.NoError(t, n.Founder().Send("welcome back"))
	n.Rest()
	require.Contains(t, m.Texts(), "welcome back")
	require.Contains(t, n.Founder().Texts(), "back")
}

// A relay that keeps nothing for who is offline: what was said meanwhile is lost to it, and it comes back into step.
func TestTopicWithoutMailboxes(t *testing.T) {
	for _, days := range []int{1, 9} {
		n, m := away(t, uint64(43+days), days, simnet.Options{NoMailboxes: true})
		n.Rest()
		require.NoError(t, n.Founder().Send("welcome back"))
		require.NoError(t, m.Send("back"))
		n.Rest()
		require.Contains(t, m.Texts(), "welcome back")
		require.NotZero(t, n.Stats().Lost)
	}
}

// D53: two branches that cannot read one another, since all commits between them were lost, both at rest, meet by a ticket.
func TestBranchesMeetByATicket(t *testing.T) {
	n := simnet.New(t, simnet.Options{Seed: 44})
	n.Grow(6)
	side := func(m *simnet.Member) bool { return m == n.Members[0] || m == n.Members[1] || m == n.Members[2] }
	n.Drop(func(from, to *simnet.Member, _ int) bool { return side(from) != side(to) }) // for good
	commits(t, n, size(6, 20), n.Members[0], n.Members[3], n.Members[1], n.Members[4])
	n.Drop(nil)
	pass(n, 2*time.Hour, 5*time.Minute)
	n.Rest()
	for i, m := range n.Members {
		require.NoError(t, m.Send(fmt.Sprint("together ", i)))
	}
	n.Rest()
	for i, m := range n.Members {
		for j := range n.Members {
			if i != j {
				require.Contains(t, m.Texts(), fmt.Sprint("together ", j), m.Name)
			}
		}
	}
}

// Mailboxes are read newest first, all frames come from one source.
func TestNewestFirstOneTopic(t *testing.T) {
	n := simnet.New(t, simnet.Options{Seed: 45})
	n.Grow(5)
	for i := range size(10, 200) {
		n.Advance(time.Duration(i%3) * 20 * time.Hour)
		require.NoError(t, n.Members[i*3%5].Send(fmt.Sprint("text ", i)))
		if i%4 == 3 {
			for _, m := range n.Members {
				m.Reverse()
				m.Fetch(-1)
			}
		}
	}
	n.Rest()
	requireAllRead(t, n)
}

// D55: clocks jump back and forth, by up to 100 years. Nothing is lost, and nobody stands still.
func TestClockJumps(t *testing.T) {
	seeds(t, size(1, 32), func(t *testing.T, seed uint64) {
		n := simnet.New(t, simnet.Options{Seed: seed, Faults: simnet.Faults{Late: 0.1, Repeat: 0.1, Both: 0.2, Window: 16}})
		n.Grow(4)
		rng := rand.New(rand.NewPCG(seed, 7))
		jumps := []time.Duration{time.Hour, 23 * time.Hour, 3 * 24 * time.Hour, 400 * 24 * time.Hour, 100 * 365 * 24 * time.Hour}
		for i := range size(6, 60) {
			m := n.Members[rng.IntN(4)]
			if m.Skew = jumps[rng.IntN(len(jumps))]; rng.IntN(2) == 0 {
				m.Skew = -m.Skew
			}
			n.Run(4)
			if i == 3 {
				n.Join(n.Invite())
			}
		}
		n.Rest()
		for _, m := range n.Members {
			m.Skew = 0
		}
		n.Run(10)
		n.Rest()
	})
}

// A flood of junk from mailboxes of nobody, and of other members, stands before an honest frame that cannot be read yet.
func TestJunkBeforeAnHonestFrame(t *testing.T) {
	n := simnet.New(t, simnet.Options{Seed: 46})
	n.Grow(3)
	reader, author := n.Members[1], n.Members[2]
	n.Advance(60 * time.Hour)
	n.Drop(func(_, to *simnet.Member, _ int) bool { return to == reader })
	require.NoError(t, author.Send("the commit")) // which the reader does not get
	for i := range 6 {                            // beyond the messages that repeat the commit
		require.NoError(t, author.Send(fmt.Sprint("missed ", i)))
	}
	n.Drop(nil)
	require.NoError(t, author.Send("cannot be read yet"))
	n.Settle()
	rng := rand.NewChaCha8([32]byte{46})
	var junk [][]byte
	for range size(20, 64*16) { // 64 KiB each
		b := make([]byte, 64<<10)
		_, _ = rng.Read(b)
		b[0], b[1] = 0x20, 196
		junk = append(junk, b)
	}
	n.Flood("nobody", junk...)
	n.Flood(author.Name+"?", junk...)
	n.Settle()
	require.NotContains(t, reader.Texts(), "cannot be read yet")
	n.Rest()
	require.Contains(t, reader.Texts(), "cannot be read yet")
	require.NotEmpty(t, ratchet.Members(reader.Space()))
}

// D13: sixteen states that one device was restored to each commit; one half of the members gets the first eight, the other
// half the others. All that others say is read by all.
func TestSixteenSiblings(t *testing.T) {
	n := simnet.New(t, simnet.Options{Seed: 47})
	n.Grow(5)
	maker := n.Members[4]
	n.Advance(60 * time.Hour)
	n.Settle()
	from := maker.Space()
	n.Partition(n.Members[:2], n.Members[2:4], n.Members[4:])
	maker.Disputed = true // what it says itself may be lost
	for k := range 16 {
		restored, err := ratchet.Restore(from, n.Now())
		require.NoError(t, err)
		words := fmt.Sprint("sibling ", k)
		now := n.Now()
		sibling := ratchettest.NewDevice(t, words, func() time.Time { return now }, restored)
		sibling.CaughtUp()
		now = now.Add(25 * time.Hour) // nobody answers it
		sibling.Send(words)
		frames := sibling.Flush()
		n.Drop(func(_, to *simnet.Member, _ int) bool { return (to == n.Members[0] || to == n.Members[1]) != (k < 8) })
		n.Inject(maker, words, frames[len(frames)-1])
	}
	n.Drop(nil)
	n.Partition(n.Members[:2], append(n.Members[2:4:4], maker))
	n.Settle()
	n.Partition(append(n.Members[:2:2], maker), n.Members[2:4])
	n.Settle()
	for i, m := range n.Members[:4] {
		require.NoError(t, m.Send(fmt.Sprint("below ", i)))
	}
	n.Rest()
	for i, m := range n.Members[:4] {
		for j := range 4 {
			if i != j {
				require.Contains(t, m.Texts(), fmt.Sprint("below ", j), m.Name)
			}
		}
	}
}

// Twins are let in on two sides of a partition without an owner, and commit there; the owner decides when it comes back. It lasts
// ten days, longer than the place of a member is kept that was read further on (D121).
func TestTwinsCommitToHalves(t *testing.T) {
	n := simnet.New(t, simnet.Options{Seed: 48})
	n.Grow(5)
	l := n.Invite()
	n.Settle()
	n.Founder().Offline = true
	left, right := n.Members[1:3:3], n.Members[3:5:5]
	one, two := n.Join(l), n.Join(l)
	one.Disputed, two.Disputed = true, true
	n.Partition(append(left, one), append(right, two))
	pass(n, time.Minute, 10*time.Second)
	require.True(t, one.Joined())
	require.True(t, two.Joined())
	commitsEvery(t, n, 60*time.Hour, 4, one, two, n.Members[1], n.Members[3])
	n.Heal()
	for i, m := range n.Members[1:5] {
		require.NoError(t, m.Send(fmt.Sprint("honest ", i)))
	}
	pass(n, 2*time.Hour, 20*time.Minute)
	n.Founder().Offline = false
	n.Rest()
	bound := map[ratchet.PublicKey]bool{}
	for _, m := range n.Members[:5] {
		for _, i := range ratchet.Members(m.Space()) {
			if i.Index == one.Info().Index {
				bound[i.Key] = true
			}
		}
	}
	require.Len(t, bound, 1, "all list the same one")
}

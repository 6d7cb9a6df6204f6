package simnet_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/simnet"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/ratchettest"
)

// Scenario 2, §6: two commits of one member from one parent, as a crash between posting and saving makes them, reach six
// members in every order. Fifty rounds later nothing is unread, and whoever saw both was told.
func TestScenario02TwoCommitsFromOneParent(t *testing.T) {
	for order := range 64 {
		if order%size(32, 1) != 0 {
			continue
		}
		t.Run(fmt.Sprintf("order=%06b", order), func(t *testing.T) {
			n := simnet.New(t, simnet.Options{Seed: uint64(order)})
			n.Grow(7)
			twice := n.Members[3]
			n.Advance(60 * time.Hour)
			_, e, err := ratchet.Encrypt(twice.Space(), n.Now(), []byte("posted, not saved"))
			require.NoError(t, err)
			n.Inject(twice, "posted, not saved", e[len(e)-1])
			require.NoError(t, twice.Send("posted and saved"))
			for i, m := range n.Others(twice) {
				if order>>i&1 == 1 {
					m.Reverse()
				}
			}
			for round := range size(4, 50) {
				for i, m := range n.Members {
					require.NoError(t, m.Send(fmt.Sprintf("round %d of %s", round, m.Name)))
					if (i+round)%3 > 0 {
						n.Settle()
					}
				}
			}
			n.Rest()
			for i := range 14 {
				require.NoError(t, n.Members[i%7].Send(fmt.Sprint("after ", i)))
			}
			n.Rest()
			for i := range 14 {
				if i%7 != 3 {
					require.Contains(t, twice.Texts(), fmt.Sprint("after ", i))
				}
			}
			for _, m := range n.Others(twice) {
				require.Contains(t, m.Texts(), "posted, not saved")
				require.Contains(t, m.Texts(), "posted and saved")
				require.NotZero(t, m.Saw(ratchet.Conflict), m.Name)
			}
		})
	}
}

// Scenario 3, §8: a device dies between posting and saving; what it posted and what it sends next is read by all, and
// nothing of it is taken for a duplicate. (That no key and nonce are used twice is checked in every run.)
func TestScenario03PostedNotSaved(t *testing.T) {
	for _, pause := range []time.Duration{time.Minute, 60 * time.Hour} {
		t.Run(pause.String(), func(t *testing.T) {
			n := simnet.New(t, simnet.Options{Backups: true})
			n.Grow(4)
			m := n.Members[1]
			b := m.Backup()
			n.Advance(pause)
			_, e, err := ratchet.Encrypt(m.Space(), n.Now(), []byte("posted, not saved"))
			require.NoError(t, err)
			n.Inject(m, "posted, not saved", e[len(e)-1])
			n.Settle()
			n.Advance(2 * time.Hour) // the lost state may have asked, and is answered once an hour
			m.Restore(b)
			n.Settle() // it asks, and is answered
			for i := range 5 {
				require.NoError(t, m.Send(fmt.Sprint("next ", i)))
			}
			n.Rest()
			for _, o := range n.Others(m) {
				require.Zero(t, settled(o, ratchettest.ErrDuplicate))
				require.Zero(t, settled(o, ratchettest.ErrSenderRolledBack))
				require.Len(t, o.Texts(), 6)
			}
		})
	}
}

// Scenario 3, §8, rollback: a device is restored from a copy from before its last 20 messages, commits or none among them,
// and sends 20 more. All are read, none is taken for a duplicate, and once its ticket came and its first envelope after
// that was read, it reads everything again.
func TestScenario03Restore(t *testing.T) {
	seeds(t, size(2, 200), func(t *testing.T, seed uint64) {
		n := simnet.New(t, simnet.Options{Seed: seed, Backups: true})
		n.Grow(4)
		m := n.Members[1]
		say := func(who *simnet.Member, words string) {
			require.NoError(t, who.Send(words))
		}
		say(m, "before")
		n.Settle()
		b := m.Backup()
		for i := range 20 {
			if seed%2 == 0 && i%6 == 3 {
				n.Advance(60 * time.Hour)
			}
			say(m, fmt.Sprint("lost ", i))
			if i%4 == int(seed%4) {
				say(n.Members[2], fmt.Sprint("meanwhile ", i))
			}
			n.Settle()
		}
		n.Advance(2 * time.Hour)
		m.Restore(b)
		require.True(t, ratchet.Due(m.Space(), n.Now()).Fetch)
		n.Settle() // it asks, and is answered
		for i := range 20 {
			say(m, fmt.Sprint("again ", i))
			if i%2 == 0 {
				n.Settle()
			}
		}
		n.Rest()
		for _, o := range n.Others(m) {
			require.Zero(t, settled(o, ratchettest.ErrDuplicate), o.Name)
			require.Zero(t, settled(o, ratchettest.ErrSenderRolledBack), o.Name)
			for i := range 20 {
				require.Contains(t, o.Texts(), fmt.Sprint("lost ", i))
				require.Contains(t, o.Texts(), fmt.Sprint("again ", i))
			}
		}
		for i := range 20 {
			say(n.Others(m)[i%3], fmt.Sprint("after ", i))
		}
		n.Settle()
		n.Rest()
		for i := range 20 {
			require.Contains(t, m.Texts(), fmt.Sprint("after ", i))
		}
	})
}

// Scenario 3, in a rough network: any member may be thrown back, to any earlier point.
func TestScenario03RestoreRough(t *testing.T) {
	seeds(t, size(1, 100), func(t *testing.T, seed uint64) {
		faults := simnet.Rough
		n := simnet.New(t, simnet.Options{Seed: seed, Faults: faults, Backups: true})
		n.Grow(5)
		m := n.Members[1+seed%4]
		n.Run(10)
		b := m.Backup()
		n.Run(int(10 + 5*seed%40))
		n.Advance(2 * time.Hour)
		m.Restore(b)
		n.Run(30)
		n.Rest()
		n.Run(30)
		n.Rest()
	})
}

// The same, and another member, which may be the founder, is thrown back as well, soon after or not at all; then the first one again, to
// where it was before or to a point since.
func TestScenario03RestoreRoughAgain(t *testing.T) {
	seeds(t, size(1, 150), func(t *testing.T, seed uint64) {
		n := simnet.New(t, simnet.Options{Seed: seed, Faults: simnet.Rough, Backups: true})
		n.Grow(5)
		at := 1 + seed%4
		m, other := n.Members[at], n.Members[(at+1)%5]
		n.Run(10)
		b, c := m.Backup(), other.Backup()
		n.Run(int(10 + 5*seed%40))
		n.Advance(2 * time.Hour)
		m.Restore(b)
		n.Run(int(seed % 7))
		if seed%3 > 0 {
			other.Restore(c)
			n.Run(int(seed % 13))
		}
		if seed%3 != 1 {
			if seed%2 == 0 {
				b = m.Backup()
				n.Run(30)
			}
			n.Advance(2 * time.Hour)
			m.Restore(b)
		}
		n.Run(30)
		n.Rest()
		n.Run(30)
		n.Rest()
	})
}

// Scenario 6, §9: a joiner gets its ticket from either side of two concurrent commits, and is silent, or unheard, while 200
// messages (100 unless in the long suite) are sent. It reads everything that was sent after its first envelope arrived.
func TestScenario06TicketFromSiblings(t *testing.T) {
	for _, unheard := range []bool{false, true} {
		for side := range 2 {
			t.Run(fmt.Sprintf("side=%d,unheard=%v", side, unheard), func(t *testing.T) {
				n := simnet.New(t, simnet.Options{Seed: uint64(side)})
				n.Grow(6)
				groups := [][]*simnet.Member{n.Members[:3:3], n.Members[3:6:6]}
				n.Advance(60 * time.Hour)
				l := n.Invite()
				n.Settle()
				n.Partition(groups...)
				for _, group := range groups {
					require.NoError(t, group[0].Send("a commit of "+group[0].Name))
				}
				n.Settle()
				joiner := n.Join(l)
				groups[side] = append(groups[side], joiner)
				n.Partition(groups...)
				n.Settle()
				n.Advance(time.Minute) // those whose turn it is to answer at once may all be on the other side
				n.Settle()
				require.True(t, joiner.Joined())
				if unheard {
					n.Partition(n.Others(joiner), []*simnet.Member{joiner})
				} else {
					n.Heal()
				}
				for i := range size(20, 200) {
					n.Advance(10 * time.Minute)
					require.NoError(t, n.Members[i%6].Send(fmt.Sprint("text ", i)))
					if i%3 == 0 {
						n.Settle()
					}
				}
				n.Rest()
				for i := range 12 {
					require.NoError(t, n.Members[i%6].Send(fmt.Sprint("heard ", i)))
				}
				n.Rest()
				for i := range 12 {
					require.Contains(t, joiner.Texts(), fmt.Sprint("heard ", i))
				}
			})
		}
	}
}

package simnet_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/simnet"
	"github.com/trefoil-im/trefoil/ratchet"
)

// Scenario 7, G19: twins use one link, let in on two sides of a partition. Every honest member binds exactly one identity
// to the index, somebody is told, and nobody else loses anything.
func TestScenario07Twins(t *testing.T) {
	seeds(t, size(1, 64), func(t *testing.T, seed uint64) {
		n := simnet.New(t, simnet.Options{Seed: seed, Faults: simnet.Rough})
		n.Grow(6)
		l := n.Invite()
		n.Settle()
		left, right := n.Members[:3:3], n.Members[3:6:6]
		n.Partition(left, right)
		one, two := n.Join(l), n.Join(l)
		one.Disputed, two.Disputed = true, true
		n.Partition(append(left, one), append(right, two))
		n.Run(size(8, 20))
		n.Settle()
		require.True(t, one.Joined())
		require.True(t, two.Joined())
		n.Heal()
		n.Run(size(12, 40))
		n.Rest()
		index, a, b := one.Info().Index, one.Info().Key, two.Info().Key
		told := 0
		for _, m := range append(left, right...) {
			var bound []ratchet.PublicKey
			for _, i := range ratchet.Members(m.Space()) {
				if i.Index == index {
					bound = append(bound, i.Key)
				}
			}
			require.Len(t, bound, 1, m.Name)
			require.Contains(t, []ratchet.PublicKey{a, b}, bound[0], m.Name)
			told += m.Saw(ratchet.Conflict)
		}
		require.NotZero(t, told)
	})
}

// G19: many devices redeem one link at the same time. Members list one of them, the owner is told, and no more are let in than
// there were members who had not heard of another.
func TestG19ManyRedemptions(t *testing.T) {
	n := simnet.New(t, simnet.Options{})
	n.Grow(3)
	honest := n.Members[:3:3]
	l := n.Invite()
	for range rush(3, 30) {
		n.Join(l).Disputed = true
	}
	n.Settle()
	for range 6 {
		n.Advance(20 * time.Minute)
		n.Settle()
	}
	for _, m := range honest {
		require.Len(t, ratchet.Members(m.Space()), 4, m.Name)
	}
	require.NotZero(t, n.Founder().Saw(ratchet.Conflict))
	in := 0
	for _, m := range n.Others(honest...) {
		if m.Joined() {
			in++
		}
	}
	require.NotZero(t, in)
	n.Rest()
	tries := 0
	for _, m := range n.Members {
		tries += m.Tries
	}
	t.Logf("%d of %d are in, %d tries, %+v", in, len(n.Members)-3, tries, n.Stats())
}

package simnet_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/simnet"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/ratchettest"
	"github.com/trefoil-im/trefoil/state"
)

// Scenario 7, G19: twins use one link, let in on two sides of a partition. Every honest member binds exactly one identity
// to the index, somebody is told, and nobody else loses anything.
func TestScenario07Twins(t *testing.T) {
	seeds(t, size(1, 2, 64), func(t *testing.T, seed uint64) {
		n := simnet.New(t, simnet.Options{Seed: seed, Faults: simnet.Rough})
		n.Grow(6)
		g := n.Invite()
		left, right := n.Members[:3:3], n.Members[3:6:6]
		n.Partition(left, right)
		one, two := n.Join(g), n.Join(g)
		one.Disputed, two.Disputed = true, true
		n.Partition(append(left, one), append(right, two))
		n.Run(20)
		n.Settle()
		require.Equal(t, ratchet.Member, ratchet.Info(one.Space()).Phase)
		require.Equal(t, ratchet.Member, ratchet.Info(two.Space()).Phase)
		n.Heal()
		n.Run(40)
		n.Rest()
		a := ratchet.Info(one.Space()).Key
		b := ratchet.Info(two.Space()).Key
		told := 0
		for _, m := range append(left, right...) {
			var bound []ratchet.PublicKey
			for _, i := range ratchet.Members(m.Space()) {
				if i.Index == g.Index() {
					bound = append(bound, i.Key)
				}
			}
			require.Len(t, bound, 1, m.Name)
			require.Contains(t, []ratchet.PublicKey{a, b}, bound[0], m.Name)
			told += events(m, func(c ratchet.Conflict) bool { return c.Index == g.Index() })
		}
		require.NotZero(t, told)
	})
}

// G19: many devices redeem one link at the same time.
func TestG19ManyRedemptions(t *testing.T) {
	n := simnet.New(t, simnet.Options{})
	n.Grow(3)
	honest := n.Members[:3:3]
	g := n.Invite()
	for range size(5, 20, 1000) {
		n.Join(g).Disputed = true
	}
	n.Settle()
	for _, m := range honest {
		require.Len(t, ratchet.Members(m.Space()), 4, m.Name) // which one each took does not matter: the owner is told
	}
	require.NotZero(t, events(n.Founder(), func(c ratchet.Conflict) bool { return c.Index == g.Index() }))
	in := 0
	for _, m := range n.Others(honest...) {
		if ratchet.Info(m.Space()).Phase == ratchet.Member {
			in++
		}
	}
	require.NotZero(t, in)
	require.LessOrEqual(t, in, len(honest))
}

// Scenario 7, G20, G21: what a server or an outsider makes lets nobody in. A changed invite is no invite; a ticket of
// another space, for another request, or changed in any place is refused and changes nothing.
func TestScenario07ForeignTickets(t *testing.T) {
	n := simnet.New(t, simnet.Options{Seed: 1})
	n.Grow(3)
	g := n.Invite()
	raw := g.Bytes()
	for i := range raw {
		if i%size(16, 2, 1) != 0 {
			continue
		}
		bad := append([]byte(nil), raw...)
		bad[i] ^= 1 << (i % 8)
		_, err := ratchet.ParseGrant(bad)
		require.Error(t, err, "byte %d of an invite", i)
	}

	// The attacker has a space of its own, with everything in it that it can make: also the joiner's request, answered.
	joined, q, err := ratchet.Join(g, n.Now(), nil)
	require.NoError(t, err)
	foreign, err := ratchet.NewSpace(n.Now(), ratchet.Policy{KEM: ratchet.X25519})
	require.NoError(t, err)
	_, _, err = ratchet.Admit(foreign, n.Now(), q)
	require.ErrorIs(t, err, ratchettest.ErrUnknownEpoch, "it is not boxed to that space")
	foreign, link, err := ratchet.NewGrant(foreign, n.Now(), dkg.Private)
	require.NoError(t, err)
	_, other, err := ratchet.Join(link, n.Now(), nil)
	require.NoError(t, err)
	_, made, err := ratchet.Admit(foreign, n.Now(), other)
	require.NoError(t, err)
	_, true1, err := ratchet.Admit(n.Founder().Space(), n.Now(), q)
	require.NoError(t, err)
	_, again, err := ratchet.Join(g, n.Now(), nil)
	require.NoError(t, err)
	_, true2, err := ratchet.Admit(n.Members[1].Space(), n.Now(), again)
	require.NoError(t, err)

	refused := func(frame []byte, what string) {
		t.Helper()
		next, err := ratchet.Enter(joined, n.Now(), frame)
		require.Error(t, err, what)
		require.NotEqual(t, state.Read, state.VerdictOf(err))
		require.True(t, next.Equal(joined), what)
	}
	refused(made, "of another space")
	refused(true2, "for another request")
	mixed := append(append([]byte(nil), true1[:17]...), made[17:]...)
	refused(mixed, "of another space, relabelled")
	mixed = append(append([]byte(nil), true1[:17]...), true2[17:]...)
	refused(mixed, "for another request, relabelled")
	for i := 0; i < len(true1); i += size(97, 11, 1) {
		bad := append([]byte(nil), true1...)
		bad[i] ^= 0x40
		refused(bad, fmt.Sprintf("byte %d", i))
	}
	entered, err := ratchet.Enter(joined, n.Now(), true1)
	require.NoError(t, err)
	require.Equal(t, ratchet.Member, ratchet.Info(entered).Phase)
}

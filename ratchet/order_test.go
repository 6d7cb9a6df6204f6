package ratchet_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/ratchettest"
)

// The whole way of a member: invited, joined, admitted, entered, speaking and hearing.
func TestVerticalSlice(t *testing.T) {
	alice, err := ratchet.NewSpace(ratchettest.Day0, ratchet.Policy{})
	require.NoError(t, err)
	alice, grant, err := ratchet.NewGrant(alice, ratchettest.Day0, dkg.Private)
	require.NoError(t, err)
	grant, err = ratchet.ParseGrant(grant.Bytes())
	require.NoError(t, err)
	bob, request, err := ratchet.Join(grant, ratchettest.Day0, []byte("bob"))
	require.NoError(t, err)
	require.Equal(t, ratchet.Joining, ratchet.Info(bob).Phase)
	_, _, err = ratchet.Encrypt(bob, ratchettest.Day0, nil)
	require.ErrorIs(t, err, ratchet.ErrPhase)
	alice, ticket, err := ratchet.Admit(alice, ratchettest.Day0, request)
	require.NoError(t, err)
	bob, err = ratchet.Enter(bob, ratchettest.Day0, ticket)
	require.NoError(t, err)
	require.Equal(t, ratchet.Member, ratchet.Info(bob).Phase)

	bob, e, err := ratchet.Encrypt(bob, ratchettest.Day0, []byte("hello"))
	require.NoError(t, err)
	alice, m, err := ratchet.Decrypt(alice, ratchettest.Day0, e)
	require.NoError(t, err)
	require.Equal(t, "hello", string(m.Plaintext))
	require.True(t, m.Verified)
	require.Equal(t, dkg.Index(2), m.Sender)
	alice, e, err = ratchet.Encrypt(alice, ratchettest.Day0, []byte("welcome"))
	require.NoError(t, err)
	bob, m, err = ratchet.Decrypt(bob, ratchettest.Day0, e)
	require.NoError(t, err)
	require.Equal(t, "welcome", string(m.Plaintext))

	a := ratchet.Info(alice).Authenticator
	require.NotZero(t, a)
	b := ratchet.Info(bob).Authenticator
	require.NotZero(t, b)
	require.Equal(t, a, b)
	require.Equal(t, "bob", string(ratchet.Members(alice)[1].App))
	ratchettest.Stored(t, alice)
	ratchettest.Stored(t, bob)
}

// G12: members that send and commit at the same time, messages in any order, some twice: each is read exactly once, and
// after a few quiet rounds all send in one epoch. Nothing but the order of delivery is random, so a seed repeats a failure.
func TestAnyOrder(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 0))
			g := ratchettest.NewGroup(t, 5, ratchettest.Small)
			type parcel struct {
				to *ratchettest.Peer
				e  []byte
			}
			var road []parcel
			want := map[*ratchettest.Peer][]string{}
			for _, p := range g.Peers {
				require.Empty(t, p.Read)
			}
			arrive := func(i int) {
				g.Deliver(road[i].e, road[i].to)
				road[i] = road[len(road)-1]
				road = road[:len(road)-1]
			}
			for step := range 120 {
				if rng.IntN(10) == 0 {
					g.Now = g.Now.Add(40 * time.Hour) // everybody's next message commits
				}
				from := g.Peers[rng.IntN(len(g.Peers))]
				text := fmt.Sprintf("%s %d", from.Name, step)
				e := g.Send(from, text)
				for _, p := range g.Peers {
					if p == from {
						continue
					}
					want[p] = append(want[p], text)
					road = append(road, parcel{p, e})
					if rng.IntN(8) == 0 {
						road = append(road, parcel{p, e})
					}
				}
				for len(road) > 60 || len(road) > 0 && rng.IntN(3) > 0 {
					arrive(rng.IntN(len(road)))
				}
			}
			for len(road) > 0 {
				arrive(rng.IntN(len(road)))
			}
			for range 3 {
				for _, p := range g.Peers {
					g.Deliver(g.Send(p, ""), g.Others(p)...)
				}
			}
			for _, p := range g.Peers {
				g.RequireRead(p, want[p]...)
				for _, err := range p.Discarded {
					require.ErrorIs(t, err, outcome.ErrDuplicate)
				}
			}
			g.RequireConverged()
			for _, p := range g.Peers {
				ratchettest.Stored(t, p.Space)
			}
		})
	}
}

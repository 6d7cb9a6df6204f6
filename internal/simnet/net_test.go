package simnet_test

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/simnet"
	"github.com/trefoil-im/trefoil/state/storetest"
)

// TestMain lets the heap grow further between collections: a simulation makes much garbage and keeps a few megabytes, so
// that a tenth of its time would go into collecting. With hundreds of devices it keeps gigabytes, and nothing is left for that.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(10 << 30)
	m.Run()
}

// size returns how much of something a test does: TREFOIL_LONG=1 asks for the long suite.
func size(quick, long int) int {
	if os.Getenv("TREFOIL_LONG") != "" {
		return long
	}
	return quick
}

// Which seeds the tests run that take one.
var (
	seedCount = flag.Int("seeds", 0, "how many seeds a test runs; as many as it likes by default")
	firstSeed = flag.Uint64("first", 0, "the first of them")
)

// joiners is how many devices open one link at once. The work grows with its square at least: each follows what all others make, in a
// space of as many.
var joiners = flag.Int("joiners", 0, "how many devices open one link at once; as many as the test likes by default")

// rush returns how many devices open one link at once.
func rush(quick, long int) int { return cmp.Or(*joiners, size(quick, long)) }

// seeds runs a test for many seeds. A failing one is repeated by its number: -run TestX -first 7 -seeds 1.
func seeds(t *testing.T, count int, test func(t *testing.T, seed uint64)) {
	if *seedCount > 0 {
		count = *seedCount
	}
	for seed := *firstSeed; seed < *firstSeed+uint64(count); seed++ {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { test(t, seed) })
	}
}

// G12, G9, G1: frames that come late, twice and out of order, members that send and commit at once, devices that die
// before and after commits: at rest everything was read by everybody exactly once, and all send in one epoch.
func TestG12Rough(t *testing.T) {
	seeds(t, size(1, 64), func(t *testing.T, seed uint64) {
		n := simnet.New(t, simnet.Options{Seed: seed, Faults: simnet.Rough})
		n.Grow(8)
		n.Run(size(40, 200))
		n.Rest()
		requireAllRead(t, n)
		t.Logf("%+v", n.Stats())
	})
}

// G12, G19: the same, while members join.
func TestG12RoughWithJoins(t *testing.T) {
	seeds(t, size(1, 64), func(t *testing.T, seed uint64) {
		n := simnet.New(t, simnet.Options{Seed: seed, Faults: simnet.Rough})
		n.Grow(3)
		for range size(3, 20) {
			n.Run(10)
			n.Join(n.Invite())
		}
		n.Run(20)
		n.Rest()
		for _, m := range n.Members {
			require.True(t, m.Joined())
		}
		t.Logf("%+v", n.Stats())
	})
}

// G12, G13: with a fifth of all deliveries lost for good, everything that is delivered is read, and nobody is ever refused
// to send.
func TestG12Loss(t *testing.T) {
	seeds(t, size(1, 64), func(t *testing.T, seed uint64) {
		faults := simnet.Rough
		faults.Lose = 0.20
		n := simnet.New(t, simnet.Options{Seed: seed, Faults: faults})
		n.Grow(6)
		n.Run(size(40, 200))
		n.Rest()
		require.Zero(t, n.Stats().Refused)
		require.NotZero(t, n.Stats().Lost)
		t.Logf("%+v", n.Stats())
	})
}

// requireAllRead requires that everybody has read everything that the others said.
func requireAllRead(t *testing.T, n *simnet.Net) {
	t.Helper()
	all := 0
	for _, m := range n.Members {
		all += len(m.Texts())
	}
	require.Equal(t, n.Stats().Texts*(len(n.Members)-1), all)
}

// A run is decided by its seed alone.
func TestReplay(t *testing.T) {
	run := func(seed uint64) (digest [32]byte) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			faults := simnet.Rough
			faults.Lose = 0.05
			n := simnet.New(t, simnet.Options{Seed: seed, Faults: faults})
			n.Grow(4)
			n.Run(20)
			n.Join(n.Invite())
			n.Run(20)
			n.Rest()
			digest = n.Digest()
		})
		return digest
	}
	one := run(1)
	require.Equal(t, one, run(1))
	require.NotEqual(t, one, run(2))
}

// G4, G9: a device dies at each commit boundary of a conversation in turn, before and after the commit. Everything is
// read exactly once all the same. Unless in the long suite it dies before every other commit and after the others.
func TestG4CrashAtEveryBoundary(t *testing.T) {
	talk := func(t *testing.T, at int, fault storetest.Fault) (boundaries int, crashes int) {
		n := simnet.New(t, simnet.Options{Seed: 1})
		n.Grow(3)
		alice, bob := n.Members[0], n.Members[1]
		before := bob.Boundaries()
		if at > 0 {
			bob.CrashAt(at, fault)
		}
		for i := range 3 {
			n.Advance(30 * time.Hour)
			require.NoError(t, alice.Send(fmt.Sprint("to bob ", i)))
			require.NoError(t, bob.Send(fmt.Sprint("from bob ", i)))
			bob.Reverse()
			bob.Fetch(-1)
			bob.Attend()
		}
		joiner := n.Join(n.Invite())
		bob.Fetch(-1) // bob lets it in
		n.Settle()
		require.NoError(t, joiner.Send("hello"))
		n.Rest()
		require.Contains(t, bob.Texts(), "hello")
		return bob.Boundaries() - before, n.Stats().Crashes
	}
	boundaries, _ := talk(t, 0, storetest.None)
	require.Greater(t, boundaries, 10)
	for at := 1; at <= boundaries; at++ {
		for i, fault := range []storetest.Fault{storetest.Before, storetest.After} {
			if (at+i)%size(16, 1) != 0 {
				continue
			}
			t.Run(fmt.Sprintf("%d/%d", at, fault), func(t *testing.T) {
				_, crashes := talk(t, at, fault)
				require.Equal(t, 1, crashes)
			})
		}
	}
}

// settled counts the frames that a member settled unread for a reason.
func settled(m *simnet.Member, reason error) (count int) {
	for _, err := range m.Unread() {
		if errors.Is(err, reason) {
			count++
		}
	}
	return count
}

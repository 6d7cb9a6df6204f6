package simnet_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/simnet"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/state/storetest"
)

// Scenario 11, G12: a partition of three days in which both sides talk and commit, then everything arrives. Nothing is
// unread.
func TestScenario11Partition(t *testing.T) {
	seeds(t, size(1, 4), func(t *testing.T, seed uint64) {
		n := simnet.New(t, simnet.Options{Seed: seed})
		n.Grow(4)
		n.Partition(n.Members[:2], n.Members[2:])
		daily := size(20, 5_000)
		for i := range 3 * daily {
			n.Advance(24 * time.Hour / time.Duration(daily))
			require.NoError(t, n.Members[i*7%4].Send(fmt.Sprint("text ", i)))
			if i%5 == 0 {
				n.Settle()
			}
		}
		n.Rest()
		requireAllRead(t, n)
		t.Logf("%+v", n.Stats())
	})
}

// Scenario 11, G12: everybody commits at the same moment, from one parent, none having heard of the others.
func TestScenario11AllCommitAtOnce(t *testing.T) {
	n := simnet.New(t, simnet.Options{Seed: 5})
	n.Grow(size(4, 64))
	for round := range 3 {
		n.Advance(80 * time.Hour)
		for _, m := range n.Members {
			require.NoError(t, m.Send(fmt.Sprintf("%s in round %d", m.Name, round)))
		}
		n.Rest()
	}
	requireAllRead(t, n)
	t.Logf("%+v", n.Stats())
}

// The default policy, with its hybrid boxes, and a crash in everybody's first days.
func TestG12DefaultPolicy(t *testing.T) {
	n := simnet.New(t, simnet.Options{Seed: 6, Policy: rules.Policy{KEM: rules.MLKEM768X25519}, Faults: simnet.Rough})
	n.Grow(4)
	for i, m := range n.Members {
		m.CrashAt(5+i, storetest.After)
	}
	n.Run(40)
	n.Join(n.Invite())
	n.Run(20)
	n.Rest()
}

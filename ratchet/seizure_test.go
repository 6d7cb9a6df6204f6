package ratchet_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/ratchettest"
)

// Scenario 4, G16: whoever seizes a state after messages were read finds nothing in it that opens them, though it holds
// the header keys of their epochs and everything that was ever on the wire. That the search would find a key is shown by
// the state from before.
func TestSeizure(t *testing.T) {
	t.Parallel()
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	sender, reader := g.Peers[1], g.Peers[0]
	g.Deliver(g.Send(sender, "the epoch has begun"), reader)
	before := reader.Space
	var sent [][]byte
	for i := range 5 {
		if i == 3 {
			g.Now = g.Now.Add(60 * time.Hour) // the rest is in a new epoch
		}
		sent = append(sent, g.Send(sender, "secret"))
	}
	require.True(t, ratchet.Opens(before, sent[0]))
	for _, e := range sent {
		g.Deliver(e, reader)
	}
	for _, p := range []*ratchettest.Peer{reader, sender} {
		s := ratchettest.Stored(t, p.Space)
		for i, e := range sent {
			require.False(t, ratchet.Opens(s, e), "message %d with the state of %s", i+1, p.Name)
		}
	}
}

// Scenario 5: of a seizure of everything, an own commit of the victim heals; another's does not, which is the documented
// limit.
func TestRecovery(t *testing.T) {
	for _, own := range []bool{true, false} {
		g := ratchettest.NewGroup(t, 3, ratchettest.Small)
		victim := g.Peers[1]
		thief := &ratchettest.Peer{Name: "thief", Space: victim.Space}
		commits := g.Peers[2]
		if own {
			commits = victim
		}
		g.Now = g.Now.Add(60 * time.Hour)
		g.Deliver(g.Send(commits, "heals or not"))
		e := g.Send(g.Peers[0], "after")
		g.Deliver(e)
		g.Deliver(e, thief)
		if own {
			require.Empty(t, thief.Read)
		} else {
			require.Contains(t, thief.Read, "after")
		}
		require.Contains(t, victim.Read, "after")
	}
}

package ratchet_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet"
)

// Scenario 4, G16: whoever seizes a state after messages were read finds nothing in it that opens them, though it holds
// the header keys of their epochs and everything that was ever on the wire. That the search would find a key is shown by
// the state from before.
func TestSeizure(t *testing.T) {
	t.Parallel()
	g := newGroup(t, 3, fast)
	sender, reader := g.peers[1], g.peers[0]
	g.deliver(g.send(sender, "the epoch has begun"), reader)
	before := reader.space
	var sent [][]byte
	for i := range 5 {
		if i == 3 {
			g.now = g.now.Add(60 * time.Hour) // the rest is in a new epoch
		}
		sent = append(sent, g.send(sender, "secret"))
	}
	require.True(t, ratchet.Opens(before, sent[0]))
	for _, e := range sent {
		g.deliver(e, reader)
	}
	for _, p := range []*peer{reader, sender} {
		s := stored(t, p.space)
		for i, e := range sent {
			require.False(t, ratchet.Opens(s, e), "message %d with the state of %s", i+1, p.name)
		}
	}
}

// Scenario 5: of a seizure of everything, an own commit of the victim heals; another's does not, which is the documented
// limit.
func TestRecovery(t *testing.T) {
	for _, own := range []bool{true, false} {
		g := newGroup(t, 3, fast)
		victim := g.peers[1]
		thief := &peer{name: "thief", space: victim.space}
		commits := g.peers[2]
		if own {
			commits = victim
		}
		g.now = g.now.Add(60 * time.Hour)
		g.deliver(g.send(commits, "heals or not"))
		e := g.send(g.peers[0], "after")
		g.deliver(e)
		g.deliver(e, thief)
		if own {
			require.Empty(t, thief.read)
		} else {
			require.Contains(t, thief.read, "after")
		}
		require.Contains(t, victim.read, "after")
	}
}

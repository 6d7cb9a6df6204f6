package epochs

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// TestCutKeepsWhoMayCome: an epoch that is cut can still be committed from by a member that was let in elsewhere and of which nobody
// here knows, and by another binding of an index whose member came to this side later. Who was there and moved on cannot (D121).
func TestCutKeepsWhoMayCome(t *testing.T) {
	g := newGroup(t)
	a, b, elsewhere := g.member(1), g.member(2), g.member(9)
	require.NoError(t, a.read(b.send(g.root.ID)), "b is there")
	require.NoError(t, a.read(b.say(true)))
	came := g.bare(3)
	came.merge(b.ticket(TicketQuery{Joiner: true}, 1))
	require.NoError(t, a.read(came.say(true)))
	require.NoError(t, b.read(came.send(came.preferred().id)))
	for range near + 2 {
		require.NoError(t, a.read(b.say(true)))
	}
	last := a.f.LastRead() // nothing of who is elsewhere
	a.f, _ = a.f.Prune(g.now+cutAfter, last)
	root, _ := a.f.Epoch(g.root.ID)
	require.True(t, root.cut)

	twin := g.member(3)
	g.sign[3] = suite.NewSigningKey(suite.Ed25519)
	require.NoError(t, a.read(elsewhere.say(true)))
	require.NoError(t, a.read(twin.say(true)))
	late := g.member(2)
	require.Error(t, a.read(late.say(true)))

	joiner := g.bare(4)
	joiner.merge(a.ticket(TicketQuery{Joiner: true}, 1))
	other := g.member(10)
	require.NoError(t, joiner.read(other.say(true)), "by a ticket, too")
}

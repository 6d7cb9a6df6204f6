package epochs

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A forest in which fewer messages were sent than before is told from one that follows: of many epochs, one block or several of which
// differ, in any of them.
func TestSentLess(t *testing.T) {
	g := newGroup(t)
	a, b := g.member(1), g.member(2)
	var all []Epoch
	for range 20 {
		require.NoError(t, a.read(b.say(true)))
		all = append(all, a.preferred())
	}
	for _, e := range all {
		before := a.f
		a.send(e.id)
		require.False(t, a.f.SentLess(before))
		require.True(t, before.SentLess(a.f))
		require.False(t, a.f.SentLess(a.f))
		once := a.f
		require.NoError(t, a.read(b.say(false)))
		require.False(t, a.f.SentLess(once), "another member sent")
		require.True(t, before.SentLess(a.f))
	}
}

package ratchet

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/state"
)

func TestMembersReadOneAnother(t *testing.T) {
	g := newGroup(t, 3, rules.Policy{})
	for i := range 20 {
		p := g.peers[i%3]
		g.say(p, "hello")
	}
	for _, p := range g.peers {
		require.Len(t, p.texts(), 20-[]int{7, 7, 6}[p.index-1])
	}
	g.agree()
}

func TestAFrameIsReadOnce(t *testing.T) {
	g := newGroup(t, 2, rules.Policy{})
	f := g.peers[0].send("once")
	require.Equal(t, state.Read, g.peers[1].receive(f, "a").Verdict)
	r := g.peers[1].receive(f, "b")
	require.ErrorIs(t, r.Reason, ErrStale)
	require.Equal(t, []string{"once"}, g.peers[1].texts())
	require.ErrorIs(t, g.peers[0].receive(f, "").Reason, ErrStale, "one's own")
}

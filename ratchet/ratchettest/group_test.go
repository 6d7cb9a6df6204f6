package ratchettest_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/ratchettest"
)

// A group is in step, and reads what its members say, whoever joined by which link.
func TestGroup(t *testing.T) {
	g := ratchettest.NewGroup(t, 4, ratchettest.Small)
	g.JoinWith(g.Invite(invite.Public(16, 0)), g.Peers[2])
	for k, p := range g.Peers {
		g.Deliver(g.Send(p, fmt.Sprint(k)), g.Others(p)...)
	}
	g.RequireConverged()
	for _, p := range g.Peers {
		require.Len(t, p.Read, 4, p.Name)
	}
}

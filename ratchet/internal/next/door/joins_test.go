package ratchet

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/next/proto"
)

func inner(text string) proto.Inner { return proto.Inner{Plaintext: []byte(text)} }

// Somebody who opens a link is let in by the founder, and both read one another.
func TestJoinByALink(t *testing.T) {
	for _, o := range []InviteOptions{{Kind: dkg.Private}, {Kind: dkg.Public, Count: 32}, {Kind: dkg.Direct}} {
		n := newNet(t, 7)
		founder := n.found(Policy{})
		var made Invite
		founder.do(NewInvite(o, &made))
		x := n.join(made.Link, "x")
		n.settle()
		require.Equal(t, Member, x.phase())
		require.True(t, x.has(Joined))
		require.True(t, founder.has(Arrived))
		founder.send("welcome")
		x.send("thanks")
		n.settle()
		require.Equal(t, []string{"1: welcome"}, x.texts())
		require.Len(t, founder.texts(), 1)
		require.Empty(t, x.retained)
		require.Empty(t, founder.retained)
	}
}

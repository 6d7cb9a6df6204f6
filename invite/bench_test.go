package invite_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/step"
)

// BenchmarkPrivateInvite makes an invite and writes its URL.
func BenchmarkPrivateInvite(b *testing.B) {
	s, now := newGroup(b).Peers[0].Space, time.Now()
	b.ReportAllocs()
	for b.Loop() {
		var made invite.Made
		_, _, err := ratchet.Take(s, now, step.NewInvite(invite.Private(0), &made))
		require.NoError(b, err)
		_, err = made.Link.URL(base)
		require.NoError(b, err)
	}
}

// BenchmarkFind takes a link out of a message.
func BenchmarkFind(b *testing.B) {
	u, err := newGroup(b).Invite(invite.Public(invite.Unit, 0)).URL(base)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		_, err := invite.Find("Come in: " + u + " (till Friday)")
		require.NoError(b, err)
	}
}

// BenchmarkJoinComplete goes from a link to the first message that the newcomer reads, with the work of all parties: the newcomer, and
// the one other member.
func BenchmarkJoinComplete(b *testing.B) {
	g := newGroup(b)
	l := g.Invite(invite.Private(0))
	founder := g.Peers[0].Space
	b.ReportAllocs()
	for b.Loop() {
		g.Peers = g.Peers[:1]
		g.Peers[0].Space = founder
		guest := g.JoinWith(l, g.Peers[0])
		g.Deliver(g.Send(g.Peers[0], "hello"), guest)
		require.Contains(b, guest.Read, "hello")
	}
}

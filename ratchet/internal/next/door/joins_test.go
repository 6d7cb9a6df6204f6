package ratchet

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

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

// By all kinds of links, whatever requests and tickets are lost, in whatever order frames come, however often, and whenever devices
// restart or are away: in the end everybody is in who was not told otherwise, all show the same members, and read one another.
func TestJoinsSettle(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		n := newNet(t, seed)
		rng := n.rng
		n.twice, n.frame = rng.IntN(2) == 0, []int{0, 32 << 10}[rng.IntN(2)]
		n.lose = func(_ *node, f []byte) bool { return f[0]&0xf >= byte(proto.TypeTicket) && rng.IntN(4) == 0 }
		founder := n.found(Policy{})
		var links []Link
		for range 1 + rng.IntN(3) {
			var made Invite
			founder.do(NewInvite([]InviteOptions{{Kind: dkg.Private}, {Kind: dkg.Public, Count: 16}, {Kind: dkg.Direct}}[rng.IntN(3)], &made))
			links = append(links, made.Link)
		}
		public := slices.DeleteFunc(slices.Clone(links), func(l Link) bool { return l.Kind() != dkg.Public })
		for k := range 12 {
			switch {
			case len(links) > 0 && rng.IntN(3) == 0:
				n.join(links[0], fmt.Sprint("x", k))
				links = links[1:]
			case len(public) > 0 && rng.IntN(4) == 0 && len(n.all) < 6:
				n.join(public[0], fmt.Sprint("p", k))
			}
			for _, x := range n.all {
				switch rng.IntN(5) {
				case 0:
					x.restart()
				case 1:
					x.offline = !x.offline
				case 2:
					if x.phase() == Member {
						x.send(fmt.Sprint("text ", k))
					}
				}
				if !x.offline {
					x.sync()
					x.maintain()
				}
			}
			n.now = n.now.Add(time.Duration(rng.IntN(1000)) * time.Second)
		}
		n.lose, n.twice = nil, false
		for _, x := range n.all {
			x.offline = false
		}
		for range 6 {
			n.settle()
			n.now = n.now.Add(25 * time.Hour)
		}
		n.settle()
		for _, x := range n.all {
			require.Equal(rt, Member, x.phase(), "%s, seed %d", x.name, seed)
			require.Equal(rt, founder.members(), x.members(), "%s, seed %d", x.name, seed)
			require.Len(rt, x.members(), len(n.all), "seed %d", seed)
			x.read = nil
		}
		for _, x := range n.all {
			x.send("from " + x.name)
			n.settle()
		}
		for _, x := range n.all {
			require.Len(rt, x.texts(), len(n.all)-1, "%s read %v, seed %d", x.name, x.texts(), seed)
		}
	})
}

package ratchet

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// Who comes second by a private link is told that it is taken, with the proof, whoever of the others is there and whatever is lost once;
// while nobody is there who says it, that it waits (§9).
func TestSecondComer(t *testing.T) {
	for _, c := range []struct {
		name string
		away []string
		lost proto.Type
		told time.Duration // after the first hour if it is one
	}{
		{name: "all are there", told: time.Minute},
		{name: "the owner is away", away: []string{"founder"}, told: time.Minute},
		{name: "only the owner is there", away: []string{"m", "a"}, told: time.Minute},
		{name: "its request is lost", lost: proto.TypeRequest, told: time.Hour},
		{name: "the refusals are lost", lost: proto.TypeTicket, told: time.Hour},
		{name: "only who has the place is there", away: []string{"founder", "m"}, told: 2 * time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := newNetwork(t, 75)
			founder := n.found(Policy{})
			n.member(founder, "m")
			l := founder.invite(invite.Private(0))
			n.join(l, "a")
			n.settle()
			n.away(c.away...)
			n.lose = func(_ *node, f []byte) bool { return c.lost != 0 && f[0]&0xf == byte(c.lost) }
			b := n.join(l, "b")
			posted := n.now
			n.now = n.now.Add(time.Second) // a frame is some time on its way
			n.settle()
			require.Equal(t, c.told < time.Hour, b.has(Refused))
			n.lose = nil
			n.now = posted.Add(time.Hour)
			b.maintain() // it asks again: less than an hour after it was refused, if it was
			n.settle()
			require.Equal(t, c.told <= time.Hour, b.has(Refused))
			require.True(t, b.has(Refused) || b.has(StillWaiting))
			n.away()
			n.settle()
			require.True(t, b.has(Refused))
			require.ErrorIs(t, b.events[len(b.events)-1].Reason, ErrInviteTaken)
			require.Equal(t, Joining, b.phase())
			require.Len(t, founder.members(), 3)
		})
	}
}

// away lets some devices be offline, and the others be there.
func (n *network) away(names ...string) {
	for _, x := range n.all {
		x.offline = slices.Contains(names, x.name)
	}
}

package epochs

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// led is twoChecks after the joiner followed the false commit, learned the truth, and lost the parent at a bound. It returns what tells the parent
// falsely once more, too.
func led(t *testing.T, dropChild bool) (*twoChecks, Ticket) {
	x := newTwoChecks(t)
	lie := x.lie
	x.follow(x.j, x.falsely)
	x.j.merge(x.tells(9)) // the truth
	p, _ := x.j.f.Epoch(x.at)
	require.True(t, p.derived)
	led, _ := x.j.f.Epoch(x.led)
	require.True(t, led.misled)
	if dropChild {
		x.j.f = x.j.f.drop(x.led, givenUp, new(Change))
	}
	x.j.f = x.j.f.drop(x.at, givenUp, new(Change)).drop(x.root.ID, givenUp, new(Change))
	x.j.f, _ = x.j.f.settle(Change{}, x.now)
	lie.Counter = 5
	lie.Epochs = slices.DeleteFunc(slices.Clone(lie.Epochs), func(e TicketEpoch) bool { return e.ID != x.at })
	return x, lie
}

// A value that was used up stays so when the parent comes back by a word that gives it.
func TestSpentValueStaysSpentWhenTheParentComesBack(t *testing.T) {
	for _, dropChild := range []bool{false, true} {
		x, lie := led(t, dropChild)
		x.j.merge(lie)
		p, held := x.j.f.Epoch(x.at)
		require.True(t, held && !p.derived)
		values, _ := p.values(p.path(2, x.falsely.Commit.Core.Place(x.space, p.id, p.generation+1)))
		require.Empty(t, values, "child dropped: %v", dropChild)
	}
}

// What lies below a misled epoch that went is not preferred, also if it comes afterwards.
func TestChildOfAMisledEpochThatWent(t *testing.T) {
	for _, why := range []reason{givenUp, aged} {
		g := newGroup(t)
		a, b, c := g.member(1), g.member(2), g.member(3)
		first := b.say(true)
		require.NoError(t, a.read(first))
		a.mislead(first.epoch)
		require.NoError(t, a.read(c.say(true)))
		honest := a.f.preferred
		a.f = a.f.drop(first.epoch, why, new(Change))
		b.say(true)
		b.say(true)
		tk := b.ticket(TicketQuery{}, 1)
		tk.Epochs = slices.DeleteFunc(tk.Epochs, func(e TicketEpoch) bool { return e.ID == first.epoch && why == givenUp })
		a.merge(tk)
		require.Equal(t, honest, a.f.preferred, why)
	}
}

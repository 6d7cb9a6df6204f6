package epochs

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Members prefer the root that an owner made from a misled epoch, whether they were told of that epoch or not (D207).
func TestRootBelowAMisledEpoch(t *testing.T) {
	x := newTwoChecks(t) // j is the owner that was led by the liar
	x.follow(x.j, x.falsely)
	// both honest members hold the true parent, and the honest child
	told, untold := x.member(5), x.member(6)
	for _, m := range []*member{told, untold} {
		require.NoError(t, m.read(x.first))
	}
	told.merge(x.j.ticket(TicketQuery{}, 1)) // the owner answered this one, which wondered what it cannot read
	led, held := told.f.Epoch(x.led)
	require.True(t, held && led.misled)
	require.False(t, untold.f.Has(x.led))

	r, secret := x.j.rekeyFrom(x.led)
	require.NoError(t, x.j.enterRekey(r, secret))
	require.Equal(t, r.ID, x.j.preferred().id)
	// the one that holds the parent opens its box
	require.NoError(t, told.enterRekey(r, secret))
	// the other one asks, and is told
	all, _ := x.j.f.ForTicket(TicketQuery{})
	for _, m := range []*member{untold, told} {
		m.f, _ = m.f.WithRoot(r.Root, x.now)
		m.f, _ = m.f.Merge(Ticket{Issuer: 3, Counter: 9, Epochs: all}, m.shares(), x.now)
	}
	require.Equal(t, r.ID, untold.preferred().root)
	require.Equal(t, r.ID, told.preferred().root)
	told.f, _ = told.f.drop(x.led, aged, new(Change)).settle(Change{}, x.now)
	require.Equal(t, r.ID, told.preferred().root, "it went")
}

package ratchet_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/ratchettest"
	"github.com/trefoil-im/trefoil/state"
)

// A second answer to one request does no harm: the joiner stays where it is, even after it has moved on by own commits, and
// its next send does not commit again (§9).
func TestSecondTicket(t *testing.T) {
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	joiner, q, err := ratchet.Join(g.Grant(), g.Now, nil)
	require.NoError(t, err)
	one, two := g.Admit(g.Peers[1], q), g.Admit(g.Peers[2], q)
	joined, err := ratchet.Enter(joiner, g.Now, one)
	require.NoError(t, err)
	again, err := ratchet.Enter(joined, g.Now, two)
	require.NoError(t, err)
	p := &ratchettest.Peer{Name: "joiner", Space: again}
	e := g.Send(p, "hello")
	at := ratchet.Info(p.Space).Epoch
	again, err = ratchet.Enter(p.Space, g.Now, two)
	require.NoError(t, err)
	require.True(t, p.Space.Equal(again))
	again, err = ratchet.Enter(p.Space, g.Now, one)
	require.NoError(t, err)
	require.True(t, p.Space.Equal(again))
	still := &ratchettest.Peer{Space: again}
	g.Send(still, "no commit")
	now := ratchet.Info(still.Space).Epoch
	require.Equal(t, at, now)

	// Each request is answered once.
	g.Deliver(e, g.Peers[1])
	_, _, err = ratchet.Admit(g.Peers[1].Space, g.Now, q)
	require.ErrorIs(t, err, ratchet.ErrStale)
	// And none of a joiner that was heard.
	g.Deliver(e, g.Peers[0])
	_, _, err = ratchet.Admit(g.Peers[0].Space, g.Now, q)
	require.ErrorIs(t, err, ratchet.ErrStale)

	// The ticket key is gone once somebody other than the issuer was heard, or a day later.
	g.Deliver(e, g.Peers[2])
	require.True(t, ratchet.Answers(p.Space, two))
	g.Deliver(g.Send(g.Peers[1], "from the issuer"), p)
	require.True(t, ratchet.Answers(p.Space, two))
	pruned, err := ratchet.Prune(p.Space, g.Now.Add(25*time.Hour))
	require.NoError(t, err)
	require.False(t, ratchet.Answers(pruned, two))
	g.Deliver(g.Send(g.Peers[2], "from another"), p)
	require.False(t, ratchet.Answers(p.Space, two))
	_, err = ratchet.Enter(p.Space, g.Now, two)
	require.ErrorIs(t, err, ratchet.ErrStale)
}

// What was sent before a joiner's first envelope cannot be read by it, is kept for a day, and then settled (§7).
func TestBeforeJoin(t *testing.T) {
	g := ratchettest.NewGroup(t, 2, ratchettest.Small)
	joiner, q, err := ratchet.Join(g.Grant(), g.Now, nil)
	require.NoError(t, err)
	p := &ratchettest.Peer{Name: "joiner", Space: joiner}
	g.Deliver(g.Send(g.Peers[0], "before"), p, g.Peers[1])
	require.Len(t, p.Retained, 1)
	g.Now = g.Now.Add(time.Minute)
	p.Space, err = ratchet.Enter(p.Space, g.Now, g.Admit(g.Peers[1], q))
	require.NoError(t, err)
	g.Deliver(g.Send(p, "first"))
	g.Deliver(g.Send(g.Peers[0], "after"), p)
	require.Len(t, p.Retained, 1)
	g.Now = g.Now.Add(25 * time.Hour)
	g.Deliver(g.Send(g.Peers[0], "next day"), p)
	require.Empty(t, p.Retained)
	require.ErrorIs(t, p.Discarded[0], outcome.ErrBeforeJoin)
	g.RequireRead(p, "after", "next day")
	headers, _ := ratchet.Held(p.Space)
	require.Zero(t, headers)
}

// Epochs more than 4 behind go 7 days after they were preferred, by a clock that moves a day at a time; what was sent in
// one that is kept is read, what was sent in one that is gone is not (§5).
func TestPrune(t *testing.T) {
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	sender, reader := g.Peers[1], g.Peers[0]
	early := g.Send(sender, "early")
	for range 8 {
		sender.Space = ratchet.Committing(sender.Space)
		g.Deliver(g.Send(sender, "x"), g.Others(sender)...)
	}
	held := ratchet.Epochs(reader.Space)
	// A clock that is a year ahead costs nothing.
	jumped, err := ratchet.Prune(reader.Space, g.Now.AddDate(1, 0, 0))
	require.NoError(t, err)
	require.Equal(t, held, ratchet.Epochs(jumped))
	copied := *reader
	copied.Space = jumped
	g.Deliver(early, &copied)
	require.Contains(t, copied.Read, "early")

	for range 8 {
		g.Now = g.Now.Add(24 * time.Hour)
		require.True(t, ratchet.Due(reader.Space, g.Now).Prune)
		reader.Space, err = ratchet.Prune(reader.Space, g.Now)
		require.NoError(t, err)
		require.False(t, ratchet.Due(reader.Space, g.Now).Prune)
	}
	require.Equal(t, 5, ratchet.Epochs(reader.Space), "the preferred one and 4 ancestors")
	g.Deliver(early, reader)
	require.NotContains(t, reader.Read, "early")
	require.Len(t, reader.Retained, 1)
	g.Now = g.Now.Add(8 * 24 * time.Hour)
	g.Deliver(g.Send(sender, "later"), reader)
	require.Empty(t, reader.Retained)
	require.ErrorIs(t, reader.Discarded[len(reader.Discarded)-1], outcome.ErrExpired)
	require.Contains(t, reader.Read, "later")
	// And back it goes never.
	back, err := ratchet.Prune(reader.Space, ratchettest.Day0)
	require.NoError(t, err)
	require.NoError(t, back.State().Succeeds(reader.Space.State()))
	ratchettest.Stored(t, reader.Space)
}

// Introductions that no signed roster names ride in every ticket; a roster statement relieves tickets of them, and whoever
// joins later knows all members.
func TestRosterStatement(t *testing.T) {
	g := ratchettest.NewGroup(t, 6, ratchettest.Small)
	_, q, err := ratchet.Join(g.Grant(), g.Now, nil)
	require.NoError(t, err)
	before := g.Admit(&ratchettest.Peer{Space: g.Peers[2].Space}, q)
	next, e, err := ratchet.SignRoster(g.Peers[0].Space, g.Now)
	require.NoError(t, err)
	g.Peers[0].Space = next
	g.Deliver(e, g.Others(g.Peers[0])...)
	after := g.Admit(&ratchettest.Peer{Space: g.Peers[2].Space}, q)
	require.Less(t, len(after)+1000, len(before))
	late := g.JoinWith(g.Grant(), g.Peers[3])
	require.Len(t, ratchet.Members(late.Space), 7)
	later := g.JoinWith(g.Grant(), late)
	require.Len(t, ratchet.Members(later.Space), 8)
	g.Rounds(2)
	g.RequireConverged()
	for _, p := range g.Peers {
		ratchettest.Stored(t, p.Space)
	}
}

// A roster statement that comes before an introduction it names waits for it.
func TestRosterStatementEarly(t *testing.T) {
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	reader := g.Peers[1]
	grant := g.Grant()
	joining, q, err := ratchet.Join(grant, g.Now, nil)
	require.NoError(t, err)
	p := &ratchettest.Peer{Name: "joiner", Space: joining}
	p.Space, err = ratchet.Enter(p.Space, g.Now, g.Admit(g.Peers[0], q))
	require.NoError(t, err)
	next, statement, err := ratchet.SignRoster(g.Peers[0].Space, g.Now)
	require.NoError(t, err)
	g.Peers[0].Space = next
	g.Deliver(statement, reader)
	g.Deliver(g.Send(p, "hello"), g.Peers...)
	g.RequireRead(reader, "hello")
	_, q2, err := ratchet.Join(g.Grant(), g.Now, nil)
	require.NoError(t, err)
	ticket := g.Admit(reader, q2)
	require.NotZero(t, ticket)
	g.Deliver(statement, g.Peers[2], p)
	require.Len(t, ratchet.Members(reader.Space), 5)
}

// Somebody with messages it cannot read shows where it stands after a while, longer each time, and asks for a ticket after
// the third time (§7). Messages of unknown mailboxes give no reason to.
func TestWaiting(t *testing.T) {
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	sender, p := g.Peers[1], g.Peers[0]
	for range 12 {
		sender.Space = ratchet.Committing(sender.Space)
		g.Send(sender, "lost")
	}
	for range 5 {
		g.Send(sender, "lost")
	}
	e := g.Send(sender, "unreadable")
	stranger, err := ratchet.Hold(p.Space, g.Now, "", e)
	require.NoError(t, err)
	require.False(t, ratchet.Due(stranger, g.Now.Add(time.Hour)).Send)

	g.Deliver(e, p)
	require.False(t, ratchet.Due(p.Space, g.Now).Send)
	var waits []time.Duration
	for range 3 {
		from := g.Now
		for !ratchet.Due(p.Space, g.Now).Send {
			require.False(t, ratchet.Due(p.Space, g.Now).Ask)
			g.Now = g.Now.Add(10 * time.Second)
			require.Less(t, g.Now.Sub(from), time.Hour)
		}
		waits = append(waits, g.Now.Sub(from))
		g.Send(p, "")
	}
	require.Greater(t, waits[0], time.Minute)
	require.GreaterOrEqual(t, waits[2], waits[0]+2*time.Minute)
	require.True(t, ratchet.Due(p.Space, g.Now).Ask)
	resync(g, p, g.Peers[2])
	require.False(t, ratchet.Due(p.Space, g.Now.Add(time.Hour)).Ask, "a ticket was entered after it arrived")
}

// A member says its new inbox key in its first own epoch after entering, and after each 7 days; all follow (§10).
func TestKeyUpdates(t *testing.T) {
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	for _, p := range g.Peers[:2] {
		require.Equal(t, []uint32{0, 1, 1}, ratchet.InboxCounters(p.Space), p.Name)
	}
	require.Equal(t, []uint32{0, 0, 1}, ratchet.InboxCounters(g.Peers[2].Space), "tickets do not carry updates")
	g.Now = g.Now.Add(9 * 24 * time.Hour)
	g.Deliver(g.Send(g.Peers[0], "commits"), g.Others(g.Peers[0])...)
	for _, p := range g.Others(g.Peers[0]) {
		require.EqualValues(t, 1, ratchet.InboxCounters(p.Space)[0], p.Name)
	}
}

// Nothing goes backwards in the store (G3): an older copy of a state is refused.
func TestSucceeds(t *testing.T) {
	g := ratchettest.NewGroup(t, 2, ratchettest.Small)
	old := g.Peers[0].Space
	g.Send(g.Peers[0], "x")
	require.NoError(t, g.Peers[0].Space.State().Succeeds(old.State()))
	require.ErrorIs(t, old.State().Succeeds(g.Peers[0].Space.State()), state.ErrStale)
	other := ratchettest.NewGroup(t, 2, ratchettest.Small)
	require.ErrorIs(t, other.Peers[0].Space.State().Succeeds(old.State()), state.ErrStale)
	require.ErrorIs(t, other.Peers[0].Space.Template().Succeeds(old.Template()), state.ErrStale)
	require.ErrorIs(t, g.Peers[1].Space.State().Succeeds(old.State()), state.ErrStale)
}

// The ticket of a large space brings its roster (§9).
func TestTicketOfALargeSpace(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, 680)
	s, q, err := ratchet.Join(c.Grant(), c.Now, nil)
	require.NoError(t, err)
	ticket := c.Admit(c.Peers[1], q)
	require.Greater(t, len(ticket), 64<<10)
	s, err = ratchet.Enter(s, c.Now, ticket)
	require.NoError(t, err)
	require.Len(t, ratchet.Members(s), 681)
	p := &ratchettest.Peer{Name: "last", Space: s}
	c.Deliver(c.Send(p, "hello"), c.Peers...)
	c.RequireRead(c.Peers[0], "hello")
}

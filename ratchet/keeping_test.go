package ratchet_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/state"
)

// A second answer to one request does no harm: the joiner stays where it is, even after it has moved on by own commits, and
// its next send does not commit again (§9).
func TestSecondTicket(t *testing.T) {
	g := newGroup(t, 3, fast)
	joiner, q, err := ratchet.Join(g.grant(), g.now, nil)
	require.NoError(t, err)
	one, two := g.admit(g.peers[1], q), g.admit(g.peers[2], q)
	joined, err := ratchet.Enter(joiner, g.now, one)
	require.NoError(t, err)
	again, err := ratchet.Enter(joined, g.now, two)
	require.NoError(t, err)
	p := &peer{name: "joiner", space: again}
	e := g.send(p, "hello")
	at := ratchet.Info(p.space).Epoch
	again, err = ratchet.Enter(p.space, g.now, two)
	require.NoError(t, err)
	require.True(t, p.space.Equal(again))
	again, err = ratchet.Enter(p.space, g.now, one)
	require.NoError(t, err)
	require.True(t, p.space.Equal(again))
	still := &peer{space: again}
	g.send(still, "no commit")
	now := ratchet.Info(still.space).Epoch
	require.Equal(t, at, now)

	// Each request is answered once.
	g.deliver(e, g.peers[1])
	_, _, err = ratchet.Admit(g.peers[1].space, g.now, q)
	require.ErrorIs(t, err, ratchet.ErrStale)
	// And none of a joiner that was heard.
	g.deliver(e, g.peers[0])
	_, _, err = ratchet.Admit(g.peers[0].space, g.now, q)
	require.ErrorIs(t, err, ratchet.ErrStale)

	// The ticket key is gone once somebody other than the issuer was heard, or a day later.
	g.deliver(e, g.peers[2])
	require.True(t, ratchet.Answers(p.space, two))
	g.deliver(g.send(g.peers[1], "from the issuer"), p)
	require.True(t, ratchet.Answers(p.space, two))
	pruned, err := ratchet.Prune(p.space, g.now.Add(25*time.Hour))
	require.NoError(t, err)
	require.False(t, ratchet.Answers(pruned, two))
	g.deliver(g.send(g.peers[2], "from another"), p)
	require.False(t, ratchet.Answers(p.space, two))
	_, err = ratchet.Enter(p.space, g.now, two)
	require.ErrorIs(t, err, ratchet.ErrStale)
}

// What was sent before a joiner's first envelope cannot be read by it, is kept for a day, and then settled (§7).
func TestBeforeJoin(t *testing.T) {
	g := newGroup(t, 2, fast)
	joiner, q, err := ratchet.Join(g.grant(), g.now, nil)
	require.NoError(t, err)
	p := &peer{name: "joiner", space: joiner}
	g.deliver(g.send(g.peers[0], "before"), p, g.peers[1])
	require.Len(t, p.retained, 1)
	g.now = g.now.Add(time.Minute)
	p.space, err = ratchet.Enter(p.space, g.now, g.admit(g.peers[1], q))
	require.NoError(t, err)
	g.deliver(g.send(p, "first"))
	g.deliver(g.send(g.peers[0], "after"), p)
	require.Len(t, p.retained, 1)
	g.now = g.now.Add(25 * time.Hour)
	g.deliver(g.send(g.peers[0], "next day"), p)
	require.Empty(t, p.retained)
	require.ErrorIs(t, p.settled[0], outcome.ErrBeforeJoin)
	g.read(p, "after", "next day")
	headers, _ := ratchet.Held(p.space)
	require.Zero(t, headers)
}

// Epochs more than 4 behind go 7 days after they were preferred, by a clock that moves a day at a time; what was sent in
// one that is kept is read, what was sent in one that is gone is not (§5).
func TestPrune(t *testing.T) {
	g := newGroup(t, 3, fast)
	sender, reader := g.peers[1], g.peers[0]
	early := g.send(sender, "early")
	for range 8 {
		sender.space = ratchet.Committing(sender.space)
		g.deliver(g.send(sender, "x"), g.others(sender)...)
	}
	held := ratchet.Epochs(reader.space)
	// A clock that is a year ahead costs nothing.
	jumped, err := ratchet.Prune(reader.space, g.now.AddDate(1, 0, 0))
	require.NoError(t, err)
	require.Equal(t, held, ratchet.Epochs(jumped))
	copied := *reader
	copied.space = jumped
	g.deliver(early, &copied)
	require.Contains(t, copied.read, "early")

	for range 8 {
		g.now = g.now.Add(24 * time.Hour)
		require.True(t, ratchet.Due(reader.space, g.now).Prune)
		reader.space, err = ratchet.Prune(reader.space, g.now)
		require.NoError(t, err)
		require.False(t, ratchet.Due(reader.space, g.now).Prune)
	}
	require.Equal(t, 5, ratchet.Epochs(reader.space), "the preferred one and 4 ancestors")
	g.deliver(early, reader)
	require.NotContains(t, reader.read, "early")
	require.Len(t, reader.retained, 1)
	g.now = g.now.Add(8 * 24 * time.Hour)
	g.deliver(g.send(sender, "later"), reader)
	require.Empty(t, reader.retained)
	require.ErrorIs(t, reader.settled[len(reader.settled)-1], outcome.ErrExpired)
	require.Contains(t, reader.read, "later")
	// And back it goes never.
	back, err := ratchet.Prune(reader.space, day0)
	require.NoError(t, err)
	require.NoError(t, back.State().Succeeds(reader.space.State()))
	stored(t, reader.space)
}

// Introductions that no signed roster names ride in every ticket; a roster statement relieves tickets of them, and whoever
// joins later knows all members.
func TestRosterStatement(t *testing.T) {
	g := newGroup(t, 6, fast)
	_, q, err := ratchet.Join(g.grant(), g.now, nil)
	require.NoError(t, err)
	before := g.admit(&peer{space: g.peers[2].space}, q)
	next, e, err := ratchet.SignRoster(g.peers[0].space, g.now)
	require.NoError(t, err)
	g.peers[0].space = next
	g.deliver(e, g.others(g.peers[0])...)
	after := g.admit(&peer{space: g.peers[2].space}, q)
	require.Less(t, len(after)+1000, len(before))
	late := g.joinWith(g.grant(), g.peers[3])
	require.Len(t, ratchet.Members(late.space), 7)
	later := g.joinWith(g.grant(), late)
	require.Len(t, ratchet.Members(later.space), 8)
	g.rounds(2)
	g.converged()
	for _, p := range g.peers {
		stored(t, p.space)
	}
}

// A roster statement that comes before an introduction it names waits for it.
func TestRosterStatementEarly(t *testing.T) {
	g := newGroup(t, 3, fast)
	reader := g.peers[1]
	grant := g.grant()
	joining, q, err := ratchet.Join(grant, g.now, nil)
	require.NoError(t, err)
	p := &peer{name: "joiner", space: joining}
	p.space, err = ratchet.Enter(p.space, g.now, g.admit(g.peers[0], q))
	require.NoError(t, err)
	next, statement, err := ratchet.SignRoster(g.peers[0].space, g.now)
	require.NoError(t, err)
	g.peers[0].space = next
	g.deliver(statement, reader)
	g.deliver(g.send(p, "hello"), g.peers...)
	g.read(reader, "hello")
	_, q2, err := ratchet.Join(g.grant(), g.now, nil)
	require.NoError(t, err)
	ticket := g.admit(reader, q2)
	require.NotZero(t, ticket)
	g.deliver(statement, g.peers[2], p)
	require.Len(t, ratchet.Members(reader.space), 5)
}

// Somebody with messages it cannot read shows where it stands after a while, longer each time, and asks for a ticket after
// the third time (§7). Messages of unknown mailboxes give no reason to.
func TestWaiting(t *testing.T) {
	g := newGroup(t, 3, fast)
	sender, p := g.peers[1], g.peers[0]
	for range 12 {
		sender.space = ratchet.Committing(sender.space)
		g.send(sender, "lost")
	}
	for range 5 {
		g.send(sender, "lost")
	}
	e := g.send(sender, "unreadable")
	stranger, err := ratchet.Hold(p.space, g.now, "", e)
	require.NoError(t, err)
	require.False(t, ratchet.Due(stranger, g.now.Add(time.Hour)).Send)

	g.deliver(e, p)
	require.False(t, ratchet.Due(p.space, g.now).Send)
	var waits []time.Duration
	for range 3 {
		from := g.now
		for !ratchet.Due(p.space, g.now).Send {
			require.False(t, ratchet.Due(p.space, g.now).Ask)
			g.now = g.now.Add(10 * time.Second)
			require.Less(t, g.now.Sub(from), time.Hour)
		}
		waits = append(waits, g.now.Sub(from))
		g.send(p, "")
	}
	require.Greater(t, waits[0], time.Minute)
	require.GreaterOrEqual(t, waits[2], waits[0]+2*time.Minute)
	require.True(t, ratchet.Due(p.space, g.now).Ask)
	g.resync(p, g.peers[2])
	require.False(t, ratchet.Due(p.space, g.now.Add(time.Hour)).Ask, "a ticket was entered after it arrived")
}

// A member says its new inbox key in its first own epoch after entering, and after each 7 days; all follow (§10).
func TestKeyUpdates(t *testing.T) {
	g := newGroup(t, 3, fast)
	for _, p := range g.peers[:2] {
		require.Equal(t, []uint32{0, 1, 1}, ratchet.InboxCounters(p.space), p.name)
	}
	require.Equal(t, []uint32{0, 0, 1}, ratchet.InboxCounters(g.peers[2].space), "tickets do not carry updates")
	g.now = g.now.Add(9 * 24 * time.Hour)
	g.deliver(g.send(g.peers[0], "commits"), g.others(g.peers[0])...)
	for _, p := range g.others(g.peers[0]) {
		require.EqualValues(t, 1, ratchet.InboxCounters(p.space)[0], p.name)
	}
}

// Nothing goes backwards in the store (G3): an older copy of a state is refused.
func TestSucceeds(t *testing.T) {
	g := newGroup(t, 2, fast)
	old := g.peers[0].space
	g.send(g.peers[0], "x")
	require.NoError(t, g.peers[0].space.State().Succeeds(old.State()))
	require.ErrorIs(t, old.State().Succeeds(g.peers[0].space.State()), state.ErrStale)
	other := newGroup(t, 2, fast)
	require.ErrorIs(t, other.peers[0].space.State().Succeeds(old.State()), state.ErrStale)
	require.ErrorIs(t, other.peers[0].space.Template().Succeeds(old.Template()), state.ErrStale)
	require.ErrorIs(t, g.peers[1].space.State().Succeeds(old.State()), state.ErrStale)
}

// The ticket of a large space brings its roster (§9).
func TestTicketOfALargeSpace(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, 680)
	s, q, err := ratchet.Join(c.grant(), c.now, nil)
	require.NoError(t, err)
	ticket := c.admit(c.peers[1], q)
	require.Greater(t, len(ticket), 64<<10)
	s, err = ratchet.Enter(s, c.now, ticket)
	require.NoError(t, err)
	require.Len(t, ratchet.Members(s), 681)
	p := &peer{name: "last", space: s}
	c.deliver(c.send(p, "hello"), c.peers...)
	c.read(c.peers[0], "hello")
}

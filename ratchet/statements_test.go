package ratchet_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet"
)

// revoke takes an invite back and tells the others.
func (g *group) revoke(grant ratchet.Grant) {
	g.t.Helper()
	next, e, err := ratchet.Revoke(g.peers[0].space, g.now, grant.Index())
	require.NoError(g.t, err)
	g.peers[0].space = next
	g.deliver(e, g.others(g.peers[0])...)
}

// refusesInvites checks that a member lets nobody in with any of some invites.
func (g *group) refusesInvites(p *peer, grants ...ratchet.Grant) {
	g.t.Helper()
	for _, grant := range grants {
		_, q, err := ratchet.Join(grant, g.now, nil)
		require.NoError(g.t, err)
		_, _, err = ratchet.Admit(p.space, g.now, q)
		require.ErrorIs(g.t, err, ratchet.ErrInviteDead, "%s, index %d", p.name, grant.Index())
	}
}

// What was revoked stays revoked, and what a dealer revokes counts, also if its state was restored from before it revoked
// something else: at all members, and at those who come by their tickets (G5, G20).
func TestRevokedStaysRevoked(t *testing.T) {
	g := newGroup(t, 3, fast)
	dealer := g.peers[0]
	one, two, three := g.grant(), g.grant(), g.grant()
	later := g.grant()
	backup := dealer.space
	g.revoke(one)
	g.now = g.now.Add(2 * time.Hour)
	var err error
	dealer.space, err = ratchet.Restore(backup, g.now)
	require.NoError(t, err)
	g.revoke(two)
	g.refusesInvites(g.peers[1], one, two)
	g.revoke(three)
	for _, p := range g.peers[1:] {
		g.refusesInvites(p, one, two, three)
		stored(t, p.space)
	}
	g.refusesInvites(dealer, two, three)
	g.refusesInvites(g.joinWith(later, g.peers[1]), one, two, three)
}

// A roster statement needs no counter: one of a restored dealer that knows fewer members takes nobody's introduction away,
// and does not replace the one that names more.
func TestRosterOfARestoredDealer(t *testing.T) {
	g := newGroup(t, 3, fast)
	dealer, other := g.peers[0], g.peers[1]
	spare, last := g.grant(), g.grant()
	backup := dealer.space
	g.joinWith(g.grant(), other)
	g.signRoster()
	require.Zero(t, ratchet.Since(other.space))
	var err error
	dealer.space, err = ratchet.Restore(backup, g.now)
	require.NoError(t, err)
	g.signRoster()
	require.Zero(t, ratchet.Since(other.space))
	late := g.joinWith(spare, other)
	require.Len(t, ratchet.Members(late.space), 5)
	require.Equal(t, 1, ratchet.Since(late.space))
	g.signRoster() // of the new one, and without the one that the dealer forgot
	require.Equal(t, 1, ratchet.Since(other.space))
	require.Len(t, ratchet.Members(g.joinWith(last, other).space), 6)
}

// suite.SignRoster lets the dealer sign the roster as it knows it.
func (g *group) signRoster() {
	g.t.Helper()
	next, e, err := ratchet.SignRoster(g.peers[0].space, g.now)
	require.NoError(g.t, err)
	g.peers[0].space = next
	g.deliver(e, g.others(g.peers[0])...)
}

// A roster statement applies at members who know somebody whom the dealer did not know yet: their tickets hold the
// introductions of those only (§9).
func TestRosterStatementsApplyWhileOthersJoin(t *testing.T) {
	g := newGroup(t, 3, fast)
	dealer, other := g.peers[0], g.peers[1]
	for range 3 {
		// Somebody joins whom the dealer hears of only after it has signed.
		p := &peer{name: "new"}
		s, q, err := ratchet.Join(g.grant(), g.now, nil)
		require.NoError(t, err)
		p.space, err = ratchet.Enter(s, g.now, g.admit(other, q))
		require.NoError(t, err)
		first := g.send(p, "")
		g.deliver(first, g.others(dealer)...)
		g.signRoster()
		require.Equal(t, 1, ratchet.Since(other.space))
		g.peers = append(g.peers, p)
		g.deliver(first, dealer)
	}
	g.signRoster()
	for _, p := range g.peers {
		require.Zero(t, ratchet.Since(p.space), p.name)
		stored(t, p.space)
	}
}

// A statement that names somebody unknown waits until he was introduced.
func TestRosterStatementWaits(t *testing.T) {
	g := newGroup(t, 3, fast)
	dealer, other := g.peers[0], g.peers[1]
	p := &peer{name: "new"}
	s, q, err := ratchet.Join(g.grant(), g.now, nil)
	require.NoError(t, err)
	p.space, err = ratchet.Enter(s, g.now, g.admit(dealer, q))
	require.NoError(t, err)
	first := g.send(p, "")
	g.deliver(first, dealer)
	g.signRoster()
	require.Equal(t, 2, ratchet.Since(other.space))
	stored(t, other.space)
	g.deliver(first, other)
	require.Zero(t, ratchet.Since(other.space))
}

// Whoever merges a ticket goes on answering requests, however its roster and the ticket's differ (§9).
func TestMergedTicketKeepsAnswering(t *testing.T) {
	g := newGroup(t, 3, fast)
	dealer, helper, v := g.peers[0], g.peers[1], g.peers[2]
	grants := []ratchet.Grant{g.grant(), g.grant(), g.grant(), g.grant(), g.grant(), g.grant()}
	in := func(grant ratchet.Grant, admits *peer, hear ...*peer) {
		t.Helper()
		p := &peer{name: "new"}
		s, q, err := ratchet.Join(grant, g.now, nil)
		require.NoError(t, err)
		p.space, err = ratchet.Enter(s, g.now, g.admit(admits, q))
		require.NoError(t, err)
		g.deliver(g.send(p, ""), hear...)
	}
	// Two of whom v does not know are in the signed roster, one came after; and v has let somebody in itself.
	in(grants[0], dealer, dealer, helper)
	in(grants[1], dealer, dealer, helper)
	next, e, err := ratchet.SignRoster(dealer.space, g.now)
	require.NoError(t, err)
	dealer.space = next
	g.deliver(e, helper)
	in(grants[2], dealer, dealer, helper)
	in(grants[3], v, v)
	g.now = g.now.Add(2 * time.Hour)
	g.resync(v, helper)
	g.deliver(g.send(v, ""), g.others(v)...)
	require.Len(t, ratchet.Members(v.space), 7)
	require.Equal(t, 2, ratchet.Since(v.space))
	late := g.joinWith(grants[4], v)
	require.Len(t, ratchet.Members(late.space), 8)
	g.joinWith(grants[5], late)
}

// Who was answered cannot be answered again by who comes later: a request that a server kept, of a state that somebody
// else has a copy of, gets nobody back in (§12).
func TestOldRequestIsOldForNewMembers(t *testing.T) {
	g := newGroup(t, 3, fast)
	v := g.peers[2]
	g.now = g.now.Add(2 * time.Hour)
	for _, p := range g.peers[:2] {
		p.space = ratchet.Committing(p.space)
		g.deliver(g.send(p, ""), g.peers[0], g.peers[1])
	}
	next, q, err := ratchet.AskResync(v.space, g.now)
	require.NoError(t, err)
	v.space, err = ratchet.Enter(next, g.now, g.admit(g.peers[1], q))
	require.NoError(t, err)
	g.deliver(g.send(v, ""), g.others(v)...)
	g.now = g.now.Add(20 * 24 * time.Hour)
	g.rounds(2)
	late := g.joinWith(g.grant(), g.peers[0])
	_, _, err = ratchet.Admit(late.space, g.now, q)
	require.ErrorIs(t, err, ratchet.ErrStale)
	// A later request of the same member counts, whatever tickets say.
	g.resync(v, late)
}

// A request counts no more, either, once a ticket has answered it that told nothing.
func TestNeedlessRequestIsOldToo(t *testing.T) {
	g := newGroup(t, 3, fast)
	v := g.peers[2]
	g.now = g.now.Add(2 * time.Hour)
	next, q, err := ratchet.AskResync(v.space, g.now)
	require.NoError(t, err)
	v.space, err = ratchet.Enter(next, g.now, g.admit(g.peers[1], q))
	require.NoError(t, err)
	_, _, err = ratchet.Admit(g.peers[0].space, g.now, q)
	require.NoError(t, err)
	g.now = g.now.Add(10 * 24 * time.Hour)
	g.deliver(g.send(v, "with a commit"), g.others(v)...)
	_, _, err = ratchet.Admit(g.peers[0].space, g.now, q)
	require.ErrorIs(t, err, ratchet.ErrStale)
}

// What a malicious issuer says of others' requests wears off: a counter begins at the time.
func TestMadeUpCounterWearsOff(t *testing.T) {
	g := newGroup(t, 3, fast)
	insider, v := g.peers[1], g.peers[2]
	index := ratchet.Info(v.space).Index
	s, q, err := ratchet.Join(g.grant(), g.now, nil)
	require.NoError(t, err)
	ticket := g.admit(&peer{space: ratchet.WithAnswered(insider.space, index, 1<<63)}, q)
	late := &peer{name: "late"}
	late.space, err = ratchet.Enter(s, g.now, ticket)
	require.NoError(t, err)
	g.peers = append(g.peers, late)
	g.deliver(g.send(late, ""), g.others(late)...)
	g.now = g.now.Add(2 * time.Hour)
	g.resync(v, late)
}

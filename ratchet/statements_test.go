package ratchet_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/ratchettest"
)

// revoke takes an invite back and tells the others.
func revoke(g *ratchettest.Group, grant ratchet.Grant) {
	g.T.Helper()
	next, e, err := ratchet.Revoke(g.Peers[0].Space, g.Now, grant.Index())
	require.NoError(g.T, err)
	g.Peers[0].Space = next
	g.Deliver(e, g.Others(g.Peers[0])...)
}

// refusesInvites checks that a member lets nobody in with any of some invites.
func refusesInvites(g *ratchettest.Group, p *ratchettest.Peer, grants ...ratchet.Grant) {
	g.T.Helper()
	for _, grant := range grants {
		_, q, err := ratchet.Join(grant, g.Now, nil)
		require.NoError(g.T, err)
		_, _, err = ratchet.Admit(p.Space, g.Now, q)
		require.ErrorIs(g.T, err, ratchet.ErrInviteDead, "%s, index %d", p.Name, grant.Index())
	}
}

// What was revoked stays revoked, and what a dealer revokes counts, also if its state was restored from before it revoked
// something else: at all members, and at those who come by their tickets (G5, G20).
func TestRevokedStaysRevoked(t *testing.T) {
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	dealer := g.Peers[0]
	one, two, three := g.Grant(), g.Grant(), g.Grant()
	later := g.Grant()
	backup := dealer.Space
	revoke(g, one)
	g.Now = g.Now.Add(2 * time.Hour)
	var err error
	dealer.Space, err = ratchet.Restore(backup, g.Now)
	require.NoError(t, err)
	revoke(g, two)
	refusesInvites(g, g.Peers[1], one, two)
	revoke(g, three)
	for _, p := range g.Peers[1:] {
		refusesInvites(g, p, one, two, three)
		ratchettest.Stored(t, p.Space)
	}
	refusesInvites(g, dealer, two, three)
	refusesInvites(g, g.JoinWith(later, g.Peers[1]), one, two, three)
}

// A roster statement needs no counter: one of a restored dealer that knows fewer members takes nobody's introduction away,
// and does not replace the one that names more.
func TestRosterOfARestoredDealer(t *testing.T) {
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	dealer, other := g.Peers[0], g.Peers[1]
	spare, last := g.Grant(), g.Grant()
	backup := dealer.Space
	g.JoinWith(g.Grant(), other)
	signRoster(g)
	require.Zero(t, ratchet.Since(other.Space))
	var err error
	dealer.Space, err = ratchet.Restore(backup, g.Now)
	require.NoError(t, err)
	signRoster(g)
	require.Zero(t, ratchet.Since(other.Space))
	late := g.JoinWith(spare, other)
	require.Len(t, ratchet.Members(late.Space), 5)
	require.Equal(t, 1, ratchet.Since(late.Space))
	signRoster(g) // of the new one, and without the one that the dealer forgot
	require.Equal(t, 1, ratchet.Since(other.Space))
	require.Len(t, ratchet.Members(g.JoinWith(last, other).Space), 6)
}

// suite.SignRoster lets the dealer sign the roster as it knows it.
func signRoster(g *ratchettest.Group) {
	g.T.Helper()
	next, e, err := ratchet.SignRoster(g.Peers[0].Space, g.Now)
	require.NoError(g.T, err)
	g.Peers[0].Space = next
	g.Deliver(e, g.Others(g.Peers[0])...)
}

// A roster statement applies at members who know somebody whom the dealer did not know yet: their tickets hold the
// introductions of those only (§9).
func TestRosterStatementsApplyWhileOthersJoin(t *testing.T) {
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	dealer, other := g.Peers[0], g.Peers[1]
	for range 3 {
		// Somebody joins whom the dealer hears of only after it has signed.
		p := &ratchettest.Peer{Name: "new"}
		s, q, err := ratchet.Join(g.Grant(), g.Now, nil)
		require.NoError(t, err)
		p.Space, err = ratchet.Enter(s, g.Now, g.Admit(other, q))
		require.NoError(t, err)
		first := g.Send(p, "")
		g.Deliver(first, g.Others(dealer)...)
		signRoster(g)
		require.Equal(t, 1, ratchet.Since(other.Space))
		g.Peers = append(g.Peers, p)
		g.Deliver(first, dealer)
	}
	signRoster(g)
	for _, p := range g.Peers {
		require.Zero(t, ratchet.Since(p.Space), p.Name)
		ratchettest.Stored(t, p.Space)
	}
}

// A statement that names somebody unknown waits until he was introduced.
func TestRosterStatementWaits(t *testing.T) {
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	dealer, other := g.Peers[0], g.Peers[1]
	p := &ratchettest.Peer{Name: "new"}
	s, q, err := ratchet.Join(g.Grant(), g.Now, nil)
	require.NoError(t, err)
	p.Space, err = ratchet.Enter(s, g.Now, g.Admit(dealer, q))
	require.NoError(t, err)
	first := g.Send(p, "")
	g.Deliver(first, dealer)
	signRoster(g)
	require.Equal(t, 2, ratchet.Since(other.Space))
	ratchettest.Stored(t, other.Space)
	g.Deliver(first, other)
	require.Zero(t, ratchet.Since(other.Space))
}

// Whoever merges a ticket goes on answering requests, however its roster and the ticket's differ (§9).
func TestMergedTicketKeepsAnswering(t *testing.T) {
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	dealer, helper, v := g.Peers[0], g.Peers[1], g.Peers[2]
	grants := []ratchet.Grant{g.Grant(), g.Grant(), g.Grant(), g.Grant(), g.Grant(), g.Grant()}
	in := func(grant ratchet.Grant, admits *ratchettest.Peer, hear ...*ratchettest.Peer) {
		t.Helper()
		p := &ratchettest.Peer{Name: "new"}
		s, q, err := ratchet.Join(grant, g.Now, nil)
		require.NoError(t, err)
		p.Space, err = ratchet.Enter(s, g.Now, g.Admit(admits, q))
		require.NoError(t, err)
		g.Deliver(g.Send(p, ""), hear...)
	}
	// Two of whom v does not know are in the signed roster, one came after; and v has let somebody in itself.
	in(grants[0], dealer, dealer, helper)
	in(grants[1], dealer, dealer, helper)
	next, e, err := ratchet.SignRoster(dealer.Space, g.Now)
	require.NoError(t, err)
	dealer.Space = next
	g.Deliver(e, helper)
	in(grants[2], dealer, dealer, helper)
	in(grants[3], v, v)
	g.Now = g.Now.Add(2 * time.Hour)
	resync(g, v, helper)
	g.Deliver(g.Send(v, ""), g.Others(v)...)
	require.Len(t, ratchet.Members(v.Space), 7)
	require.Equal(t, 2, ratchet.Since(v.Space))
	late := g.JoinWith(grants[4], v)
	require.Len(t, ratchet.Members(late.Space), 8)
	g.JoinWith(grants[5], late)
}

// Who was answered cannot be answered again by who comes later: a request that a server kept, of a state that somebody
// else has a copy of, gets nobody back in (§12).
func TestOldRequestIsOldForNewMembers(t *testing.T) {
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	v := g.Peers[2]
	g.Now = g.Now.Add(2 * time.Hour)
	for _, p := range g.Peers[:2] {
		p.Space = ratchet.Committing(p.Space)
		g.Deliver(g.Send(p, ""), g.Peers[0], g.Peers[1])
	}
	next, q, err := ratchet.AskResync(v.Space, g.Now)
	require.NoError(t, err)
	v.Space, err = ratchet.Enter(next, g.Now, g.Admit(g.Peers[1], q))
	require.NoError(t, err)
	g.Deliver(g.Send(v, ""), g.Others(v)...)
	g.Now = g.Now.Add(20 * 24 * time.Hour)
	g.Rounds(2)
	late := g.JoinWith(g.Grant(), g.Peers[0])
	_, _, err = ratchet.Admit(late.Space, g.Now, q)
	require.ErrorIs(t, err, ratchet.ErrStale)
	// A later request of the same member counts, whatever tickets say.
	resync(g, v, late)
}

// A request counts no more, either, once a ticket has answered it that told nothing.
func TestNeedlessRequestIsOldToo(t *testing.T) {
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	v := g.Peers[2]
	g.Now = g.Now.Add(2 * time.Hour)
	next, q, err := ratchet.AskResync(v.Space, g.Now)
	require.NoError(t, err)
	v.Space, err = ratchet.Enter(next, g.Now, g.Admit(g.Peers[1], q))
	require.NoError(t, err)
	_, _, err = ratchet.Admit(g.Peers[0].Space, g.Now, q)
	require.NoError(t, err)
	g.Now = g.Now.Add(10 * 24 * time.Hour)
	g.Deliver(g.Send(v, "with a commit"), g.Others(v)...)
	_, _, err = ratchet.Admit(g.Peers[0].Space, g.Now, q)
	require.ErrorIs(t, err, ratchet.ErrStale)
}

// What a malicious issuer says of others' requests wears off: a counter begins at the time.
func TestMadeUpCounterWearsOff(t *testing.T) {
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	insider, v := g.Peers[1], g.Peers[2]
	index := ratchet.Info(v.Space).Index
	s, q, err := ratchet.Join(g.Grant(), g.Now, nil)
	require.NoError(t, err)
	ticket := g.Admit(&ratchettest.Peer{Space: ratchet.WithAnswered(insider.Space, index, 1<<63)}, q)
	late := &ratchettest.Peer{Name: "late"}
	late.Space, err = ratchet.Enter(s, g.Now, ticket)
	require.NoError(t, err)
	g.Peers = append(g.Peers, late)
	g.Deliver(g.Send(late, ""), g.Others(late)...)
	g.Now = g.Now.Add(2 * time.Hour)
	resync(g, v, late)
}

package ratchet_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/ratchettest"
	"github.com/trefoil-im/trefoil/state"
)

// refused gives a member bytes that it must refuse: as an envelope if they parse, changing nothing (G8, G14).
func refused(t *testing.T, p *ratchettest.Peer, now time.Time, b []byte) error {
	t.Helper()
	next, m, err := ratchet.Decrypt(p.Space, now, b)
	require.Error(t, err)
	require.Empty(t, m.Plaintext)
	require.True(t, ratchettest.Same(p.Space, next))
	return err
}

// Scenario 12: every byte of an envelope, with and without carried commits, turned over: refused, the state unchanged.
func TestFlipEveryByte(t *testing.T) {
	t.Parallel()
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	alice, bob := g.Peers[0], g.Peers[1]
	before := ratchettest.Stored(t, bob.Space)
	g.Now = g.Now.Add(40 * time.Hour)
	for _, e := range [][]byte{g.Send(alice, "brings a commit"), g.Send(alice, "second")} {
		whole := e
		for i := range whole {
			b := slices.Clone(whole)
			b[i] ^= 1 << (i % 8)
			refused(t, bob, g.Now, b)
		}
		for _, b := range [][]byte{nil, whole[:1], whole[:len(whole)-1], append(slices.Clone(whole), 0)} {
			_, _, err := ratchet.Decrypt(bob.Space, g.Now, b)
			require.ErrorIs(t, err, ratchet.ErrMalformed)
		}
		require.True(t, before.Equal(bob.Space))
		g.Deliver(e, bob)
		before = bob.Space
	}
	g.RequireRead(bob, "brings a commit", "second")
}

// A member that knows a header key may put a false body under it; the chain does not move, and the true message is read.
func TestForgedBodyMovesNothing(t *testing.T) {
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	alice, bob := g.Peers[0], g.Peers[1]
	one, two := g.Send(alice, "one"), g.Send(alice, "two")
	// The header of the one with the body of the other.
	a, b := one, two
	require.Equal(t, len(a), len(b))
	forged := append(slices.Clone(a[:len(a)-8]), b[len(b)-8:]...)
	require.ErrorIs(t, refused(t, bob, g.Now, forged), ratchet.ErrForged)
	g.Deliver(two, bob)
	g.Deliver(one, bob)
	g.RequireRead(bob, "one", "two")
}

// G13: a message that leaves out more than 2,000 is lost, and so is nothing else: the next epoch starts anew. Of the keys
// left out the oldest are dropped first.
func TestSkipLimits(t *testing.T) {
	g := ratchettest.NewGroup(t, 2, ratchettest.Small)
	alice, bob := g.Peers[0], g.Peers[1]
	at := func(n int) (e []byte) {
		for range n {
			alice.Space = ratchet.Unseen(alice.Space)
			e = g.Send(alice, "filler")
		}
		return e
	}
	first := g.Send(alice, "first")
	g.Deliver(first, bob)
	late := g.Send(alice, "late")
	last := at(2000)
	g.Deliver(last, bob)
	require.Empty(t, bob.Discarded)
	g.Deliver(late, bob)
	require.Empty(t, bob.Discarded)

	dropped := g.Send(alice, "dropped")
	g.Deliver(at(1500), bob)
	g.Deliver(at(1500), bob)
	g.Deliver(dropped, bob)
	require.Len(t, bob.Discarded, 1)
	require.ErrorIs(t, bob.Discarded[0], outcome.ErrExpired)

	g.Deliver(at(2002), bob)
	require.ErrorIs(t, bob.Discarded[1], outcome.ErrLimit)
	g.Now = g.Now.Add(60 * time.Hour)
	g.Deliver(g.Send(alice, "new epoch"), bob)
	require.Contains(t, bob.Read, "new epoch")
	require.Contains(t, bob.Read, "late")
	ratchettest.Stored(t, bob.Space)
}

// A repeated message is a duplicate; another one under the same number shows that its sender went back.
func TestDuplicateAndRolledBackSender(t *testing.T) {
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	alice, bob := g.Peers[0], g.Peers[1]
	g.Deliver(g.Send(alice, "before"), bob)
	copied := alice.Space
	e := g.Send(alice, "once")
	g.Deliver(e, bob)
	g.Deliver(e, bob)
	require.ErrorIs(t, bob.Discarded[0], outcome.ErrDuplicate)
	g.Deliver(e, alice)
	require.ErrorIs(t, alice.Discarded[len(alice.Discarded)-1], outcome.ErrOwn)

	alice.Space = copied
	g.Deliver(g.Send(alice, "other bytes"), bob)
	require.ErrorIs(t, bob.Discarded[1], outcome.ErrSenderRolledBack)
	g.RequireRead(bob, "before", "once")
}

// In a space that is not repudiable every message is signed; in one that is, a member may leave it out, and readers see it.
func TestRepudiable(t *testing.T) {
	g := ratchettest.NewGroup(t, 2, ratchettest.Small)
	_, _, err := ratchet.EncryptUnsigned(g.Peers[0].Space, g.Now, []byte("x"))
	require.ErrorIs(t, err, ratchet.ErrPolicy)

	policy := ratchettest.Small
	policy.Repudiable = true
	g = ratchettest.NewGroup(t, 2, policy)
	for range 5 {
		g.Deliver(g.Send(g.Peers[0], ""), g.Peers[1])
	}
	next, e, err := ratchet.EncryptUnsigned(g.Peers[0].Space, g.Now, []byte("deniable"))
	require.NoError(t, err)
	g.Peers[0].Space = next
	_, m, err := ratchet.Decrypt(g.Peers[1].Space, g.Now, e)
	require.NoError(t, err)
	require.False(t, m.Verified)
	_, m, err = ratchet.Decrypt(g.Peers[1].Space, g.Now, g.Send(g.Peers[0], "signed"))
	require.NoError(t, err)
	require.True(t, m.Verified)

	// Nobody makes a member believe that it wrote something in a state it lost.
	_, e, err = ratchet.EncryptUnsigned(g.Peers[0].Space, g.Now, []byte("in your name"))
	require.NoError(t, err)
	require.ErrorIs(t, refused(t, g.Peers[0], g.Now, e), ratchet.ErrForged)
}

// The envelope of a signed message is at most 160 bytes longer than its plaintext once the chain runs.
func TestEnvelopeOverhead(t *testing.T) {
	g := ratchettest.NewGroup(t, 2, ratchet.Policy{})
	for range 5 {
		g.Send(g.Peers[0], "")
	}
	text := string(make([]byte, 1000))
	e := g.Send(g.Peers[0], text)
	require.LessOrEqual(t, len(e), len(text)+160)
	t.Logf("overhead: %d bytes", len(e)-len(text))
}

// Scenario 7: two redeem one link. Each member binds the first it sees, the other is a conflict and affects nobody else
// (G19).
func TestTwins(t *testing.T) {
	g := ratchettest.NewGroup(t, 4, ratchettest.Small)
	grant := g.Grant()
	one, q1, err := ratchet.Join(grant, g.Now, []byte("one"))
	require.NoError(t, err)
	two, q2, err := ratchet.Join(grant, g.Now, []byte("two"))
	require.NoError(t, err)
	a, b := g.Peers[1], g.Peers[2]
	t1, t2 := g.Admit(a, q1), g.Admit(b, q2)
	_, _, err = ratchet.Admit(a.Space, g.Now, q2)
	require.ErrorIs(t, err, ratchet.ErrInviteTaken)

	p1, p2 := &ratchettest.Peer{Name: "one"}, &ratchettest.Peer{Name: "two"}
	p1.Space, err = ratchet.Enter(one, g.Now, t1)
	require.NoError(t, err)
	p2.Space, err = ratchet.Enter(two, g.Now, t2)
	require.NoError(t, err)
	e1, e2 := g.Send(p1, "I am one"), g.Send(p2, "I am two")
	for i, p := range g.Peers {
		if i%2 == 0 {
			g.Deliver(e1, p)
			g.Deliver(e2, p)
		} else {
			g.Deliver(e2, p)
			g.Deliver(e1, p)
		}
	}
	for _, p := range g.Peers {
		bound := 0
		for _, m := range ratchet.Members(p.Space) {
			if m.Index == grant.Index() {
				bound++
			}
		}
		require.Equal(t, 1, bound, p.Name)
		require.Len(t, p.Read, 1, p.Name)
		require.Contains(t, p.Events, state.Event(ratchet.Conflict{Index: grant.Index()}), p.Name)
		p.Read, p.Discarded = nil, nil
	}
	g.Now = g.Now.Add(40 * time.Hour)
	for range 3 {
		for _, p := range g.Peers {
			g.Deliver(g.Send(p, p.Name), g.Others(p)...)
		}
	}
	for _, p := range g.Peers {
		require.Len(t, p.Read, 9, p.Name)
		require.Empty(t, p.Retained, p.Name)
	}
}

// A ticket that somebody else's request was answered with, one of another space, one that was altered, and one made by a
// joiner's own hand are refused.
func TestForeignTickets(t *testing.T) {
	g, other := ratchettest.NewGroup(t, 2, ratchettest.Small), ratchettest.NewGroup(t, 2, ratchettest.Small)
	joiner, q, err := ratchet.Join(g.Grant(), g.Now, nil)
	require.NoError(t, err)
	second, q2, err := ratchet.Join(g.Grant(), g.Now, nil)
	require.NoError(t, err)
	ticket, ticket2 := g.Admit(g.Peers[1], q), g.Admit(g.Peers[1], q2)
	_, _, err = ratchet.Admit(other.Peers[0].Space, g.Now, q)
	require.ErrorIs(t, err, outcome.ErrUnknownEpoch)

	next, err := ratchet.Enter(joiner, g.Now, ticket2)
	require.ErrorIs(t, err, ratchet.ErrStale)
	require.True(t, ratchettest.Same(joiner, next))
	// The box of one behind the name of the other.
	a, b := ticket, ticket2
	swapped := append(slices.Clone(a[:17]), b[17:]...)
	next, err = ratchet.Enter(joiner, g.Now, swapped)
	require.ErrorIs(t, err, ratchet.ErrForged)
	require.True(t, ratchettest.Same(joiner, next))
	for i := 0; i < len(a); i += 97 {
		flipped := slices.Clone(a)
		flipped[i] ^= 4
		next, err = ratchet.Enter(joiner, g.Now, flipped)
		require.Error(t, err)
		require.True(t, ratchettest.Same(joiner, next))
	}
	_, err = ratchet.Enter(second, g.Now, ticket2)
	require.NoError(t, err)
	_, err = ratchet.Enter(g.Peers[0].Space, g.Now, ticket)
	require.ErrorIs(t, err, ratchet.ErrStale)
}

// An invite that was revoked lets nobody in; whoever is in stays. An owner's refusal is told to the joiner.
func TestRevoke(t *testing.T) {
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	grant := g.Grant()
	joiner, q, err := ratchet.Join(grant, g.Now, nil)
	require.NoError(t, err)
	_, _, err = ratchet.Revoke(g.Peers[1].Space, g.Now, grant.Index())
	require.ErrorIs(t, err, ratchet.ErrPhase)
	_, _, err = ratchet.Revoke(g.Peers[0].Space, g.Now, 2)
	require.ErrorIs(t, err, dkg.ErrLedger)
	next, e, err := ratchet.Revoke(g.Peers[0].Space, g.Now, grant.Index())
	require.NoError(t, err)
	g.Peers[0].Space = next
	g.Deliver(e, g.Others(g.Peers[0])...)
	for _, p := range g.Peers {
		_, _, err = ratchet.Admit(p.Space, g.Now, q)
		require.ErrorIs(t, err, ratchet.ErrInviteDead, p.Name)
	}
	// A ticket hands the statement on.
	late := g.JoinWith(g.Grant(), g.Peers[2])
	_, _, err = ratchet.Admit(late.Space, g.Now, q)
	require.ErrorIs(t, err, ratchet.ErrInviteDead)

	next, refusal, err := ratchet.Refuse(g.Peers[0].Space, g.Now, q)
	require.NoError(t, err)
	g.Peers[0].Space = next
	_, err = ratchet.Enter(joiner, g.Now, refusal)
	require.ErrorIs(t, err, ratchet.ErrInviteDead)
	_, _, err = ratchet.Refuse(g.Peers[0].Space, g.Now, q)
	require.ErrorIs(t, err, ratchet.ErrStale)
}

// Who leaves cannot send any more; owners are told.
func TestLeave(t *testing.T) {
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	_, _, err := ratchet.Leave(g.Peers[0].Space, g.Now)
	require.ErrorIs(t, err, ratchet.ErrPhase, "the last owner cannot")
	leaver := g.Peers[2]
	next, e, err := ratchet.Leave(leaver.Space, g.Now)
	require.NoError(t, err)
	leaver.Space = next
	g.Deliver(e, g.Others(leaver)...)
	require.Equal(t, ratchet.Left, ratchet.Info(leaver.Space).Phase)
	_, _, err = ratchet.Encrypt(leaver.Space, g.Now, nil)
	require.ErrorIs(t, err, ratchet.ErrPhase)
	require.Contains(t, g.Peers[0].Events, state.Event(ratchet.LeavePending{Index: 3}))
	require.NotContains(t, g.Peers[1].Events, state.Event(ratchet.LeavePending{Index: 3}))
	for _, p := range g.Others(leaver) {
		require.True(t, ratchet.Members(p.Space)[2].Left)
		require.Empty(t, p.Read)
	}
	g.Deliver(g.Send(g.Peers[1], "still readable"), leaver)
	g.RequireRead(leaver, "still readable")
}

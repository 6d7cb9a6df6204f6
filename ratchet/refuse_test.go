package ratchet_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/state"
)

// refused gives a member bytes that it must refuse: as an envelope if they parse, changing nothing (G8, G14).
func refused(t *testing.T, p *peer, now time.Time, b []byte) error {
	t.Helper()
	next, m, err := ratchet.Decrypt(p.space, now, b)
	require.Error(t, err)
	require.Empty(t, m.Plaintext)
	require.True(t, same(p.space, next))
	return err
}

// Scenario 12: every byte of an envelope, with and without carried commits, turned over: refused, the state unchanged.
func TestFlipEveryByte(t *testing.T) {
	t.Parallel()
	g := newGroup(t, 3, fast)
	alice, bob := g.peers[0], g.peers[1]
	before := stored(t, bob.space)
	g.now = g.now.Add(40 * time.Hour)
	for _, e := range [][]byte{g.send(alice, "brings a commit"), g.send(alice, "second")} {
		whole := e
		for i := range whole {
			b := slices.Clone(whole)
			b[i] ^= 1 << (i % 8)
			refused(t, bob, g.now, b)
		}
		for _, b := range [][]byte{nil, whole[:1], whole[:len(whole)-1], append(slices.Clone(whole), 0)} {
			_, _, err := ratchet.Decrypt(bob.space, g.now, b)
			require.ErrorIs(t, err, ratchet.ErrMalformed)
		}
		require.True(t, before.Equal(bob.space))
		g.deliver(e, bob)
		before = bob.space
	}
	g.read(bob, "brings a commit", "second")
}

// A member that knows a header key may put a false body under it; the chain does not move, and the true message is read.
func TestForgedBodyMovesNothing(t *testing.T) {
	g := newGroup(t, 3, fast)
	alice, bob := g.peers[0], g.peers[1]
	one, two := g.send(alice, "one"), g.send(alice, "two")
	// The header of the one with the body of the other.
	a, b := one, two
	require.Equal(t, len(a), len(b))
	forged := append(slices.Clone(a[:len(a)-8]), b[len(b)-8:]...)
	require.ErrorIs(t, refused(t, bob, g.now, forged), ratchet.ErrForged)
	g.deliver(two, bob)
	g.deliver(one, bob)
	g.read(bob, "one", "two")
}

// G13: a message that leaves out more than 2,000 is lost, and so is nothing else: the next epoch starts anew. Of the keys
// left out the oldest are dropped first.
func TestSkipLimits(t *testing.T) {
	g := newGroup(t, 2, fast)
	alice, bob := g.peers[0], g.peers[1]
	at := func(n int) (e []byte) {
		for range n {
			alice.space = ratchet.Unseen(alice.space)
			e = g.send(alice, "filler")
		}
		return e
	}
	first := g.send(alice, "first")
	g.deliver(first, bob)
	late := g.send(alice, "late")
	last := at(2000)
	g.deliver(last, bob)
	require.Empty(t, bob.settled)
	g.deliver(late, bob)
	require.Empty(t, bob.settled)

	dropped := g.send(alice, "dropped")
	g.deliver(at(1500), bob)
	g.deliver(at(1500), bob)
	g.deliver(dropped, bob)
	require.Len(t, bob.settled, 1)
	require.ErrorIs(t, bob.settled[0], outcome.ErrExpired)

	g.deliver(at(2002), bob)
	require.ErrorIs(t, bob.settled[1], outcome.ErrLimit)
	g.now = g.now.Add(60 * time.Hour)
	g.deliver(g.send(alice, "new epoch"), bob)
	require.Contains(t, bob.read, "new epoch")
	require.Contains(t, bob.read, "late")
	stored(t, bob.space)
}

// A repeated message is a duplicate; another one under the same number shows that its sender went back.
func TestDuplicateAndRolledBackSender(t *testing.T) {
	g := newGroup(t, 3, fast)
	alice, bob := g.peers[0], g.peers[1]
	g.deliver(g.send(alice, "before"), bob)
	copied := alice.space
	e := g.send(alice, "once")
	g.deliver(e, bob)
	g.deliver(e, bob)
	require.ErrorIs(t, bob.settled[0], outcome.ErrDuplicate)
	g.deliver(e, alice)
	require.ErrorIs(t, alice.settled[len(alice.settled)-1], outcome.ErrOwn)

	alice.space = copied
	g.deliver(g.send(alice, "other bytes"), bob)
	require.ErrorIs(t, bob.settled[1], outcome.ErrSenderRolledBack)
	g.read(bob, "before", "once")
}

// In a space that is not repudiable every message is signed; in one that is, a member may leave it out, and readers see it.
func TestRepudiable(t *testing.T) {
	g := newGroup(t, 2, fast)
	_, _, err := ratchet.EncryptUnsigned(g.peers[0].space, g.now, []byte("x"))
	require.ErrorIs(t, err, ratchet.ErrPolicy)

	policy := fast
	policy.Repudiable = true
	g = newGroup(t, 2, policy)
	for range 5 {
		g.deliver(g.send(g.peers[0], ""), g.peers[1])
	}
	next, e, err := ratchet.EncryptUnsigned(g.peers[0].space, g.now, []byte("deniable"))
	require.NoError(t, err)
	g.peers[0].space = next
	_, m, err := ratchet.Decrypt(g.peers[1].space, g.now, e)
	require.NoError(t, err)
	require.False(t, m.Verified)
	_, m, err = ratchet.Decrypt(g.peers[1].space, g.now, g.send(g.peers[0], "signed"))
	require.NoError(t, err)
	require.True(t, m.Verified)

	// Nobody makes a member believe that it wrote something in a state it lost.
	_, e, err = ratchet.EncryptUnsigned(g.peers[0].space, g.now, []byte("in your name"))
	require.NoError(t, err)
	require.ErrorIs(t, refused(t, g.peers[0], g.now, e), ratchet.ErrForged)
}

// The envelope of a signed message is at most 160 bytes longer than its plaintext once the chain runs.
func TestEnvelopeOverhead(t *testing.T) {
	g := newGroup(t, 2, ratchet.Policy{})
	for range 5 {
		g.send(g.peers[0], "")
	}
	text := string(make([]byte, 1000))
	e := g.send(g.peers[0], text)
	require.LessOrEqual(t, len(e), len(text)+160)
	t.Logf("overhead: %d bytes", len(e)-len(text))
}

// Scenario 7: two redeem one link. Each member binds the first it sees, the other is a conflict and affects nobody else
// (G19).
func TestTwins(t *testing.T) {
	g := newGroup(t, 4, fast)
	grant := g.grant()
	one, q1, err := ratchet.Join(grant, g.now, []byte("one"))
	require.NoError(t, err)
	two, q2, err := ratchet.Join(grant, g.now, []byte("two"))
	require.NoError(t, err)
	a, b := g.peers[1], g.peers[2]
	t1, t2 := g.admit(a, q1), g.admit(b, q2)
	_, _, err = ratchet.Admit(a.space, g.now, q2)
	require.ErrorIs(t, err, ratchet.ErrInviteTaken)

	p1, p2 := &peer{name: "one"}, &peer{name: "two"}
	p1.space, err = ratchet.Enter(one, g.now, t1)
	require.NoError(t, err)
	p2.space, err = ratchet.Enter(two, g.now, t2)
	require.NoError(t, err)
	e1, e2 := g.send(p1, "I am one"), g.send(p2, "I am two")
	for i, p := range g.peers {
		if i%2 == 0 {
			g.deliver(e1, p)
			g.deliver(e2, p)
		} else {
			g.deliver(e2, p)
			g.deliver(e1, p)
		}
	}
	for _, p := range g.peers {
		bound := 0
		for _, m := range ratchet.Members(p.space) {
			if m.Index == grant.Index() {
				bound++
			}
		}
		require.Equal(t, 1, bound, p.name)
		require.Len(t, p.read, 1, p.name)
		require.Contains(t, p.events, state.Event(ratchet.Conflict{Index: grant.Index()}), p.name)
		p.read, p.settled = nil, nil
	}
	g.now = g.now.Add(40 * time.Hour)
	for range 3 {
		for _, p := range g.peers {
			g.deliver(g.send(p, p.name), g.others(p)...)
		}
	}
	for _, p := range g.peers {
		require.Len(t, p.read, 9, p.name)
		require.Empty(t, p.retained, p.name)
	}
}

// A ticket that somebody else's request was answered with, one of another space, one that was altered, and one made by a
// joiner's own hand are refused.
func TestForeignTickets(t *testing.T) {
	g, other := newGroup(t, 2, fast), newGroup(t, 2, fast)
	joiner, q, err := ratchet.Join(g.grant(), g.now, nil)
	require.NoError(t, err)
	second, q2, err := ratchet.Join(g.grant(), g.now, nil)
	require.NoError(t, err)
	ticket, ticket2 := g.admit(g.peers[1], q), g.admit(g.peers[1], q2)
	_, _, err = ratchet.Admit(other.peers[0].space, g.now, q)
	require.ErrorIs(t, err, outcome.ErrUnknownEpoch)

	next, err := ratchet.Enter(joiner, g.now, ticket2)
	require.ErrorIs(t, err, ratchet.ErrStale)
	require.True(t, same(joiner, next))
	// The box of one behind the name of the other.
	a, b := ticket, ticket2
	swapped := append(slices.Clone(a[:17]), b[17:]...)
	next, err = ratchet.Enter(joiner, g.now, swapped)
	require.ErrorIs(t, err, ratchet.ErrForged)
	require.True(t, same(joiner, next))
	for i := 0; i < len(a); i += 97 {
		flipped := slices.Clone(a)
		flipped[i] ^= 4
		next, err = ratchet.Enter(joiner, g.now, flipped)
		require.Error(t, err)
		require.True(t, same(joiner, next))
	}
	_, err = ratchet.Enter(second, g.now, ticket2)
	require.NoError(t, err)
	_, err = ratchet.Enter(g.peers[0].space, g.now, ticket)
	require.ErrorIs(t, err, ratchet.ErrStale)
}

// An invite that was revoked lets nobody in; whoever is in stays. An owner's refusal is told to the joiner.
func TestRevoke(t *testing.T) {
	g := newGroup(t, 3, fast)
	grant := g.grant()
	joiner, q, err := ratchet.Join(grant, g.now, nil)
	require.NoError(t, err)
	_, _, err = ratchet.Revoke(g.peers[1].space, g.now, grant.Index())
	require.ErrorIs(t, err, ratchet.ErrPhase)
	_, _, err = ratchet.Revoke(g.peers[0].space, g.now, 2)
	require.ErrorIs(t, err, dkg.ErrLedger)
	next, e, err := ratchet.Revoke(g.peers[0].space, g.now, grant.Index())
	require.NoError(t, err)
	g.peers[0].space = next
	g.deliver(e, g.others(g.peers[0])...)
	for _, p := range g.peers {
		_, _, err = ratchet.Admit(p.space, g.now, q)
		require.ErrorIs(t, err, ratchet.ErrInviteDead, p.name)
	}
	// A ticket hands the statement on.
	late := g.joinWith(g.grant(), g.peers[2])
	_, _, err = ratchet.Admit(late.space, g.now, q)
	require.ErrorIs(t, err, ratchet.ErrInviteDead)

	next, refusal, err := ratchet.Refuse(g.peers[0].space, g.now, q)
	require.NoError(t, err)
	g.peers[0].space = next
	_, err = ratchet.Enter(joiner, g.now, refusal)
	require.ErrorIs(t, err, ratchet.ErrInviteDead)
	_, _, err = ratchet.Refuse(g.peers[0].space, g.now, q)
	require.ErrorIs(t, err, ratchet.ErrStale)
}

// Who leaves cannot send any more; owners are told.
func TestLeave(t *testing.T) {
	g := newGroup(t, 3, fast)
	_, _, err := ratchet.Leave(g.peers[0].space, g.now)
	require.ErrorIs(t, err, ratchet.ErrPhase, "the last owner cannot")
	leaver := g.peers[2]
	next, e, err := ratchet.Leave(leaver.space, g.now)
	require.NoError(t, err)
	leaver.space = next
	g.deliver(e, g.others(leaver)...)
	require.Equal(t, ratchet.Left, ratchet.Info(leaver.space).Phase)
	_, _, err = ratchet.Encrypt(leaver.space, g.now, nil)
	require.ErrorIs(t, err, ratchet.ErrPhase)
	require.Contains(t, g.peers[0].events, state.Event(ratchet.LeavePending{Index: 3}))
	require.NotContains(t, g.peers[1].events, state.Event(ratchet.LeavePending{Index: 3}))
	for _, p := range g.others(leaver) {
		require.True(t, ratchet.Members(p.space)[2].Left)
		require.Empty(t, p.read)
	}
	g.deliver(g.send(g.peers[1], "still readable"), leaver)
	g.read(leaver, "still readable")
}

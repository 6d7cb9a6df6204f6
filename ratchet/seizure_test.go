package ratchet

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/invites"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
)

// What a seized state holds of open invites says nothing of shares: with one mask for all, the difference of two masked shares
// would be that of the shares, and with the member's own share it gives every other.
func TestSeizedMaskedSharesSayNothing(t *testing.T) {
	n := newNetwork(t, 62)
	founder := n.found(rules.Policy{})
	m := n.member(founder, "m")
	n.settle()
	var made [2]invite.Made
	for i := range made {
		founder.do(step.NewInvite(invite.Private(0), &made[i]))
	}
	n.settle()
	d, err := newEdit(m.space, n.now, Options{})
	require.NoError(t, err)
	_, r, ok := d.preferred()
	require.True(t, ok)
	own, ok := d.share(r.ID())
	require.True(t, ok)

	scalar := func(b secret.Bytes) ed448.Scalar {
		s, err := ed448.ParseScalar(b.Expose())
		require.NoError(t, err)
		return s
	}
	// guess returns the share of the member's successor, if the difference of two values is that of two shares in a row.
	guess := func(a, b secret.Bytes) error {
		v := own.Scalar().Add(scalar(b)).Sub(scalar(a))
		s, err := dkg.ParseShare(append(binary.BigEndian.AppendUint32(nil, uint32(own.Index()+1)), v.Bytes()...))
		require.NoError(t, err)
		return r.Commitment().Verify(s)
	}
	var masked, shares [2]secret.Bytes
	var links [2]proto.Link
	for k, v := range made {
		links[k], err = openLink(v.Link)
		require.NoError(t, err)
		first := links[k].First
		require.Equal(t, links[0].First+dkg.Index(k), first, "in a row")
		for _, x := range r.Open() {
			if s, err := invites.OpenShare(links[k], x.Masked, first, r.Commitment()); err == nil {
				masked[k], shares[k] = x.Masked, secret.Own(s.Scalar().Bytes())
			}
		}
		require.False(t, masked[k].IsZero())
	}
	require.NoError(t, guess(shares[0], shares[1]), "who has both links has every share")
	require.Error(t, guess(masked[0], masked[1]))
}

// Two devices are stolen, one before and one after a healing commit of the first. Each thief reads until its own victim commits, and
// nothing below; the commit of the other victim shuts it out of nothing.
func TestTwoThievesAroundAHealingCommit(t *testing.T) {
	g := newGroup(t, 3, rules.Policy{})
	a, b := g.peers[1], g.peers[2]
	early := a.backup()
	to := func(from *peer, f []byte, thieves ...*peer) {
		g.all(from, f)
		for _, x := range thieves {
			x.receive(f, "")
		}
	}
	to(a, a.committing("a heals"), early)
	late := b.backup() // of an epoch below that commit
	to(g.peers[0], g.peers[0].send("between"), early, late)
	require.Empty(t, early.texts())
	require.Equal(t, []string{"between"}, late.texts())
	to(b, b.committing("b heals"), early, late)
	for _, p := range g.peers {
		to(p, p.send("after"), early, late)
	}
	to(g.peers[0], g.peers[0].committing("much later"), early, late)
	require.Empty(t, early.texts())
	require.Empty(t, late.texts())
	g.agree()
}

package proto

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// TestCommitAgreement: every member derives the maker's secret, the maker itself cannot follow (§4).
func TestCommitAgreement(t *testing.T) {
	space, parent := state.ID{1}, EpochID{2}
	poly := dkg.NewPolynomial()
	public := poly.Commitment()
	rapid.Check(t, func(t *rapid.T) {
		indices := rapid.SliceOfNDistinct(rapid.Uint32Range(1, 1<<piecesDepth-1), 2, 4, rapid.ID).Draw(t, "indices")
		shares := make([]dkg.Share, len(indices))
		for k, i := range indices {
			var err error
			shares[k], err = poly.Share(dkg.Index(i))
			require.NoError(t, err)
		}
		c, want, err := NewCommit(space, parent, public, shares[0])
		require.NoError(t, err)
		require.Equal(t, 57, want.Len())
		_, err = c.Follow(space, parent, piecesDepth, public, shares[0])
		require.ErrorIs(t, err, ErrOwnCommit)
		for _, s := range shares[1:] {
			got, err := c.Follow(space, parent, piecesDepth, public, s)
			require.NoError(t, err)
			require.True(t, got.Equal(want))
		}
	})
}

// TestCommitRefused: no changed byte and no other place is accepted, by anybody (G18). A commit that two members read
// differently would split the space.
func TestCommitRefused(t *testing.T) {
	space, parent := state.ID{1}, EpochID{2}
	poly := dkg.NewPolynomial()
	public := poly.Commitment()
	maker, err := poly.Share(2)
	require.NoError(t, err)
	reader, err := poly.Share(3)
	require.NoError(t, err)
	c, _, err := NewCommit(space, parent, public, maker)
	require.NoError(t, err)
	again, _, err := NewCommit(space, parent, public, maker)
	require.NoError(t, err)
	require.NotEqual(t, c, again, "a nonce used twice gives away the share")

	refused := func(c Commit, space state.ID, parent EpochID, public dkg.Commitment) {
		t.Helper()
		ss, err := c.Follow(space, parent, piecesDepth, public, reader)
		require.True(t, ss.IsZero())
		require.ErrorIs(t, err, suite.ErrInvalid)
	}
	for i := range c {
		flipped := c
		flipped[i] ^= 1 << (i % 8)
		refused(flipped, space, parent, public)
	}
	refused(c, state.ID{9}, parent, public)
	refused(c, space, EpochID{9}, public)
	refused(c, space, parent, dkg.NewPolynomial().Commitment())
	_, err = c.Follow(space, parent, piecesDepth, public, reader)
	require.NoError(t, err)
	_, err = parseCommit(c[1:])
	typed(t, err)
}

// TestKeyUpdateProof: only the holder of the share replaces the inbox key, in this epoch and with this counter (§10).
func TestKeyUpdateProof(t *testing.T) {
	w := newPieces(t, Policy{KEM: suite.X25519})
	m := w.members[1]
	u := NewKeyUpdate(w.space, w.id, m.share, 3, m.inbox.Public)
	got, err := u.Verify(w.space, w.id, w.public, 2, w.policy)
	require.NoError(t, err)
	require.True(t, got.Equal(m.inbox.Public))
	refused := func(u KeyUpdate, id EpochID, i dkg.Index, p Policy) {
		t.Helper()
		_, err := u.Verify(w.space, id, w.public, i, p)
		require.ErrorIs(t, err, suite.ErrInvalid)
	}
	refused(u, w.id, 3, w.policy)
	refused(u, w.id, 0, w.policy)
	refused(u, EpochID{}, 2, w.policy)
	refused(u, w.id, 2, Policy{Scheme: suite.Ed25519, KEM: suite.MLKEM768X25519})
	other := u
	other.Counter++
	refused(other, w.id, 2, w.policy)
	other = u
	other.Inbox = w.members[2].inbox.Public.Bytes()
	refused(other, w.id, 2, w.policy)
}

// TestChildID: a child's id depends on space, parent, generation and every byte of the commit (§5).
func TestChildID(t *testing.T) {
	var c Commit
	seen := map[EpochID]bool{}
	for i := range c {
		d := c
		d[i] ^= 0x80
		seen[d.Child(state.ID{}, EpochID{}, 1)] = true
	}
	seen[c.Child(state.ID{}, EpochID{}, 1)] = true
	seen[c.Child(state.ID{1}, EpochID{}, 1)] = true
	seen[c.Child(state.ID{}, EpochID{1}, 1)] = true
	seen[c.Child(state.ID{}, EpochID{}, 2)] = true
	require.Len(t, seen, CommitSize+4)
}

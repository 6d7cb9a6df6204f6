package proto

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret/secrettest"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// TestCommitIsFollowedAlike: whoever has another share than the maker's derives the same secret, which is that of C0, and
// nobody with a share of the maker's index does.
func TestCommitIsFollowedAlike(t *testing.T) {
	poly := dkg.NewPolynomial()
	public := poly.Commitment()
	share := func(i dkg.Index) dkg.Share {
		s, err := poly.Share(i)
		require.NoError(t, err)
		return s
	}
	rapid.Check(t, func(t *rapid.T) {
		index := rapid.Uint32Range(1, uint32(dkg.MaxIndex))
		i, j := dkg.Index(index.Draw(t, "maker")), dkg.Index(index.Draw(t, "reader"))
		space, parent := state.ID{1}, EpochID{byte(i)}
		c, ss, err := NewCore(space, parent, public, share(i))
		require.NoError(t, err)
		si, err := public.PublicShare(i)
		require.NoError(t, err)
		back, err := parseAll(c.Encode(), coreSize, readCore)
		require.NoError(t, err)
		require.NoError(t, back.VerifyProof(space, parent, si))
		got, err := back.Follow(share(j))
		if i == j {
			require.ErrorIs(t, err, ErrOwnCommit)
			return
		}
		require.NoError(t, err)
		require.True(t, got.Equal(ss))
	})
}

// TestProofOfOneWitness: the proof holds for its space, parent, index and points, and for no others. It can be made for any
// index by two shares, since it is no signature.
func TestProofOfOneWitness(t *testing.T) {
	p := newPieces(t, suite.Ed25519X25519)
	c, _, err := NewCore(p.space, p.id, p.poly.Commitment(), p.joiners[0].share)
	require.NoError(t, err)
	public := func(i dkg.Index) ed448.Point {
		s, err := p.poly.Commitment().PublicShare(i)
		require.NoError(t, err)
		return s
	}
	require.NoError(t, c.VerifyProof(p.space, p.id, public(2)))
	one, other := ed448.ScalarFromUint32(1), ed448.BaseMult(ed448.ScalarFromUint32(1))
	for name, err := range map[string]error{
		"space":  c.VerifyProof(state.ID{}, p.id, public(2)),
		"parent": c.VerifyProof(p.space, EpochID{}, public(2)),
		"share":  c.VerifyProof(p.space, p.id, public(3)),
		"maker":  with(c, func(c *Core) { c.Maker = 3 }).VerifyProof(p.space, p.id, public(3)),
		"R":      with(c, func(c *Core) { c.R = c.R.Add(other) }).VerifyProof(p.space, p.id, public(2)),
		"D":      with(c, func(c *Core) { c.D = c.D.Add(other) }).VerifyProof(p.space, p.id, public(2)),
		"c":      with(c, func(c *Core) { c.C[31] ^= 1 }).VerifyProof(p.space, p.id, public(2)),
		"z":      with(c, func(c *Core) { c.Z = c.Z.Add(one) }).VerifyProof(p.space, p.id, public(2)),
	} {
		require.ErrorIs(t, err, suite.ErrInvalid, name)
	}
	_, _, err = NewCore(p.space, p.id, p.poly.Commitment(), dkg.Share{})
	require.ErrorIs(t, err, suite.ErrInvalid)
}

// with returns v as change leaves a copy of it.
func with[T any](v T, change func(*T)) T {
	change(&v)
	return v
}

// TestMakerOfACommit: a copy of a commit is right only as its maker made it, with a credential if and only if the notice does
// not list the maker.
func TestMakerOfACommit(t *testing.T) {
	for _, s := range suite.Suites() {
		p := newPieces(t, s)
		root := p.view()
		for _, m := range []piecesMember{p.founder, p.joiners[0], p.joiners[2]} {
			shown, keys, _ := p.commit(t, m)
			child := shown.Commit.Child(p.space, p.id, 1)
			place := shown.Commit.Core.Place(p.space, p.id, 1)
			require.Equal(t, child, ByCommit.ID(place, keys.CheckUnder(place, keys.HeaderCheck(place))))
			key, err := shown.VerifyMaker(root, child)
			require.NoError(t, err)
			require.Equal(t, m.signing.Public, key)
		}
		shown, _, _ := p.commit(t, p.joiners[0])
		listed, _, _ := p.commit(t, p.founder)
		child := func(s Shown) EpochID { return s.Commit.Child(p.space, p.id, 1) }
		false1 := map[string]Shown{
			"no credential":         with(shown, func(s *Shown) { s.Credential = Credential{} }),
			"credential of another": with(shown, func(s *Shown) { s.Credential = p.joiners[1].credential() }),
			"needless credential":   with(listed, func(s *Shown) { s.Credential = p.joiners[1].credential() }),
			"check":                 with(shown, func(s *Shown) { s.Commit.Check[0] ^= 1 }),
			"signature":             with(shown, func(s *Shown) { s.Commit.Signature = listed.Commit.Signature }),
			"index beyond": with(shown, func(s *Shown) {
				s.Commit.Core.Maker = 1 << piecesDepth
				s.Credential.Binding.Index = 1 << piecesDepth
			}),
			"expired certificates count, forged ones not": with(shown, func(s *Shown) { s.Credential.Certificate.Expires = 0 }),
			"another core": with(shown, func(s *Shown) { s.Commit.Core = listed.Commit.Core; s.Commit.Core.Maker = 2 }),
		}
		for name, s := range false1 {
			_, err := s.VerifyMaker(root, child(s))
			require.ErrorIs(t, err, suite.ErrInvalid, name)
		}
		_, err := shown.VerifyMaker(root, shown.Commit.Child(p.space, p.id, 2))
		require.ErrorIs(t, err, suite.ErrInvalid, "generation")
	}
}

// TestTwoSharesSignForNobody: who has two shares has all of them, and still signs for no member.
func TestTwoSharesSignForNobody(t *testing.T) {
	p := newPieces(t, suite.Ed25519X25519)
	share, err := p.poly.Share(1)
	require.NoError(t, err)
	core, _, err := NewCore(p.space, p.id, p.poly.Commitment(), share)
	require.NoError(t, err)
	forged := Shown{Commit: core.Sign(p.joiners[0].signing, p.space, p.id, 1, Check{1})}
	public, err := p.poly.Commitment().PublicShare(1)
	require.NoError(t, err)
	require.NoError(t, core.VerifyProof(p.space, p.id, public), "the proof says nothing of the maker")
	_, err = forged.VerifyMaker(p.view(), forged.Commit.Child(p.space, p.id, 1))
	require.ErrorIs(t, err, suite.ErrInvalid)
}

// TestSealedCommit: a commit opens in its parent alone, and not at all if a byte of it changed.
func TestSealedCommit(t *testing.T) {
	p := newPieces(t, suite.Ed25519X25519)
	key := suite.NewAEAD(p.keys.Commit)
	shown, _, _ := p.commit(t, p.joiners[0])
	sealed := shown.Seal(key, p.space, p.id)
	got, err := sealed.Open(key, p.space, p.id)
	require.NoError(t, err)
	require.Equal(t, shown.Encode(), got.Encode())
	flipped := append(Sealed(nil), sealed...)
	flipped[40] ^= 1
	for name, err := range map[string]error{
		"key":    second(sealed.Open(suite.NewAEAD(p.keys.Header), p.space, p.id)),
		"space":  second(sealed.Open(key, state.ID{}, p.id)),
		"parent": second(sealed.Open(key, p.space, EpochID{})),
		"byte":   second(flipped.Open(key, p.space, p.id)),
		"short":  second(sealed[:10].Open(key, p.space, p.id)),
	} {
		require.ErrorIs(t, err, suite.ErrNotOpened, name)
	}
	aad := epochAAD(p.space, p.id)
	_, err = Sealed(key.Seal(nil, []byte("no commit"), aad[:])).Open(key, p.space, p.id)
	require.ErrorIs(t, err, wire.ErrMalformed)
	again := shown.Seal(key, p.space, p.id)
	require.NotEqual(t, sealed.Digest(), again.Digest(), "copies are told apart")
}

// second returns the error of a call with two results.
func second[T any](_ T, err error) error { return err }

// TestKeysShowNothing: keys of epochs, invites and links show nothing when printed.
func TestKeysShowNothing(t *testing.T) {
	p := newPieces(t, suite.Ed25519X25519)
	m := p.joiners[0]
	secrettest.Check(t, p.keys, p.keys.Header.Expose(), p.keys.Exporter.Expose())
	secrettest.Check(t, m.record, m.record.RequestKey.Expose(), m.record.Masked.Expose())
	secrettest.Check(t, m.keys, m.keys.M.Expose(), m.keys.Admission.Seed.Expose())
	secrettest.Check(t, p.link(m), m.seed.Expose())
	secrettest.Check(t, p.template, p.template.K.Expose())
	secrettest.Check(t, p.ticketBody(t), p.keys.Commit.Expose(), m.record.Masked.Expose())
	_, owners, _ := p.rekey(t)
	secrettest.Check(t, owners, p.poly.Bytes().Expose(), m.keys.M.Expose())
}

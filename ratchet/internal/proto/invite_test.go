package proto

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// TestGrantForged: a grant that no owner made, or of which anything was changed, is refused (scenario 7).
func TestGrantForged(t *testing.T) {
	w := newPieces(t, Policy{KEM: suite.X25519})
	other := newPieces(t, Policy{KEM: suite.X25519})
	g := w.members[1].grant
	got, err := ParseGrant(g.Bytes())
	require.NoError(t, err)
	require.Equal(t, w.space, got.Space())
	require.EqualValues(t, 2, got.Index())
	require.EqualValues(t, 0, got.Rekey)
	require.Equal(t, w.policy, got.Policy)
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", got, got, got), fmt.Sprintf("%x", g.Admission.Key.Seed.Expose()))

	b := g.Bytes()
	for i := range b {
		b[i] ^= 1 << (i % 8)
		_, err := ParseGrant(b)
		typed(t, err)
		b[i] ^= 1 << (i % 8)
	}
	for name, change := range map[string]func(g *Grant){
		"origin":       func(g *Grant) { g.Origin = other.origin },
		"owner list":   func(g *Grant) { g.Owners = other.owners },
		"share":        func(g *Grant) { g.Share = other.members[1].share },
		"commitment":   func(g *Grant) { g.Public = other.public },
		"depth":        func(g *Grant) { g.Depth, g.Share = minDepth, mustShare(w.poly, 16) },
		"other policy": func(g *Grant) { g.Policy.KEM = suite.MLKEM768X25519 },
	} {
		forged := g
		change(&forged)
		_, err := NewGrant(w.root, forged)
		require.ErrorIs(t, err, suite.ErrInvalid, name)
	}
	_, err = NewGrant(w.members[2].signing, g)
	require.ErrorIs(t, err, suite.ErrInvalid, "made by a member")
}

func mustShare(p dkg.Polynomial, i dkg.Index) dkg.Share {
	s, err := p.Share(i)
	if err != nil {
		panic(err)
	}
	return s
}

// TestIntroductionForged: an introduction holds for its space, index and admission (G19, G21).
func TestIntroductionForged(t *testing.T) {
	w := newPieces(t, Policy{KEM: suite.X25519})
	m, other := w.members[1], w.members[2]
	_, err := m.in.Verify(w.space, w.owners, w.policy)
	require.NoError(t, err)
	_, err = m.in.Verify(state.ID{}, w.owners, w.policy)
	require.ErrorIs(t, err, suite.ErrInvalid)
	_, err = m.in.Verify(w.space, newPieces(t, Policy{KEM: suite.X25519}).owners, w.policy)
	require.ErrorIs(t, err, suite.ErrInvalid)
	_, err = m.in.Verify(w.space, w.owners, Policy{Scheme: suite.Ed25519, KEM: suite.MLKEM768X25519})
	require.ErrorIs(t, err, suite.ErrInvalid)

	again := func(change func(*Introduction), a Admission, k suite.SigningKey) error {
		in := m.in
		change(&in)
		in, err := NewIntroduction(w.space, in, a, k)
		require.NoError(t, err)
		_, err = in.Verify(w.space, w.owners, w.policy)
		return err
	}
	none := func(*Introduction) {}
	require.NoError(t, again(none, m.grant.Admission, other.signing), "the holder of the link chooses the key")
	require.ErrorIs(t, again(none, other.grant.Admission, m.signing), suite.ErrInvalid, "admission of another index")
	require.ErrorIs(t, again(func(i *Introduction) { i.Index = 3 }, m.grant.Admission, m.signing), suite.ErrInvalid)
	require.ErrorIs(t, again(func(i *Introduction) { i.Root = EpochID{} }, m.grant.Admission, m.signing), suite.ErrInvalid)
	require.ErrorIs(t, again(func(i *Introduction) { i.Inbox = make([]byte, 32) }, m.grant.Admission, m.signing), suite.ErrInvalid,
		"an inbox key that cannot be boxed to")
	self := newAdmission(m.signing, w.space, w.id, 2)
	require.ErrorIs(t, again(none, self, m.signing), suite.ErrInvalid, "admitted by itself")

	b := m.in.Encode()
	for i := range b {
		b[i] ^= 1 << (i % 8)
		in, err := ParseIntroduction(b)
		if err == nil {
			_, err = in.Verify(w.space, w.owners, w.policy)
		}
		typed(t, err)
		b[i] ^= 1 << (i % 8)
	}
	_, err = NewIntroduction(w.space, Introduction{App: make([]byte, MaxApplicationData+1)}, m.grant.Admission, m.signing)
	require.ErrorIs(t, err, outcome.ErrTooLong)
}

// TestOwners: only the root owner key makes owner lists, and lists have one encoding.
func TestOwners(t *testing.T) {
	root, a, b := suite.NewSigningKey(suite.Ed25519), suite.NewSigningKey(suite.Ed25519), suite.NewSigningKey(suite.Ed25519)
	o := NewOrigin(root.Public)
	l, err := NewOwnerList(root, o.Space(), 1, a.Public, b.Public)
	require.NoError(t, err)
	m, err := NewOwnerList(root, o.Space(), 1, b.Public, a.Public)
	require.NoError(t, err)
	require.Equal(t, l.Encode(), m.Encode())
	require.NoError(t, l.verify(o))
	require.ErrorIs(t, l.verify(NewOrigin(root.Public)), suite.ErrInvalid)
	l.Counter++
	require.ErrorIs(t, l.verify(o), suite.ErrInvalid)
	forged, err := NewOwnerList(a, o.Space(), 9, a.Public)
	require.NoError(t, err)
	require.ErrorIs(t, forged.verify(o), suite.ErrInvalid)
	for name, keys := range map[string][]suite.PublicKey{
		"none":  {},
		"twins": {a.Public, a.Public},
		"mixed": {a.Public, suite.NewSigningKey(suite.Ed448).Public},
		"many":  make([]suite.PublicKey, maxOwners+1),
	} {
		_, err := NewOwnerList(root, o.Space(), 1, keys...)
		require.ErrorIs(t, err, wire.ErrMalformed, name)
	}
	swapped := OwnerList{Counter: 1, keys: []suite.PublicKey{m.keys[1], m.keys[0]}, signature: m.signature}
	_, err = ParseOwnerList(swapped.Encode())
	require.ErrorIs(t, err, wire.ErrMalformed)
}

// TestControls: statements hold for their signer, space and kind (G21).
func TestControls(t *testing.T) {
	w := newPieces(t, Policy{KEM: suite.X25519})
	m := w.members[1]
	leave := SignLeave(w.space, LeaveStatement{Index: 2}, m.signing)
	require.NoError(t, leave.Verify(w.space, m.signing.Public))
	require.ErrorIs(t, leave.Verify(w.space, w.root.Public), suite.ErrInvalid)
	require.ErrorIs(t, leave.Verify(state.ID{}, m.signing.Public), suite.ErrInvalid)
	require.ErrorIs(t, SignLeave(w.space, LeaveStatement{Index: 2}, w.root).VerifyOwner(w.space, w.owners), suite.ErrInvalid,
		"an owner takes nobody's leave")
	for _, c := range []Statement{
		SignRevoke(w.space, RevokeStatement{w.id, []dkg.Index{3, 2, 3}}, w.root),
		SignRoster(w.space, RosterStatement{w.id, Bitmap{0x60}, suite.Digest{1}}, w.root),
	} {
		require.NoError(t, c.VerifyOwner(w.space, w.owners))
		require.ErrorIs(t, c.VerifyOwner(state.ID{}, w.owners), suite.ErrInvalid)
		require.ErrorIs(t, c.sign(w.space, m.signing).VerifyOwner(w.space, w.owners), suite.ErrInvalid)
		b := c.Encode()
		for i := range b {
			b[i] ^= 1
			c, err := ParseStatement(b)
			if err == nil && c.Kind != KindLeave {
				err = c.VerifyOwner(w.space, w.owners)
			} else if err == nil {
				err = c.Verify(w.space, w.root.Public)
			}
			typed(t, err)
			b[i] ^= 1
		}
	}
	b := SignRevoke(w.space, RevokeStatement{w.id, []dkg.Index{2, 3}}, w.root).Encode()
	copy(b[1+32+4:], append(suite.U32(3), suite.U32(2)...))
	_, err := ParseStatement(b)
	require.ErrorIs(t, err, wire.ErrMalformed, "order of indices")
}

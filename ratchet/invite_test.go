package ratchet

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state"
)

// TestGrantForged: a grant that no owner made, or of which anything was changed, is refused (scenario 7).
func TestGrantForged(t *testing.T) {
	w := newPieces(t, Policy{KEM: X25519})
	other := newPieces(t, Policy{KEM: X25519})
	g := w.members[1].grant
	got, err := ParseGrant(g.Bytes())
	require.NoError(t, err)
	require.Equal(t, w.space, got.Space())
	require.EqualValues(t, 2, got.Index())
	require.EqualValues(t, 0, got.Generation())
	require.Equal(t, w.policy, got.Policy())
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", got, got, got), fmt.Sprintf("%x", g.admission.key.seed.Expose()))

	b := g.Bytes()
	for i := range b {
		b[i] ^= 1 << (i % 8)
		_, err := ParseGrant(b)
		typed(t, err)
		b[i] ^= 1 << (i % 8)
	}
	for name, change := range map[string]func(g *Grant){
		"origin":       func(g *Grant) { g.origin = other.origin },
		"owner list":   func(g *Grant) { g.owners = other.owners },
		"share":        func(g *Grant) { g.share = other.members[1].share },
		"commitment":   func(g *Grant) { g.public = other.public },
		"depth":        func(g *Grant) { g.depth, g.share = minDepth, mustShare(w.poly, 16) },
		"other policy": func(g *Grant) { g.policy.KEM = MLKEM768X25519 },
	} {
		forged := g
		change(&forged)
		_, err := newGrant(w.root, forged)
		require.ErrorIs(t, err, errInvalid, name)
	}
	_, err = newGrant(w.members[2].signing, g)
	require.ErrorIs(t, err, errInvalid, "made by a member")
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
	w := newPieces(t, Policy{KEM: X25519})
	m, other := w.members[1], w.members[2]
	_, err := m.in.verify(w.space, w.owners, w.policy)
	require.NoError(t, err)
	_, err = m.in.verify(state.ID{}, w.owners, w.policy)
	require.ErrorIs(t, err, errInvalid)
	_, err = m.in.verify(w.space, newPieces(t, Policy{KEM: X25519}).owners, w.policy)
	require.ErrorIs(t, err, errInvalid)
	_, err = m.in.verify(w.space, w.owners, Policy{Scheme: Ed25519, KEM: MLKEM768X25519})
	require.ErrorIs(t, err, errInvalid)

	again := func(change func(*introduction), a admission, k signingKey) error {
		in := m.in
		change(&in)
		in, err := newIntroduction(w.space, in, a, k)
		require.NoError(t, err)
		_, err = in.verify(w.space, w.owners, w.policy)
		return err
	}
	none := func(*introduction) {}
	require.NoError(t, again(none, m.grant.admission, other.signing), "the holder of the link chooses the key")
	require.ErrorIs(t, again(none, other.grant.admission, m.signing), errInvalid, "admission of another index")
	require.ErrorIs(t, again(func(i *introduction) { i.index = 3 }, m.grant.admission, m.signing), errInvalid)
	require.ErrorIs(t, again(func(i *introduction) { i.root = epochID{} }, m.grant.admission, m.signing), errInvalid)
	require.ErrorIs(t, again(func(i *introduction) { i.inbox = make([]byte, 32) }, m.grant.admission, m.signing), errInvalid,
		"an inbox key that cannot be boxed to")
	self := newAdmission(m.signing, w.space, w.id, 2)
	require.ErrorIs(t, again(none, self, m.signing), errInvalid, "admitted by itself")

	b := m.in.encode()
	for i := range b {
		b[i] ^= 1 << (i % 8)
		in, err := parseIntroduction(b)
		if err == nil {
			_, err = in.verify(w.space, w.owners, w.policy)
		}
		typed(t, err)
		b[i] ^= 1 << (i % 8)
	}
	_, err = newIntroduction(w.space, introduction{app: make([]byte, MaxApplicationData+1)}, m.grant.admission, m.signing)
	require.ErrorIs(t, err, ErrTooLong)
}

// TestOwners: only the root owner key makes owner lists, and lists have one encoding.
func TestOwners(t *testing.T) {
	root, a, b := newSigningKey(Ed25519), newSigningKey(Ed25519), newSigningKey(Ed25519)
	o := newOrigin(root.public)
	l, err := newOwnerList(root, o.space(), 1, a.public, b.public)
	require.NoError(t, err)
	m, err := newOwnerList(root, o.space(), 1, b.public, a.public)
	require.NoError(t, err)
	require.Equal(t, l.encode(), m.encode())
	require.NoError(t, l.verify(o))
	require.ErrorIs(t, l.verify(newOrigin(root.public)), errInvalid)
	l.counter++
	require.ErrorIs(t, l.verify(o), errInvalid)
	forged, err := newOwnerList(a, o.space(), 9, a.public)
	require.NoError(t, err)
	require.ErrorIs(t, forged.verify(o), errInvalid)
	for name, keys := range map[string][]PublicKey{
		"none":  {},
		"twins": {a.public, a.public},
		"mixed": {a.public, newSigningKey(Ed448).public},
		"many":  make([]PublicKey, maxOwners+1),
	} {
		_, err := newOwnerList(root, o.space(), 1, keys...)
		require.ErrorIs(t, err, wire.ErrMalformed, name)
	}
	swapped := ownerList{counter: 1, keys: []PublicKey{m.keys[1], m.keys[0]}, signature: m.signature}
	_, err = parseOwnerList(swapped.encode())
	require.ErrorIs(t, err, wire.ErrMalformed)
}

// TestControls: statements hold for their signer, space and kind (G21).
func TestControls(t *testing.T) {
	w := newPieces(t, Policy{KEM: X25519})
	m := w.members[1]
	leave := newLeave(w.space, leaveStatement{index: 2}, m.signing)
	require.NoError(t, leave.verify(w.space, m.signing.public))
	require.ErrorIs(t, leave.verify(w.space, w.root.public), errInvalid)
	require.ErrorIs(t, leave.verify(state.ID{}, m.signing.public), errInvalid)
	require.ErrorIs(t, newLeave(w.space, leaveStatement{index: 2}, w.root).verifyOwner(w.space, w.owners), errInvalid,
		"an owner takes nobody's leave")
	for _, c := range []control{
		newRevoke(w.space, revokeStatement{w.id, []dkg.Index{3, 2, 3}}, w.root),
		newRoster(w.space, rosterStatement{w.id, bitmap{0x60}, digest{1}}, w.root),
	} {
		require.NoError(t, c.verifyOwner(w.space, w.owners))
		require.ErrorIs(t, c.verifyOwner(state.ID{}, w.owners), errInvalid)
		require.ErrorIs(t, c.sign(w.space, m.signing).verifyOwner(w.space, w.owners), errInvalid)
		b := c.encode()
		for i := range b {
			b[i] ^= 1
			c, err := parseControl(b)
			if err == nil && c.kind != controlLeave {
				err = c.verifyOwner(w.space, w.owners)
			} else if err == nil {
				err = c.verify(w.space, w.root.public)
			}
			typed(t, err)
			b[i] ^= 1
		}
	}
	b := newRevoke(w.space, revokeStatement{w.id, []dkg.Index{2, 3}}, w.root).encode()
	copy(b[1+32+4:], append(u32(3), u32(2)...))
	_, err := parseControl(b)
	require.ErrorIs(t, err, wire.ErrMalformed, "order of indices")
}

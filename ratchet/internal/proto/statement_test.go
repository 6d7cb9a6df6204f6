package proto

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// TestStatements: each kind comes back as it was said, and its signature holds for its space and kind alone.
func TestStatements(t *testing.T) {
	for _, s := range []suite.Suite{suite.Ed25519Hybrid, suite.Ed448X25519} {
		p := newPieces(t, s)
		all := p.statements(t)
		require.Len(t, all, len(statementNames))
		for _, name := range statementNames {
			said := all[name]
			back, err := ParseStatement(EncodeStatement(said))
			require.NoError(t, err, name)
			require.Equal(t, said.Kind(), back.Kind())
			require.Equal(t, StatementHash(said), StatementHash(back))
			key, by := p.owner.Public, p.place0()
			if o, ok := back.(OwnerStatement); ok && !ByRole(o).IsZero() {
				key, by = p.joiners[0].signing.Public, bySomeRole
			}
			switch said.(type) {
			case Leave, Profile:
				key = p.joiners[0].signing.Public
			case RootKey:
				require.NoError(t, VerifyStatement(back, p.space, p.rootKey.Public))
				continue
			case Notice:
				require.NoError(t, back.(Notice).Verify(p.origin))
				require.ErrorIs(t, VerifyStatement(back, p.space, key), suite.ErrInvalid, name)
				continue
			case InviteMade, InviteWanted, InviteGiven:
				require.ErrorIs(t, VerifyStatement(back, p.space, key), suite.ErrInvalid, name)
				continue
			}
			require.NoError(t, VerifyStatement(back, p.space, key), name)
			require.ErrorIs(t, VerifyStatement(back, state.ID{}, key), suite.ErrInvalid, name)
			require.ErrorIs(t, VerifyStatement(back, p.space, p.rootKey.Public), suite.ErrInvalid, name)
			if o, ok := back.(OwnerStatement); ok {
				place, err := VerifyOwner(o, p.view())
				require.NoError(t, err, name)
				require.EqualValues(t, by, place, name)
				require.Equal(t, p.id, o.RootNamed())
			}
		}
	}
}

// TestStatementOfARemovedOwner: a statement counts by the owners of the root in which it is to count, whatever root and place
// it names.
func TestStatementOfARemovedOwner(t *testing.T) {
	p := newPieces(t, suite.Ed25519X25519)
	other := suite.NewSigningKey(suite.Ed25519)
	now, err := NewOwnerList(p.rootKey, p.origin, 4, 0, other.Public, m2key)
	require.NoError(t, err)
	next := p.viewOf(func(v *viewOf) { v.id, v.owners = EpochID{1}, now })
	bind := Bind{Said: Said{Root: p.id, By: p.place0()}, Index: 2}
	_, err = VerifyOwner(Sign(bind, p.space, p.owner), next)
	require.ErrorIs(t, err, suite.ErrInvalid, "it names the root that listed its signer")
	bind.By = 9
	place, err := VerifyOwner(Sign(bind, p.space, other), next)
	require.NoError(t, err, "the signature decides, not the place")
	k, _ := now.At(place)
	require.Equal(t, other.Public, k)
}

// TestStatementsRefused: statements that nobody honest says.
func TestStatementsRefused(t *testing.T) {
	p := newPieces(t, suite.Ed25519X25519)
	s := p.statements(t)
	revoke, made := s["revoke"].(Revoke), s["invite"].(InviteMade)
	box := made.Boxes[0]
	var boxes []MaskBox
	for i := range dkg.Index(MaxMaskBoxes + 1) {
		boxes = append(boxes, MaskBox{i + 1, box.Box})
	}
	for name, s := range map[string]Statement{
		"a revoke of nobody":    with(revoke, func(s *Revoke) { s.Indices = nil }),
		"order of a revoke":     with(revoke, func(s *Revoke) { s.Indices = []dkg.Index{9, 5} }),
		"index twice":           with(revoke, func(s *Revoke) { s.Indices = []dkg.Index{5, 5} }),
		"index 0":               with(revoke, func(s *Revoke) { s.Indices = []dkg.Index{0, 5} }),
		"too many revoked":      with(revoke, func(s *Revoke) { s.Indices = make([]dkg.Index, MaxRevoked+1) }),
		"no signature":          with(revoke, func(s *Revoke) { s.Signature = nil }),
		"order of boxes":        with(made, func(s *InviteMade) { s.Boxes = []MaskBox{box, box} }),
		"too many boxes":        with(made, func(s *InviteMade) { s.Boxes = boxes }),
		"an empty box":          with(made, func(s *InviteMade) { s.Boxes = []MaskBox{{1, nil}} }),
		"a public one wanted":   InviteWanted{Invite: dkg.Public},
		"an empty link":         InviteGiven{Asker: 2, Index: 3},
		"a long title":          with(s["title"].(Title), func(s *Title) { s.Title = make([]byte, MaxTitle+1) }),
		"a long profile":        with(s["profile"].(Profile), func(s *Profile) { s.App = make([]byte, MaxApplicationData+1) }),
		"a leave of nobody":     with(s["leave"].(Leave), func(s *Leave) { s.Index = 0 }),
		"a binding of nobody":   with(s["bind"].(Bind), func(s *Bind) { s.Index = 0 }),
		"a role of nobody":      with(s["role"].(Role), func(s *Role) { s.Index = 0 }),
		"a role without rights": with(s["role"].(Role), func(s *Role) { s.Rights = 0 }),
		"unknown rights":        with(s["role"].(Role), func(s *Role) { s.Rights = allRights + 1 }),
		"a role by no owner":    with(s["role"].(Role), func(s *Role) { s.By = MaxOwners }),
	} {
		_, err := ParseStatement(EncodeStatement(s))
		require.ErrorIs(t, err, wire.ErrMalformed, name)
	}
	bind := EncodeStatement(s["bind"])
	bind[1+32] = bySomeRole
	_, err := ParseStatement(bind)
	require.ErrorIs(t, err, wire.ErrMalformed, "a role decides between no bindings")
	wanted := EncodeStatement(s["wanted"])
	wanted[3]++
	_, err = ParseStatement(append(wanted, 1))
	require.ErrorIs(t, err, wire.ErrMalformed, "a signature where none is")
	_, err = ParseStatement(make([]byte, maxStatement+1))
	require.ErrorIs(t, err, wire.ErrMalformed)
}

// TestRoleSaysWhatItMay: what a role signed counts in the root that role and statement name, by the right that it gives, under the key
// that it names, and if an owner of that root gave it.
func TestRoleSaysWhatItMay(t *testing.T) {
	p := newPieces(t, suite.Ed25519X25519)
	m, stranger := p.joiners[0], suite.NewSigningKey(suite.Ed25519)
	give := func(r Role, by suite.SigningKey) Role {
		r.Index, r.Key = 2, m.signing.Public
		return Sign(r, p.space, by)
	}
	title := func(r Role, root EpochID, by suite.SigningKey) Title {
		return Sign(Title{Said: Said{Root: root, Role: r}, Counter: 1, Title: []byte("x")}, p.space, by)
	}
	right := give(Role{Root: p.id, By: p.place0(), Rights: MayTitle}, p.owner)
	place, err := VerifyOwner(title(right, p.id, m.signing), p.view())
	require.NoError(t, err)
	require.EqualValues(t, bySomeRole, place)
	later := p.viewOf(func(v *viewOf) { v.id = EpochID{1} })
	for name, s := range map[string]Title{
		"signed by another":       title(right, p.id, stranger),
		"naming another root":     title(right, EpochID{1}, m.signing),
		"without the right":       title(give(Role{Root: p.id, By: p.place0(), Rights: MayRemove | MayInvite}, p.owner), p.id, m.signing),
		"of another root":         title(give(Role{Root: EpochID{1}, By: p.place0(), Rights: MayTitle}, p.owner), p.id, m.signing),
		"given by no owner":       title(give(Role{Root: p.id, By: p.place0(), Rights: MayTitle}, stranger), p.id, m.signing),
		"given by its own member": title(give(Role{Root: p.id, By: p.place0(), Rights: MayTitle}, m.signing), p.id, m.signing),
	} {
		_, err := VerifyOwner(s, p.view())
		require.ErrorIs(t, err, suite.ErrInvalid, name)
	}
	for _, root := range []EpochID{p.id, {1}} {
		_, err = VerifyOwner(title(right, root, m.signing), later)
		require.ErrorIs(t, err, suite.ErrInvalid, "replayed into a later root")
	}
}

package proto

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// TestNotices: a notice is its signer's word over one root, whose owner list the root owner key signed.
func TestNotices(t *testing.T) {
	p := newPieces(t, suite.Ed25519X25519)
	root := TicketRoot{Notice: p.notice, Roster: p.roster}
	require.NoError(t, root.Verify(p.origin, p.suite))
	require.NoError(t, p.notice.VerifyTemplate(p.template))
	n := func(change func(*Notice)) Notice { return with(p.notice, change) }
	for name, n := range map[string]Notice{
		"space":    n(func(n *Notice) { n.Common.Space[0]++ }),
		"cursor":   n(func(n *Notice) { n.Common.Cursor++ }),
		"template": n(func(n *Notice) { n.Common.Template[0]++ }),
		"check":    n(func(n *Notice) { n.Check[0]++ }),
		"members":  n(func(n *Notice) { n.Members = NewBitmap(1, 2) }),
		"owners":   n(func(n *Notice) { n.Owners.Counter++ }),
		"signer":   n(func(n *Notice) { n.Signer = 1 - n.Signer }),
		"nobody":   n(func(n *Notice) { n.Signer = 9 }),
	} {
		require.ErrorIs(t, n.Verify(p.origin), suite.ErrInvalid, name)
	}
	require.ErrorIs(t, p.notice.Verify(NewOrigin(p.rootKey.Public)), suite.ErrInvalid, "another space of this owner")
	_, err := p.notice.Sign(p.rootKey)
	require.ErrorIs(t, err, suite.ErrInvalid, "not in the list")
	for name, n := range map[string]Notice{
		"signer":        n(func(n *Notice) { n.Signer = 2 }),
		"no members":    n(func(n *Notice) { n.Members = nil }),
		"index 0":       n(func(n *Notice) { n.Members = Bitmap{0xc0} }),
		"zeros":         n(func(n *Notice) { n.Members = Bitmap{0x40, 0} }),
		"beyond":        n(func(n *Notice) { n.Members = NewBitmap(1 << piecesDepth) }),
		"cursor 0":      n(func(n *Notice) { n.Common.Cursor = 0 }),
		"cursor beyond": n(func(n *Notice) { n.Common.Cursor = 1<<piecesDepth + 1 }),
		"genesis":       n(func(n *Notice) { n.Common.Parent[0] = 1 }),
		"rekey":         n(func(n *Notice) { n.Common.Rekey = 1 }),
		"generation":    n(func(n *Notice) { n.Common.Rekey, n.Common.Parent[0] = MaxGeneration+1, 1 }),
		"depth 3":       n(func(n *Notice) { n.Common.Depth = 3 }),
		"depth 21":      n(func(n *Notice) { n.Common.Depth = 21 }),
	} {
		_, err := ParseNotice(n.Encode())
		require.ErrorIs(t, err, wire.ErrMalformed, name)
	}
	for name, change := range map[string]func(*Template){
		"policy": func(t *Template) { t.Policy.RekeyInterval++ },
		"depth":  func(t *Template) { t.Depth++ },
		"rekey":  func(t *Template) { t.Rekey++ },
		"C":      func(t *Template) { t.Public = dkg.NewPolynomial().Commitment() },
		"K":      func(t *Template) { t.K = secret.Random(32) },
		"owners": func(t *Template) { t.Owners.Counter++ },
	} {
		other := with(p.template, change)
		require.ErrorIs(t, p.notice.VerifyTemplate(other), suite.ErrInvalid, name)
		// Also where the common names this template.
		require.Equal(t, name != "policy" && name != "K",
			n(func(n *Notice) { n.Common.Template = other.Hash() }).VerifyTemplate(other) != nil, name)
	}
}

// TestRosters: roster and gone are those that the common names, of members of the suite.
func TestRosters(t *testing.T) {
	p := newPieces(t, suite.Ed25519X25519)
	m := p.joiners[0]
	two := append(p.roster[:1:1], RosterEntry{2, m.signing.Public, m.binding.Hash()})
	named := func(r Roster, gone Bitmap, rekey uint64) Notice {
		return with(p.notice, func(n *Notice) {
			n.Common.Roster, n.Members, n.Gone, n.Common.Rekey = r.Digest(gone), r.Bitmap(), gone, rekey
		})
	}
	require.NoError(t, named(two, nil, 0).VerifyRoster(two, p.suite))
	require.NoError(t, named(two, NewBitmap(9), 1).VerifyRoster(two, p.suite))
	for name, err := range map[string]error{
		"another roster":    p.notice.VerifyRoster(two, p.suite),
		"another gone":      with(named(two, nil, 1), func(n *Notice) { n.Gone = NewBitmap(9) }).VerifyRoster(two, p.suite),
		"gone of a genesis": named(two, NewBitmap(9), 0).VerifyRoster(two, p.suite),
		"in both":           named(two, NewBitmap(2), 1).VerifyRoster(two, p.suite),
		"bitmap":            with(named(two, nil, 0), func(n *Notice) { n.Members = p.roster.Bitmap() }).VerifyRoster(two, p.suite),
		"scheme":            named(two, nil, 0).VerifyRoster(two, suite.Ed448Hybrid),
		"depth":             with(named(two, nil, 0), func(n *Notice) { n.Common.Depth = 1 }).VerifyRoster(two, p.suite),
	} {
		require.ErrorIs(t, err, suite.ErrInvalid, name)
	}
	for name, r := range map[string]Roster{
		"none": {}, "order": {two[1], two[0]}, "twice": {two[0], two[0]},
		"schemes": {two[0], {2, suite.NewSigningKey(suite.Ed448).Public, BodyHash{}}},
		"beyond":  {{1 << piecesDepth, two[0].Signing, BodyHash{}}},
	} {
		_, err := ParseRoster(r.Encode(), piecesDepth)
		require.ErrorIs(t, err, wire.ErrMalformed, name)
	}
	a := Authenticator(p.keys.Authenticator, two, nil)
	require.NotEqual(t, a, Authenticator(p.keys.Authenticator, two, NewBitmap(3)))
	require.NotEqual(t, a, Authenticator(p.keys.Authenticator, two[:1], nil))
	require.NotEqual(t, a, Authenticator(p.keys.Header, two, nil))
}

// TestFingerprint: members, their places and their keys make the fingerprint, and nothing else does.
func TestFingerprint(t *testing.T) {
	p := newPieces(t, suite.Ed25519Hybrid)
	two := Roster{p.roster[0], {2, p.joiners[0].signing.Public, p.joiners[0].binding.Hash()}}
	a := two.Fingerprint(p.space)
	for name, other := range map[string]Roster{
		"none": {}, "one": two[:1], "another key": {two[0], {two[1].Index, suite.NewSigningKey(suite.Ed25519).Public, two[1].Body}},
		"another place":      {two[0], {two[1].Index + 1, two[1].Signing, two[1].Body}},
		"keys changed round": {{two[0].Index, two[1].Signing, two[0].Body}, {two[1].Index, two[0].Signing, two[1].Body}},
	} {
		require.NotEqual(t, a, other.Fingerprint(p.space), name)
	}
	require.NotEqual(t, a, two.Fingerprint(state.ID{1}))
	two[1].Body = BodyHash{1}
	require.Equal(t, a, two.Fingerprint(p.space), "what the key has signed beside it")
}

// TestBitmaps: a bitmap is the set that it was made of.
func TestBitmaps(t *testing.T) {
	indices := rapid.SliceOf(rapid.Custom(func(t *rapid.T) dkg.Index { return dkg.Index(rapid.IntRange(1, 200).Draw(t, "i")) }))
	rapid.Check(t, func(t *rapid.T) {
		a, b := indices.Draw(t, "a"), indices.Draw(t, "b")
		set := map[dkg.Index]bool{}
		both := false
		for _, i := range a {
			set[i] = true
		}
		for _, i := range b {
			both = both || set[i]
		}
		x, y := NewBitmap(a...), NewBitmap(b...)
		for i := range dkg.Index(210) {
			require.Equal(t, set[i], x.Has(i))
			require.Equal(t, x.Has(i) || y.Has(i), x.Union(y).Has(i))
		}
		require.Equal(t, both, x.Intersects(y))
		back, err := parseAll(encode(64, func(w *wire.Writer) { w.Vec32(x) }), 64, func(r *wire.Reader) Bitmap { return readBitmap(r, true) })
		require.NoError(t, err)
		require.Equal(t, len(x), len(back))
	})
}

// TestOwnerLists: keys of both schemes stand in one order, whoever wrote the list; the newer of two is the same for all.
func TestOwnerLists(t *testing.T) {
	p := newPieces(t, suite.Ed25519X25519)
	var keys []suite.PublicKey
	for range 4 {
		keys = append(keys, suite.NewSigningKey(suite.Ed25519).Public, suite.NewSigningKey(suite.Ed448).Public)
	}
	l, err := NewOwnerList(p.rootKey, p.origin, 1, 0, keys...)
	require.NoError(t, err)
	require.NoError(t, l.Verify(p.origin))
	for place, k := range l.Keys {
		require.Equal(t, place >= 4, k.Scheme() == suite.Ed448)
		at, ok := l.PlaceOf(k)
		require.True(t, ok)
		require.EqualValues(t, place, at)
	}
	_, ok := l.At(8)
	require.False(t, ok)
	_, ok = l.PlaceOf(p.owner.Public)
	require.False(t, ok)
	for name, keys := range map[string][]suite.PublicKey{"none": nil, "twice": {keys[0], keys[0]}, "17": append(append(keys, keys...), m2key)} {
		_, err := NewOwnerList(p.rootKey, p.origin, 1, 0, keys...)
		require.ErrorIs(t, err, suite.ErrInvalid, name)
	}
	swapped := l
	swapped.Keys = []suite.PublicKey{l.Keys[4], l.Keys[0]}
	_, err = ParseOwnerList(swapped.Encode())
	require.ErrorIs(t, err, wire.ErrMalformed)
	require.ErrorIs(t, with(l, func(l *OwnerList) { l.Counter++ }).Verify(p.origin), suite.ErrInvalid)
	other, err := NewOwnerList(p.rootKey, p.origin, 1, 0, keys[:2]...)
	require.NoError(t, err)
	later, err := NewOwnerList(p.rootKey, p.origin, 2, 0, keys[0])
	require.NoError(t, err)
	require.NotEqual(t, l.Newer(other), other.Newer(l))
	require.True(t, later.Newer(l))
	require.False(t, l.Newer(later))
}

// TestEpochIDs: the id of an epoch depends on everything that it is made of, and a root is never taken for a child.
func TestEpochIDs(t *testing.T) {
	p := newPieces(t, suite.Ed25519X25519)
	require.Equal(t, Genesis, p.notice.Common.Kind())
	require.Equal(t, ByRekey, with(p.notice.Common, func(c *Common) { c.Rekey = 1 }).Kind())
	seen := map[EpochID]bool{}
	shown, _, _ := p.commit(t, p.founder)
	core := shown.Commit.Core
	for _, place := range []Place{core.Place(p.space, p.id, 1), core.Place(p.space, p.id, 2), core.Place(p.space, EpochID{}, 1),
		core.Place(state.ID{}, p.id, 1), with(core, func(c *Core) { c.Maker++ }).Place(p.space, p.id, 1), p.place} {
		for _, kind := range []EpochKind{Genesis, ByCommit, ByRekey} {
			for _, check := range []Check{{}, p.notice.Check} {
				id := kind.ID(place, check)
				require.False(t, seen[id])
				seen[id] = true
			}
		}
	}
	require.NotEqual(t, Jitter(p.id, 1), Jitter(p.id, 2))
}

// TestLinks: links that no owner makes.
func TestLinks(t *testing.T) {
	p := newPieces(t, suite.Ed25519X25519)
	for _, m := range p.joiners {
		l := p.link(m)
		back, err := ParseLink(l.Encode().Expose())
		require.NoError(t, err)
		keys, err := back.Keys()
		require.NoError(t, err)
		require.Equal(t, m.keys.Tag, keys.Tag)
		require.Equal(t, m.keys.Admission.Public, keys.Admission.Public)
		require.True(t, back.Covers(m.binding.Index))
		require.False(t, back.Covers(12))
		b := append([]byte(nil), l.Encode().Expose()...)
		for at := 1; at < len(b); at++ {
			b[at] ^= 1
			_, err := ParseLink(b)
			require.ErrorIs(t, err, wire.ErrMalformed, at)
			b[at] ^= 1
		}
	}
	run := p.link(p.joiners[2])
	for name, l := range map[string]Link{
		"suite 0": with(run, func(l *Link) { l.Suite = 0 }), "suite 5": with(run, func(l *Link) { l.Suite = 5 }),
		"kind 1": with(run, func(l *Link) { l.Kind = 1 }), "first": with(run, func(l *Link) { l.First = 0 }),
		"none": with(run, func(l *Link) { l.Count = 0 }), "step": with(run, func(l *Link) { l.Step = 0 }),
		"beyond": with(run, func(l *Link) { l.First = dkg.MaxIndex }),
	} {
		_, err := ParseLink(l.Encode().Expose())
		require.ErrorIs(t, err, wire.ErrMalformed, name)
	}
}

package rekey_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/rekey"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// space is one with an owner and members 1 to n, of whom 1 has a seat.
type space struct {
	testing.TB
	id     state.ID
	owner  suite.SigningKey
	list   proto.OwnerList
	parent proto.EpochID
	node   secret.Bytes
	commit suite.AEAD
	inbox  map[dkg.Index]suite.KEMSecret
	roster proto.Roster
	kem    suite.KEM
}

func newSpace(t testing.TB, n int) *space {
	s := &space{TB: t, owner: suite.NewSigningKey(suite.Ed25519), parent: proto.EpochID{7}, node: secret.Random(32), inbox: map[dkg.Index]suite.KEMSecret{}, kem: suite.X25519}
	root := suite.NewSigningKey(suite.Ed25519)
	origin := proto.NewOrigin(root.Public)
	s.id = origin.Space()
	var err error
	s.list, err = proto.NewOwnerList(root, origin, 1, 0, s.owner.Public)
	require.NoError(t, err)
	s.commit = suite.NewAEAD(secret.Random(32))
	for i := dkg.Index(1); i <= dkg.Index(n); i++ {
		s.inbox[i] = suite.NewKEMSecret(s.kem)
		s.roster = append(s.roster, proto.RosterEntry{Index: i, Signing: suite.NewSigningKey(suite.Ed25519).Public, Body: proto.BodyHash{byte(i)}})
	}
	return s
}

func (s *space) recipients() (out []rekey.Recipient) {
	for _, e := range s.roster {
		out = append(out, rekey.Recipient{Index: e.Index, Inbox: s.inbox[e.Index].Public, Seat: e.Index == 1})
	}
	return out
}

func (s *space) plan() rekey.Plan {
	return rekey.Plan{
		Space: s.id, Owner: s.owner, Owners: s.list, Policy: proto.Policy{Suite: suite.Ed25519X25519}, Depth: dkg.DefaultDepth, Cursor: 100,
		Roster: s.roster, Gone: proto.NewBitmap(99), Recipients: s.recipients(),
		Parent:  rekey.Parent{ID: s.parent, Rekey: 2, Commit: s.commit, Keys: s.keys},
		Records: func(rekey.New) []proto.Record { return nil },
	}
}

func (s *space) keys(place proto.Place, x secret.Bytes) (proto.EpochKeys, error) {
	return proto.DeriveKeys(proto.EpochSecret(s.node, x), place), nil
}

func (s *space) self(i dkg.Index) rekey.Self {
	return rekey.Self{Space: s.id, Index: i, Inboxes: []suite.KEMSecret{suite.NewKEMSecret(s.kem), s.inbox[i]}, Rekey: 2, Depth: dkg.DefaultDepth}
}

func (s *space) made(d rekey.Draft) (rekey.New, []byte) {
	n, wholes, err := d.Make(s.plan())
	require.NoError(s, err)
	require.Len(s, wholes, 1)
	return n, wholes[0].Bytes
}

// sealed returns a draft with all boxes.
func (s *space) sealed() rekey.Draft {
	d, left, err := rekey.NewDraft(rekey.Wish{Remove: []dkg.Index{99}}).Seal(s.id, s.recipients(), 1<<20)
	require.NoError(s, err)
	require.Zero(s, left)
	return d
}

// Who is listed gets its share, x, and what all are told; who has a seat also the polynomial. Who is not reads nothing but the notice, and
// that only with the key of the parent.
func TestOpen(t *testing.T) {
	s := newSpace(t, 5)
	n, whole := s.made(s.sealed())
	name := proto.NameOfRekey(n.ID)
	for i := dkg.Index(1); i <= 5; i++ {
		k, err := rekey.Look(s.self(i), name, rekey.Source{}, whole)
		require.NoError(t, err)
		require.True(t, k.Mine())
		_, err = k.Notice(s.id, s.parent, suite.NewAEAD(secret.Random(32)))
		require.ErrorIs(t, err, suite.ErrNotOpened)
		notice, err := k.Notice(s.id, s.parent, s.commit)
		require.NoError(t, err)
		said, err := k.Open(s.self(i), notice)
		require.NoError(t, err)
		require.NoError(t, n.Template.Public.Verify(said.Share))
		require.True(t, n.X.Equal(said.X))
		require.Equal(t, i == 1, said.Seat)
		require.Len(t, said.Boxes, 5)
		box, _, ok := rekey.OpenHandedOn(s.self(i), said.Boxes[i-1].Box)
		require.True(t, ok)
		require.True(t, box.Share.Equal(said.Share))
	}
	removed := s.self(99)
	removed.Inboxes = []suite.KEMSecret{suite.NewKEMSecret(s.kem)}
	k, err := rekey.Look(removed, name, rekey.Source{}, whole)
	require.NoError(t, err)
	require.False(t, k.Mine())
	notice, err := k.Notice(s.id, s.parent, s.commit)
	require.NoError(t, err)
	require.False(t, notice.Members.Has(99))
	_, err = k.Open(removed, notice)
	require.Error(t, err)
	_, err = rekey.Look(removed, name, rekey.Source{}, whole[1:])
	require.ErrorIs(t, err, wire.ErrMalformed)
	for _, long := range []proto.Rekey{
		{Notice: make([]byte, 20<<10), Wholes: 1, Content: make([]byte, 99), Owners: make([]byte, 99)},
		{Notice: make([]byte, 99), Ways: proto.Ways{Own: make(proto.Way, 5)}, Wholes: 1, Content: make([]byte, 99), Owners: make([]byte, 99)},
	} {
		for k := range long.Ways.Own {
			long.Ways.Own[k] = make(proto.Sealed, 400)
		}
		b, err := long.Encode()
		require.NoError(t, err)
		_, err = rekey.Look(removed, name, rekey.Source{}, b)
		require.ErrorIs(t, err, wire.ErrMalformed, "what is tried with every epoch is bounded")
	}
	deep := proto.Notice{Members: proto.NewBitmap(1<<(dkg.DefaultDepth+2) - 1), Gone: proto.NewBitmap(1<<(dkg.DefaultDepth+2) - 2), Owners: s.list}
	b, err := proto.Rekey{Notice: s.commit.Seal(nil, deep.Encode(), nil), Wholes: 1, Content: make([]byte, 99), Owners: make([]byte, 99)}.Encode()
	require.NoError(t, err)
	_, err = rekey.Look(removed, name, rekey.Source{}, b)
	require.NoError(t, err, "members and who is gone, of a root that is 2 deeper")
	late := s.self(2)
	late.Rekey = 0
	k, err = rekey.Look(late, name, rekey.Source{}, whole)
	require.NoError(t, err)
	require.True(t, k.Mine(), "some rekeys behind")
}

// A draft is sealed by and by; a box is made again if the inbox key or the seat of its member changed. It goes through a vault at any step.
func TestDraftIsSealedByAndBy(t *testing.T) {
	s := newSpace(t, 10)
	d := rekey.NewDraft(rekey.Wish{Remove: []dkg.Index{99}})
	for want := 7; want > -3; want -= 3 {
		next, left, err := reload(t, rekey.Rekeys{Draft: d}).Draft.Seal(s.id, s.recipients(), 3)
		require.NoError(t, err)
		require.Equal(t, max(0, want), left)
		d = next
	}
	require.Equal(t, 10, d.Sealed(s.recipients()))
	require.Equal(t, []dkg.Index{3, 99}, d.Wishing(rekey.Wish{Remove: []dkg.Index{3}}).Wish().Remove)
	s.inbox[4] = suite.NewKEMSecret(s.kem)
	require.Equal(t, 9, d.Sealed(s.recipients()))
	d, left, err := d.Seal(s.id, s.recipients(), 3)
	require.NoError(t, err)
	require.Zero(t, left)
	n, whole := s.made(d)
	k, err := rekey.Look(s.self(4), proto.NameOfRekey(n.ID), rekey.Source{}, whole)
	require.NoError(t, err)
	require.True(t, k.Mine())
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", d, d, d), "polynomial")
}

// Who says another's inbox key makes no rekey that nobody can read.
func TestOneInboxKeyOfTwo(t *testing.T) {
	s := newSpace(t, 3)
	s.inbox[3] = s.inbox[2]
	n, whole := s.made(s.sealed())
	k, err := rekey.Look(s.self(2), proto.NameOfRekey(n.ID), rekey.Source{}, whole)
	require.NoError(t, err)
	require.True(t, k.Mine())
	k, err = rekey.Look(s.self(3), proto.NameOfRekey(n.ID), rekey.Source{}, whole)
	require.NoError(t, err)
	require.True(t, k.Mine(), "whichever of them holds it")
}

// What is too long without a box is refused when it is made.
func TestTooLong(t *testing.T) {
	s := newSpace(t, 2)
	d := s.sealed()
	p := s.plan()
	p.Records = func(rekey.New) []proto.Record { return make([]proto.Record, 60_000) }
	_, _, err := d.Make(p)
	require.ErrorIs(t, err, outcome.ErrTooLong)
}

// Wholes that wait are bounded: those without a box go first, then the oldest.
func TestKeptAreBounded(t *testing.T) {
	s := newSpace(t, 2)
	var r rekey.Rekeys
	n, whole := s.made(s.sealed())
	mine, err := rekey.Look(s.self(2), proto.NameOfRekey(n.ID), rekey.Source{}, whole)
	require.NoError(t, err)
	r, mine = r.Keep(mine)
	for i := range 20 {
		k, err := rekey.Look(rekey.Self{Space: s.id, Index: 9, Depth: dkg.DefaultDepth}, proto.Name{byte(i)}, rekey.Source{}, whole)
		require.NoError(t, err)
		r, _ = r.Keep(k)
	}
	all := reload(t, r).All()
	require.Len(t, all, 8)
	require.Equal(t, mine.Name(), all[0].Name())
	require.True(t, slices.ContainsFunc(r.All(), rekey.Kept.Mine))
	require.False(t, slices.ContainsFunc(r.Without(mine).All(), rekey.Kept.Mine))
	_, _, ok := all[0].OwnBox(s.self(2))
	require.True(t, ok)
}

// A whole that somebody changed takes the place of none, and a source with many does not push out what came from another one.
func TestChangedWholesTakeNoPlace(t *testing.T) {
	s := newSpace(t, 2)
	n, whole := s.made(s.sealed())
	name := proto.NameOfRekey(n.ID)
	look := func(from byte, change func(*proto.Rekey)) rekey.Kept {
		k, err := proto.ParseRekey(whole)
		require.NoError(t, err)
		change(&k)
		b, err := k.Encode()
		require.NoError(t, err)
		out, err := rekey.Look(s.self(2), name, rekey.Source{from}, b)
		require.NoError(t, err)
		return out
	}
	r, _ := rekey.Rekeys{}.Keep(look(1, func(*proto.Rekey) {}))
	r, _ = r.Keep(look(2, func(k *proto.Rekey) { k.Boxes = nil }))
	require.Len(t, r.All(), 2)
	for i := range byte(20) {
		r, _ = r.Keep(look(2, func(k *proto.Rekey) { k.Content = append([]byte{i}, k.Content...) }))
		r, _ = r.Keep(look(3, func(*proto.Rekey) {})) // known already
	}
	all := reload(t, r).All()
	require.Len(t, all, 8)
	said, err := all[0].Open(s.self(2), n.Notice)
	require.NoError(t, err, "the honest one")
	require.True(t, said.X.Equal(n.X))
}

// Boxes are kept of members that were not heard, by root.
func TestBoxesOfTheUnheard(t *testing.T) {
	s := newSpace(t, 3)
	n, _ := s.made(s.sealed())
	r := rekey.Rekeys{}.Post(rekey.NewPosted(n.ID, rekey.Wish{}, twoWholes, 2, 3)).WithBoxes(n.ID, n.Boxes, func(i dkg.Index) bool { return i != 1 })
	r = reload(t, r)
	require.Nil(t, r.Box(n.ID, 1))
	require.Equal(t, n.Boxes[1].Box, r.Box(n.ID, 2))
	r, had := r.Heard(n.ID, 2)
	require.True(t, had)
	require.Nil(t, r.Box(n.ID, 2))
	_, had = r.Heard(n.ID, 2)
	require.False(t, had)
	require.NotNil(t, r.Box(n.ID, 3))
	require.Nil(t, r.WithoutRoot(n.ID).Box(n.ID, 3))
}

// part is Rekeys as the part of a stored value.
type part struct{ rekey.Rekeys }

func (p part) Encode(e *state.Encoder) { p.Rekeys.Encode(e) }
func (part) Decode(d *state.Decoder) (p part, err error) {
	p.Rekeys, err = p.Rekeys.Decode(d)
	return p, err
}
func (part) Succeeds(part) error { return nil }

// reload takes rekeys through a vault.
func reload(t require.TestingT, r rekey.Rekeys) rekey.Rekeys {
	v, err := state.NewOne(state.ID{1}, part{r})
	require.NoError(t, err)
	key, err := state.NewKey(make([]byte, 32))
	require.NoError(t, err)
	backend := store.NewMemory()
	open := func() *state.Vault[state.One[part]] {
		w, err := state.Open[state.One[part]](context.Background(), backend, key, state.Options{})
		require.NoError(t, err)
		return w
	}
	require.NoError(t, open().Create(context.Background(), v, nil))
	got, err := open().Load(context.Background(), state.ID{1})
	require.NoError(t, err)
	require.True(t, got.Equal(v))
	return got.Part().Rekeys
}

// What a rekey is to change is kept with the draft and with what was posted; of two wishes the later one counts.
func TestWishesAreKept(t *testing.T) {
	key, policy := suite.NewSigningKey(suite.Ed448).Public, proto.Policy{Suite: suite.Ed25519X25519, RekeyInterval: 7}
	w := rekey.Wish{Remove: []dkg.Index{9, 2}, Owners: []suite.PublicKey{key}, Roles: []proto.Grant{{Index: 4, Rights: proto.MayRemove}, {Index: 5}}}.
		And(rekey.Wish{Remove: []dkg.Index{2, 1}, Policy: policy, Roles: []proto.Grant{{Index: 4}}})
	want := rekey.Wish{Remove: []dkg.Index{1, 2, 9}, Owners: []suite.PublicKey{key}, Policy: policy, Roles: []proto.Grant{{Index: 4}, {Index: 5}}}
	require.Equal(t, want, w)
	require.True(t, w.Removes(9))
	require.False(t, w.Removes(3))
	r := reload(t, rekey.Rekeys{Draft: rekey.NewDraft(w)}.Post(rekey.NewPosted(proto.EpochID{1}, w, twoWholes, 2, 3)))
	require.Equal(t, want, r.Draft.Wish())
	require.Equal(t, want, r.Posted[0].Wish)
	require.Equal(t, twoWholes, r.Posted[0].Wholes())
	require.True(t, rekey.Wish{}.IsZero())
	require.False(t, w.IsZero())

	var many rekey.Wish // of several rekeys that lost
	for i := range dkg.Index(proto.MaxRoles + 1) {
		many.Roles = append(many.Roles, proto.Grant{Index: i + 1})
	}
	require.Equal(t, many, reload(t, rekey.Rekeys{Draft: rekey.NewDraft(many)}).Draft.Wish())
}

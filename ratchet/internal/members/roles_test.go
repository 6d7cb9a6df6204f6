package members_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// role returns an owner's word that a person has rights in a root.
func (w *world) role(t members.Terms, owner suite.SigningKey, p person, rights proto.Rights) proto.Role {
	return proto.Sign(proto.Role{Root: t.ID(), By: place(t, owner), Index: p.index, Key: p.signing.Public, Rights: rights}, w.space, owner)
}

// removal returns what a member says that removes others by its role.
func (w *world) removal(by proto.Role, key suite.SigningKey, indices ...dkg.Index) proto.Revoke {
	return proto.Sign(proto.Revoke{Said: proto.Said{Root: by.Root, Role: by}, Epoch: w.epoch, Indices: indices}, w.space, key)
}

// A member with the right removes others at once, and loses none of their messages; owners it does not, and indices of nobody it does not
// use up. Two that remove one another are both gone, in whatever order that is heard, and whoever is gone already is believed no less.
func TestRemovalByRole(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.join(5), w.join(6), w.join(7)
	r := w.member(w.member(members.NewRoot(w.terms), a), b)
	first, second := w.role(w.terms, w.owners[0], a, proto.MayRemove), w.role(w.terms, w.owners[1], b, proto.MayRemove|proto.MayTitle)
	said := []proto.Statement{w.removal(first, a.signing, 1, 6, 7), w.removal(second, b.signing, 5)}
	for _, order := range [][]int{{0, 1}, {1, 0}} {
		x := r
		for _, k := range order {
			var change members.Change
			x, change = w.apply(x, said[k])
			require.Equal(t, []dkg.Index{[]dkg.Index{6, 5}[k]}, change.Gone)
		}
		require.Equal(t, proto.NewBitmap(5, 6), x.GoneSet(), "7 is nobody's yet, 1 is an owner's")
		require.Equal(t, members.AfterRemoval, x.Fate(b.maker(), w.epoch, func(proto.EpochID, proto.EpochID) bool { return true }))
		_, change, err := x.Introduce(c.introduction(), members.Via{})
		require.NoError(t, err)
		require.Equal(t, []dkg.Index{7}, change.LetInGone)
		require.True(t, equal(t, x, loaded(t, x)))
		require.False(t, x.Readmits(r))
		require.True(t, r.Readmits(x))
	}
	require.Empty(t, r.Rights(b.maker()), "what is said by a role gives it to nobody")
	next, change := w.apply(r, second)
	require.Equal(t, []dkg.Index{6}, change.Appointed)
	require.Equal(t, proto.MayRemove|proto.MayTitle, next.Rights(b.maker()))
	require.Equal(t, []proto.Grant{{Index: 6, Rights: proto.MayRemove | proto.MayTitle}}, next.Roles(func(uint8) bool { return true }))
	require.Empty(t, next.Roles(func(p uint8) bool { return p != place(w.terms, w.owners[1]) }), "of an owner that does not stay")
}

// A role ends with its root: neither it nor what was said by it counts in the next one, but in a notice that took it over.
func TestRoleEndsWithItsRoot(t *testing.T) {
	w := newWorld(t)
	a, b := w.join(5), w.join(6)
	role := w.role(w.terms, w.owners[0], a, proto.MayRemove)
	old, _ := w.apply(w.member(w.member(members.NewRoot(w.terms), a), b), role)
	old, _ = w.apply(old, w.removal(role, a.signing, 6))
	later := members.NewRoot(w.root(1, w.owners, proto.Roster{
		{Index: 1, Signing: w.founder.signing.Public, Body: w.founder.binding.Hash()},
		{Index: 5, Signing: a.signing.Public, Body: a.binding.Hash()}, {Index: 6, Signing: b.signing.Public, Body: b.binding.Hash()},
	}, nil))
	for _, s := range []proto.Statement{role, w.removal(role, a.signing, 6), w.removal(w.role(later.Terms, w.owners[0], a, proto.MayRemove), b.signing, 5)} {
		_, _, err := later.Apply(s, members.Older, now)
		require.Error(t, err)
	}
	r, _ := later.Succeed(old, nil, 1, now)
	require.False(t, r.Gone(6))
	require.Empty(t, r.Rights(a.maker()))
	require.Equal(t, []dkg.Index{6}, old.RemovedBy(a.maker()), "and so its member can say it again")
}

// What one member says by its role is bounded, and what contains it takes its place.
func TestRemovalsAreBounded(t *testing.T) {
	w := newWorld(t)
	a := w.join(5)
	role := w.role(w.terms, w.owners[0], a, proto.MayRemove)
	r := w.member(members.NewRoot(w.terms), a)
	var all []dkg.Index
	for i := dkg.Index(10); i < 60; i++ {
		all = append(all, i)
		r, _ = w.apply(r, w.removal(role, a.signing, all...))
	}
	for i := dkg.Index(100); i < 115; i++ {
		r, _ = w.apply(r, w.removal(role, a.signing, i))
	}
	_, _, err := r.Apply(w.removal(role, a.signing, 200), members.Older, now)
	require.ErrorIs(t, err, members.ErrLimit)
	require.Equal(t, dkg.Index(114), r.RemovedBy(a.maker())[len(r.RemovedBy(a.maker()))-1])
}

// What another member removed stands for nobody's own word: neither takes the other's place at the bound, and each says its own again in the
// next root.
func TestRemovalsOfOthersStay(t *testing.T) {
	w := newWorld(t)
	a, b := w.join(5), w.join(6)
	r := w.member(w.member(members.NewRoot(w.terms), a), b)
	one, other := w.role(w.terms, w.owners[0], a, proto.MayRemove), w.role(w.terms, w.owners[1], a, proto.MayRemove)
	of := w.role(w.terms, w.owners[0], b, proto.MayRemove)
	r, _ = w.apply(r, w.removal(of, b.signing, 20))
	r, _ = w.apply(r, w.removal(one, a.signing, 20, 21))
	for i := dkg.Index(100); i < 115; i++ {
		r, _ = w.apply(r, w.removal(one, a.signing, i))
	}
	_, _, err := r.Apply(w.removal(one, a.signing, 200), members.Older, now)
	require.ErrorIs(t, err, members.ErrLimit, "the word of the other one goes for none of its own")
	require.Equal(t, []dkg.Index{20}, r.RemovedBy(b.maker()))
	r, _ = w.apply(r, w.removal(other, a.signing, 20, 21, 22))
	require.Equal(t, []dkg.Index{20}, r.RemovedBy(b.maker()))
	require.Contains(t, r.RemovedBy(a.maker()), dkg.Index(22), "by whichever role")
	require.True(t, equal(t, r, loaded(t, r)))
}

package members_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

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

// What one member says by its role is bounded. Whatever it says, in whatever order that is heard, all come to the same, and a state that
// heard more succeeds one that heard less. Who removes one after the other, each time with those before, loses none.
func TestRemovalsAreBounded(t *testing.T) {
	w := newWorld(t)
	a, b := w.join(5), w.join(6)
	one, other := w.role(w.terms, w.owners[0], a, proto.MayRemove), w.role(w.terms, w.owners[1], a, proto.MayRemove)
	of := w.role(w.terms, w.owners[0], b, proto.MayRemove)
	r := w.member(w.member(members.NewRoot(w.terms), a), b)
	for i := dkg.Index(10); i < 40; i++ {
		r = w.member(r, w.join(i))
	}
	honest := r
	var all []dkg.Index
	for i := dkg.Index(10); i < 40; i++ {
		all = append(all, i)
		honest, _ = w.apply(honest, w.removal(one, a.signing, all...))
	}
	require.Equal(t, all, honest.RemovedBy(a.maker()))

	said := []proto.Statement{w.removal(of, b.signing, 20)}
	for i := dkg.Index(10); i < 38; i++ {
		said = append(said, w.removal([]proto.Role{one, other}[i%2], a.signing, []dkg.Index{i, i + 1, i + 2}[:1+i%3]...))
	}
	rapid.Check(t, func(t *rapid.T) {
		x, y := r, r
		for _, s := range said {
			x = heard(x, s)
		}
		for _, s := range rapid.Permutation(said).Draw(t, "order") {
			before := y
			y = heard(y, s)
			require.False(t, y.Readmits(before))
		}
		require.Equal(t, x.GoneSet(), y.GoneSet())
		require.Equal(t, []dkg.Index{20}, y.RemovedBy(b.maker()), "the word of one goes for none of another's")
		require.Equal(t, x.RemovedBy(a.maker()), y.RemovedBy(a.maker()))
	})
	for _, s := range said {
		r = heard(r, s)
	}
	require.True(t, equal(t, r, loaded(t, r)))
	require.True(t, members.NewRoot(w.terms).Readmits(r))
}

// heard returns a root after a statement that may come too late to count.
func heard(r members.Root, s proto.Statement) members.Root {
	if next, _, err := r.Apply(s, members.Older, now); err == nil {
		return next
	}
	return r
}

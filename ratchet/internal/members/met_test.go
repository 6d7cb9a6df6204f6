package members_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// reissued is the root of a rekey that issued the invite of a person again.
func (w *world) reissued(rekey uint64, p person) members.Root {
	terms := w.root(rekey, w.owners, proto.Roster{entry(w.founder)}, nil)
	r, _, err := members.NewRoot(terms).AddRecord(w.again(terms, p), 1)
	require.NoError(w.t, err)
	return r
}

// What is read in the root before a rekey after that was entered makes its sender known in the new one, if its invite was issued again; not if
// that is closed or past its lifetime there, or the index is gone: then it may be of somebody who was removed and has the link (R2).
func TestReadAfterARekey(t *testing.T) {
	w := newWorld(t)
	p := w.twins(1)[0]
	old, next := w.member(members.NewRoot(w.terms), p), w.reissued(1, p)
	name := p.record.Certificate.Name()
	r, c, met := next.Meet(old, p.index, now)
	require.True(t, met)
	require.Equal(t, []dkg.Index{p.index}, c.Came)
	b, ok := loaded(t, r).ListedBinding(p.index)
	require.True(t, ok)
	require.Equal(t, p.maker(), b.Maker)
	require.True(t, b.Met())
	require.False(t, b.Heard())
	require.True(t, b.Profiled)
	require.Equal(t, next.ID(), b.Credential.Certificate.Root)
	require.Empty(t, r.Uncovered(old, now))
	same, _, met := r.Meet(old, p.index, now)
	require.False(t, met)
	require.True(t, equal(t, r, same))

	closed, _ := w.apply(next, proto.Sign(proto.Close{Said: proto.Said{Root: next.ID(), By: place(next.Terms, w.owners[0])}, Invite: name}, w.space, w.owners[0]))
	gone, _ := w.apply(next, w.revoke(next.Terms, w.owners[0], p.index))
	for _, over := range []struct {
		root members.Root
		at   int64
	}{{closed, now}, {gone, now}, {next, now + 30*hour}, {members.NewRoot(next.Terms), now}} {
		r, _, met := over.root.Meet(old, p.index, over.at)
		require.False(t, met)
		_, known := r.ListedBinding(p.index)
		require.False(t, known)
	}
}

// Of several bindings the one that was read first stays the listed one when a further one is read in the root before, after others were read in
// this one, and when a further one was read in a root of the same generation.
func TestLateReadingTakesNoPlace(t *testing.T) {
	w := newWorld(t)
	twins := w.twins(3)
	old := members.NewRoot(w.terms)
	for _, p := range twins {
		old = w.introduce(old, p)
	}
	next, beside := w.reissued(1, twins[0]), w.reissued(1, twins[0])
	under := func(r members.Root, p person) person { p.record = w.again(r.Terms, p); return p }
	listed := func(r members.Root) members.Maker {
		b, _ := loaded(t, r).ListedBinding(runFirst)
		return b.Maker
	}
	carried, _, _ := next.Meet(w.read(old, twins[0]), runFirst, now)
	carried = w.read(w.introduce(carried, under(next, twins[1])), twins[1])
	carried, _, met := carried.Meet(w.read(w.read(old, twins[0]), twins[2]), runFirst, now)
	require.True(t, met)
	require.Len(t, carried.Bindings(runFirst), 3)
	require.Equal(t, twins[0].maker(), listed(carried))

	require.NotEqual(t, next.ID(), beside.ID())
	read := w.read(w.introduce(next, under(next, twins[1])), twins[1])
	other := w.read(w.introduce(w.introduce(beside, under(beside, twins[0])), under(beside, twins[1])), twins[0])
	both, c, _ := read.Meet(w.read(other, twins[1]), runFirst, now)
	require.Equal(t, []dkg.Index{runFirst}, c.Came)
	require.Equal(t, []dkg.Index{runFirst}, c.Conflicts)
	require.Len(t, both.Bindings(runFirst), 2)
	require.Equal(t, twins[1].maker(), listed(both))
	none, _, _ := next.Meet(other, runFirst, now)
	require.Equal(t, twins[0].maker(), listed(none))
}

// Whoever was read in an older root is not counted among those whom a member introduced in vain: a member that introduces all who came to a new root
// is heard of each (D72).
func TestWhoWasReadIsIntroducedWithoutABound(t *testing.T) {
	w := newWorld(t)
	x, keys := w.invite(w.terms, dkg.Public, runFirst)
	old := members.NewRoot(w.terms)
	next := members.NewRoot(w.root(1, w.owners, proto.Roster{entry(w.founder)}, nil))
	again := w.again(next.Terms, w.bind(x, keys, runFirst))
	for k := range 5 * 64 {
		p := w.bind(x, keys, runFirst+dkg.Index(k%64))
		old = w.read(w.introduce(old, p), p)
		p.record = again
		var err error
		next, _, err = next.Introduce(p.introduction(), members.Via{By: 9})
		require.NoError(t, err)
		next, _, _ = next.Meet(old, p.index, now)
		_, known := next.Binding(p.maker())
		require.True(t, known, k)
		if k%64 == 0 {
			next = loaded(t, next)
		}
	}
}

// Whoever was read two roots before the preferred one, and is known in neither that nor its notice, is found in the root between.
func TestUncoveredByARootBetween(t *testing.T) {
	w := newWorld(t)
	p := w.join(5)
	old := w.member(members.NewRoot(w.terms), p)
	between, _ := members.NewRoot(w.root(1, w.owners, proto.Roster{entry(w.founder)}, nil)).Succeed(old, nil, 1, now)
	require.False(t, between.Met(p.index))
	between, _ = w.reissued(1, p).Succeed(old, nil, 1, now)
	require.True(t, between.Met(p.index))
	last := members.NewRoot(w.root(2, w.owners, proto.Roster{entry(w.founder)}, nil))
	found := last.Uncovered(between, now)
	require.Len(t, found, 1)
	require.Equal(t, p.maker(), found[0].Maker)
}

// A rekey is due for whoever is gone and known, also if nothing of it was read, until a notice has it in gone; afterwards only if it is heard
// all the same.
func TestWhoIsGoneIsKeptOut(t *testing.T) {
	w := newWorld(t)
	p := w.twins(1)[0]
	r := w.introduce(members.NewRoot(w.terms), p)
	require.False(t, r.ListsGone())
	r, _ = w.apply(r, w.revoke(w.terms, w.owners[0], p.index))
	require.True(t, r.ListsGone())
	terms := w.root(1, w.owners, proto.Roster{entry(w.founder)}, r.GoneSet())
	p.record = w.again(terms, p)
	next, _, err := members.NewRoot(terms).AddRecord(p.record, 1)
	require.NoError(t, err)
	next = w.introduce(next, p)
	require.False(t, next.ListsGone())
	require.True(t, w.read(next, p).ListsGone())
}

// Of one key with two bodies nothing that was said under the one is taken for the other.
func TestOneKeyWithTwoBodiesInTwoRoots(t *testing.T) {
	w := newWorld(t)
	p := w.join(5)
	other := w.bind(p.record, p.keys, 5)
	other.signing, other.rest.App = p.signing, []byte("another rest")
	other.binding = proto.NewBinding(w.space, 5, other.rest.Hash(), p.keys.Admission, p.signing)
	r, _ := members.NewRoot(w.root(1, w.owners, proto.Roster{entry(w.founder), entry(other)}, nil)).
		Succeed(w.member(members.NewRoot(w.terms), p), nil, 1, now)
	b, ok := r.ListedBinding(5)
	require.True(t, ok)
	require.Equal(t, other.binding.Hash(), b.Body)
	require.False(t, b.Profiled)
}

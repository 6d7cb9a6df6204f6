package members_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// Of two bindings that one is listed that the notice has, or a bind names, or was read first, or has the smaller hash; an owner's
// bind decides for all, and a later one of the owner before it in the list changes it (§9).
func TestListing(t *testing.T) {
	w := newWorld(t)
	twins := w.twins(3)
	slices.SortFunc(twins, func(a, b person) int { x, y := a.binding.Hash(), b.binding.Hash(); return slices.Compare(x[:], y[:]) })
	r := members.NewRoot(w.terms)
	listed := func() suite.PublicKey {
		b, ok := r.ListedBinding(runFirst)
		require.True(t, ok)
		return b.Key
	}
	for _, k := range []int{2, 1, 0} {
		r = w.introduce(r, twins[k])
	}
	require.Equal(t, twins[0].signing.Public, listed(), "the smaller hash")
	r = w.read(r, twins[2])
	require.Equal(t, twins[2].signing.Public, listed(), "read first")
	r = w.read(r, twins[1])
	require.Equal(t, twins[2].signing.Public, listed())

	first, second := w.owners[0], w.owners[1]
	if place(w.terms, second) == 0 {
		first, second = second, first
	}
	r, c := w.apply(r, w.bound(w.terms, second, twins[1]))
	require.Equal(t, twins[1].signing.Public, listed())
	require.Equal(t, []members.KeyChange{{Index: runFirst, Old: twins[2].binding.Hash(), New: twins[1].binding.Hash()}}, c.KeyChanged)
	r, _ = w.apply(r, w.bound(w.terms, first, twins[0]))
	require.Equal(t, twins[0].signing.Public, listed(), "the owner whose place is lower")
	_, _, err := r.Apply(w.bound(w.terms, first, twins[0]), members.Older, now)
	require.ErrorIs(t, err, members.ErrStale)
	b, ok := r.ListedBinding(1)
	require.True(t, ok)
	require.Equal(t, w.founder.signing.Public, b.Key)
}

// A bind is owed again by the owner that signed it when a message of a binding was read that lost by it: an hour after it was said, and
// then after twice as long each time, however much that binding says.
func TestBindIsOwedAgain(t *testing.T) {
	w := newWorld(t)
	twins := w.twins(2)
	owner := w.owners[0]
	at := place(w.terms, owner)
	r := w.read(w.introduce(w.introduce(members.NewRoot(w.terms), twins[0]), twins[1]), twins[0])
	said := w.bound(w.terms, owner, twins[0])
	r, _ = w.apply(r, said)
	winner, loser := twins[0].maker(), twins[1].maker()
	var owed []members.Millis
	for passed := members.Millis(0); passed < 48*hour; passed += hour / 4 {
		for _, none := range []func() bool{
			func() bool { _, _, ok := r.Unheeded(winner, at, now+passed); return ok },
			func() bool { _, _, ok := r.Unheeded(loser, at+1, now+passed); return ok },
		} {
			require.False(t, none())
		}
		next, s, ok := r.Unheeded(loser, at, now+passed)
		if r = next; ok {
			require.Equal(t, said, s)
			owed = append(owed, passed/hour)
		}
	}
	require.Equal(t, []members.Millis{1, 3, 7, 15, 31}, owed)
}

// Besides the listed one 4 bindings of an index are held. Of those nobody read the oldest gives way; if all were read a further
// one waits until a bind names it or a message below its commits is to be read (D15).
func TestFifthBindingIsRetained(t *testing.T) {
	w := newWorld(t)
	twins := w.twins(8)
	r := members.NewRoot(w.terms)
	for _, p := range twins[:5] {
		r = w.introduce(r, p)
	}
	r = w.introduce(r, twins[5])
	require.Len(t, r.Bindings(runFirst), 5)
	r = members.NewRoot(w.terms)
	for _, p := range twins[:5] {
		r = w.read(w.introduce(r, p), p)
	}
	before := r
	r, c, err := r.Introduce(twins[5].introduction(), members.Via{})
	require.ErrorIs(t, err, members.ErrLimit)
	require.Empty(t, c)
	require.True(t, equal(t, before, r))

	named, _ := w.apply(r, w.bound(w.terms, w.owners[0], twins[6]))
	named = w.introduce(named, twins[6])
	b, _ := named.ListedBinding(runFirst)
	require.Equal(t, twins[6].signing.Public, b.Key)

	r, c, err = r.Introduce(twins[7].introduction(), members.Via{Needed: true})
	require.NoError(t, err)
	require.Equal(t, []dkg.Index{runFirst}, c.Conflicts)
	_, ok := r.Binding(twins[7].maker())
	require.True(t, ok)
}

// However many bindings of one index others write under, a bounded number is kept, and what is stored is read again. One of which nothing
// was read gives way to a further one; where all were read it waits.
func TestBindingsOfOneIndexAreBounded(t *testing.T) {
	w := newWorld(t)
	twins := w.twins(260)
	unread, read := members.NewRoot(w.terms), members.NewRoot(w.terms)
	var last error
	for _, p := range twins {
		next, _, err := unread.Admit(p.credential(), members.Via{Needed: true})
		require.NoError(t, err)
		unread = next
		if next, _, last = read.Admit(p.credential(), members.Via{Needed: true}); last == nil {
			read = w.read(next, p)
		}
	}
	require.ErrorIs(t, last, members.ErrLimit)
	for _, r := range []members.Root{unread, read} {
		require.Len(t, r.Bindings(runFirst), 256)
		require.Len(t, loaded(t, r).Bindings(runFirst), 256)
	}
	_, known := unread.Binding(twins[259].maker())
	require.True(t, known)
	read, _ = w.apply(read, w.bound(w.terms, w.owners[0], twins[259]))
	read = w.introduce(read, twins[259])
	require.Len(t, loaded(t, read).Bindings(runFirst), 257, "an owner names it")
}

// Who was read in an older root gives way to none of which nothing was read.
func TestReadInAnOlderRootGivesWayToNobody(t *testing.T) {
	w := newWorld(t)
	twins := w.twins(7)
	old := w.member(members.NewRoot(w.terms), twins[0])
	terms := w.root(1, w.owners, proto.Roster{entry(w.founder)}, nil)
	again := w.again(terms, twins[0])
	r, _ := members.NewRoot(terms).Succeed(old, []proto.Record{again}, 1, now)
	for k := range twins {
		twins[k].record = again
	}
	r, _ = w.apply(w.introduce(r, twins[1]), w.bound(terms, w.owners[0], twins[1])) // else whoever was read is the listed one
	for _, p := range twins[2:] {
		r = w.introduce(r, p)
	}
	require.Len(t, r.Bindings(runFirst), 5)
	b, known := r.Binding(twins[0].maker())
	require.True(t, known)
	require.True(t, b.Met())
	require.False(t, b.Heard())
}

// Of bindings that one member introduced and nobody read 256 are kept. They take no place from one that was read (D72).
func TestIntroducedOnlyGivesWay(t *testing.T) {
	w := newWorld(t)
	x, keys := w.invite(w.terms, dkg.Public, runFirst)
	r := members.NewRoot(w.terms)
	heard := w.bind(x, keys, runFirst)
	r = w.member(r, heard)
	known := 0
	for k := range 300 {
		p := w.bind(x, keys, runFirst+dkg.Index(k%64))
		var err error
		r, _, err = r.Introduce(p.introduction(), members.Via{By: 9})
		require.NoError(t, err)
	}
	for k := range dkg.Index(64) {
		known += len(r.Bindings(runFirst + k))
	}
	require.LessOrEqual(t, known, 257)
	require.Greater(t, known, 200)
	b, _ := r.ListedBinding(runFirst)
	require.Equal(t, heard.signing.Public, b.Key)
	r, _, err := r.Introduce(w.bind(x, keys, runFirst+3).introduction(), members.Via{By: 10})
	require.NoError(t, err, "another member's count for themselves")
	r = w.member(r, w.bind(x, keys, runFirst+5))
	require.True(t, r.Heard(runFirst+5))
}

// What a twin says of its inbox key, profile and counter does not count for the listed member (D61).
func TestUpdatesBelongToABinding(t *testing.T) {
	w := newWorld(t)
	twins := w.twins(2)
	listed, twin := twins[0], twins[1]
	r := w.introduce(w.member(members.NewRoot(w.terms), listed), twin)
	for _, counter := range []uint32{5, 9, 7} { // in any order
		next, err := r.Update(proto.NewUpdate(w.space, runFirst, counter, twin.inbox.Public, twin.signing))
		if counter == 7 {
			require.ErrorIs(t, err, members.ErrStale)
		} else {
			require.NoError(t, err)
		}
		r = next
	}
	r, _ = w.apply(r, proto.Sign(proto.Profile{Index: runFirst, Counter: 3, App: []byte("twin")}, w.space, twin.signing))
	r, err := r.Answered(twin.maker(), uint64(now), now)
	require.NoError(t, err)
	b, _ := r.ListedBinding(runFirst)
	require.Equal(t, listed.signing.Public, b.Key)
	key, _ := b.InboxKey()
	require.True(t, key.Equal(listed.inbox.Public))
	require.Nil(t, b.Profile.Signature)
	require.Zero(t, b.Answered)
	b, _ = r.Binding(twin.maker())
	require.EqualValues(t, 9, b.Update.Counter)
	require.Equal(t, "twin", string(b.Profile.App))

	stranger := newPerson(runFirst)
	_, err = r.Update(proto.NewUpdate(w.space, runFirst, 99, stranger.inbox.Public, stranger.signing))
	require.ErrorIs(t, err, members.ErrUnknown)
	r2, err := r.Answered(listed.maker(), uint64(now+2*hour), now)
	require.NoError(t, err)
	b, _ = r2.ListedBinding(runFirst)
	require.Zero(t, b.Answered, "a counter from the future is not stored")
}

// A removed owner that names an old root, in which it was one, says nothing in a later root (D62).
func TestStatementOfARemovedOwner(t *testing.T) {
	w := newWorld(t)
	p := w.join(5)
	later := w.root(1, w.owners[:1], proto.Roster{
		{Index: 1, Signing: w.founder.signing.Public, Body: w.founder.binding.Hash()},
		{Index: 5, Signing: p.signing.Public, Body: p.binding.Hash()},
	}, nil)
	removed := w.owners[1]
	said := []proto.Statement{
		w.revoke(w.terms, removed, 5),
		w.bound(w.terms, removed, p),
		proto.Sign(proto.Close{Said: proto.Said{Root: w.terms.ID(), By: place(w.terms, removed)}, Invite: p.record.Certificate.Name()}, w.space, removed),
		proto.Sign(proto.Title{Said: proto.Said{Root: w.terms.ID(), By: place(w.terms, removed)}, Counter: 1 << 60, Title: []byte("mine")}, w.space, removed),
	}
	old, r := w.member(members.NewRoot(w.terms), p), members.NewRoot(later)
	for _, s := range said {
		_, _, err := old.Apply(s, members.Older, now)
		require.NoError(t, err, "it counts where it is an owner: %T", s)
		next, c, err := r.Apply(s, members.Older, now)
		require.ErrorIs(t, err, suite.ErrInvalid)
		require.Empty(t, c)
		require.True(t, equal(t, r, next))
	}
	// The owner that stays counts by an older root's name, and not by a newer one's or one that is not held.
	s := w.revoke(w.terms, w.owners[0], 5)
	_, _, err := r.Apply(s, members.Unheld, now)
	require.ErrorIs(t, err, members.ErrUnknown)
	_, _, err = r.Apply(s, members.Newer, now)
	require.ErrorIs(t, err, members.ErrNoEffect)
	r, c := w.apply(r, s)
	require.Equal(t, []dkg.Index{5}, c.Gone)
	require.True(t, r.Gone(5))
	_, ok := r.Title()
	require.False(t, ok)
	require.Equal(t, map[uint8]dkg.Index{0: 1}, r.Seats())
}

// An owner has a seat while it is a member under its key; a title counts by its counter.
func TestSeatsAndTitles(t *testing.T) {
	w := newWorld(t)
	r := members.NewRoot(w.terms)
	founder, other := place(w.terms, w.owners[0]), place(w.terms, w.owners[1])
	require.Equal(t, map[uint8]dkg.Index{founder: 1}, r.Seats())
	p := w.joinAs(5, w.owners[1])
	r = w.member(r, p)
	require.Equal(t, map[uint8]dkg.Index{founder: 1, other: 5}, r.Seats())
	gone, _ := w.apply(r, w.leave(p))
	require.Equal(t, map[uint8]dkg.Index{founder: 1}, gone.Seats())
	for k, owner := range w.owners {
		by := proto.Said{Root: w.terms.ID(), By: place(w.terms, owner)}
		r, _ = w.apply(r, proto.Sign(proto.Title{Said: by, Counter: uint64(9 - k), Title: []byte{byte('a' + k)}}, w.space, owner))
	}
	title, ok := r.Title()
	require.True(t, ok)
	require.Equal(t, "a", string(title.Title))
}

// A leave counts for the binding that it names, and withholds only what was sent below its epoch; a revoke counts for whatever
// binding, and withholds what was sent in its epoch, too (D44).
func TestLeaveWithholdsNothingSentBefore(t *testing.T) {
	w := newWorld(t)
	before, below := proto.EpochID{1}, proto.EpochID{77}
	order := func(e, other proto.EpochID) bool { return e == below && other == w.epoch }
	p := w.join(5)
	r := w.member(members.NewRoot(w.terms), p)
	require.Equal(t, members.Delivered, r.Fate(p.maker(), w.epoch, order))
	left, c := w.apply(r, w.leave(p))
	require.Equal(t, []dkg.Index{5}, c.Gone)
	require.Equal(t, members.AfterRemoval, left.Fate(p.maker(), w.epoch, order))
	require.Equal(t, members.AfterRemoval, left.Fate(p.maker(), before, order))
	require.Equal(t, members.Withheld, left.Fate(p.maker(), below, order))
	revoked, c := w.apply(r, w.revoke(w.terms, w.owners[0], 5, 6))
	require.Equal(t, []dkg.Index{5, 6}, c.Gone)
	require.Equal(t, members.AfterRemoval, revoked.Fate(p.maker(), before, order))
	require.Equal(t, members.Withheld, revoked.Fate(p.maker(), w.epoch, order))

	twins := w.twins(2)
	r = w.introduce(w.member(members.NewRoot(w.terms), twins[0]), twins[1])
	r, c = w.apply(r, w.leave(twins[1]))
	require.Empty(t, c.Gone)
	require.False(t, r.Gone(runFirst), "a twin made the other leave")
	require.Equal(t, members.Withheld, r.Fate(twins[1].maker(), below, order))
	require.Equal(t, members.Delivered, r.Fate(twins[0].maker(), below, order))

	absent := members.NewRoot(w.root(1, w.owners, proto.Roster{{Index: 1, Signing: w.founder.signing.Public, Body: w.founder.binding.Hash()}}, proto.NewBitmap(5)))
	require.Equal(t, members.Withheld, absent.Fate(p.maker(), before, order))
}

// 300 links taken back by an honest owner are 300 indices gone, whatever is kept of the statements (D58).
func TestManyRevokes(t *testing.T) {
	w := newWorld(t)
	r := members.NewRoot(w.terms)
	var all []dkg.Index
	for k := range 300 {
		all = append(all, dkg.Index(10+k))
		indices := all[k:]
		if k%8 == 7 {
			indices = all // as §9 has it: after 8 of its own it names them all
		}
		r, _ = w.apply(r, w.revoke(w.terms, w.owners[0], indices...))
	}
	for _, i := range all {
		require.True(t, r.Gone(i))
	}
	require.True(t, equal(t, r, loaded(t, r)))
	require.True(t, loaded(t, r).Gone(all[299]))

	r = members.NewRoot(w.terms) // one that does not is stopped, and nothing is lost of what is kept
	var err error
	for k := range 257 {
		if r, _, err = r.Apply(w.revoke(w.terms, w.owners[0], all[k]), members.Older, now); err != nil {
			break
		}
	}
	require.ErrorIs(t, err, members.ErrLimit)
	require.True(t, r.Gone(all[255]))
}

// The masked share of an invite of one index is erased when the member is heard, revoked, or a day after its lifetime; of a run
// when it is closed. Its certificate stays, so that a second comer is told.
func TestMaskedShareIsErased(t *testing.T) {
	w := newWorld(t)
	p := w.join(5)
	open := members.NewRoot(w.terms)
	open, c, err := open.AddRecord(p.record, 3)
	require.NoError(t, err)
	require.Equal(t, []proto.Tag{p.keys.Tag}, c.Opened)
	require.Len(t, open.Open(), 1)

	asked := w.introduce(open, p)
	require.Len(t, asked.Open(), 1, "a lost ticket does not use the link")
	_, c, err = asked.ReadFrom(p.maker(), 0)
	require.NoError(t, err)
	require.Equal(t, []proto.Tag{p.keys.Tag}, c.Erased)
	require.Equal(t, []dkg.Index{5}, c.Arrived)
	heard := w.read(asked, p)
	require.Empty(t, heard.Open())
	x, serial, ok := heard.Record(p.keys.Tag)
	require.True(t, ok && !x.IsOpen())
	require.EqualValues(t, 3, serial)
	require.NoError(t, x.Verify(w.terms))

	late := w.read(w.introduce(members.NewRoot(w.terms), p), p)
	late, _, err = late.AddRecord(p.record, 1)
	require.NoError(t, err)
	require.Empty(t, late.Open(), "a record that comes later")

	revoked, c := w.apply(open, w.revoke(w.terms, w.owners[0], 5))
	require.Len(t, c.Erased, 1)
	require.Empty(t, revoked.Open())

	const day = 24 * hour
	expired, c := open.Expire(now+25*hour, 1000)
	require.Empty(t, c.Erased)
	_, c = expired.Expire(now+25*hour, 1000+day-1)
	require.Empty(t, c.Erased)
	_, c = expired.Expire(now, 1000+day)
	require.Len(t, c.Erased, 1)

	run := w.twins(1)[0]
	r := w.member(open, run)
	require.Len(t, r.Open(), 2)
	r, c = w.apply(r, proto.Sign(proto.Close{Said: proto.Said{Root: w.terms.ID(), By: place(w.terms, w.owners[0])}, Invite: run.record.Certificate.Name()}, w.space, w.owners[0]))
	require.Equal(t, []proto.Tag{run.keys.Tag}, c.Erased)
	require.False(t, r.Gone(runFirst), "closing a run makes nobody gone")
	require.Len(t, r.Open(), 1)
}

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

// again returns the record of a person's invite under another root.
func (w *world) again(t members.Terms, p person) proto.Record {
	c := p.record.Certificate
	c.Root, c.Owner = t.ID(), place(t, w.owners[0])
	return proto.NewRecord(w.owners[0], w.space, c.Sign(w.owners[0], w.space), p.record.RequestKey, p.record.Masked)
}

func entry(p person) proto.RosterEntry {
	return proto.RosterEntry{Index: p.index, Signing: p.signing.Public, Body: p.binding.Hash()}
}

// A rekey lists who was heard and is not gone, and not who was only introduced. What was known of those listed is known of them in the
// new root, where they are to be heard anew, and do not arrive twice.
func TestSuccession(t *testing.T) {
	w := newWorld(t)
	heard, gone, shy := w.join(5), w.join(6), w.join(7)
	r := w.member(w.member(members.NewRoot(w.terms), heard), gone)
	r, _, err := r.AddRecord(shy.record, 3)
	require.NoError(t, err)
	r = w.introduce(r, shy)
	u := proto.NewUpdate(w.space, heard.index, 9, suite.NewKEMSecret(ofSuite.KEM()).Public, heard.signing)
	r, err = r.Update(u)
	require.NoError(t, err)
	title := proto.Sign(proto.Title{Said: proto.Said{Root: w.terms.ID(), By: place(w.terms, w.owners[0])}, Counter: 1, Title: []byte("t")}, w.space, w.owners[0])
	r, _ = w.apply(r, title)
	revoke := w.revoke(w.terms, w.owners[0], gone.index)
	r, _ = w.apply(r, revoke)
	require.True(t, r.ListsGone())
	require.Equal(t, 1, r.Unlisted())

	var roster proto.Roster
	for _, b := range r.Stay(nil) {
		roster = append(roster, proto.RosterEntry{Index: b.Index, Signing: b.Key, Body: b.Body})
	}
	require.Equal(t, proto.Roster{entry(w.founder), entry(heard)}, roster)
	require.Len(t, r.Stay([]members.Maker{shy.maker()}), 3, "whose commit was followed")
	told, err := r.Answered(shy.maker(), 5, now)
	require.NoError(t, err)
	require.Len(t, told.Stay(nil), 3, "whom others heard")

	terms := w.root(1, w.owners, roster, proto.NewBitmap(gone.index))
	next, opened := members.NewRoot(terms).Succeed(r, []proto.Record{w.again(terms, shy)}, 8, now)
	require.True(t, opened)
	c := next.Since(r)
	require.Empty(t, c.Gone, "known before")
	require.Empty(t, c.KeyChanged)
	b, ok := next.ListedBinding(heard.index)
	require.True(t, ok)
	require.Equal(t, u.Counter, b.Update.Counter)
	require.True(t, b.Profiled)
	require.False(t, b.Heard())
	require.True(t, b.Met())
	require.True(t, b.Credential.IsZero())
	said, ok := next.Title()
	require.True(t, ok)
	require.Equal(t, title.Title, said.Title)
	require.True(t, next.Gone(gone.index))
	require.False(t, next.ListsGone())
	x, serial, ok := next.Record(shy.record.Tag(w.space))
	require.True(t, ok)
	require.True(t, x.IsOpen())
	require.EqualValues(t, 3, serial, "as noted with it before")
	s, ok := next.Binding(shy.maker())
	require.True(t, ok, "under its new certificate")
	require.Equal(t, terms.ID(), s.Credential.Certificate.Root)
	next, c, err = next.ReadFrom(heard.maker(), 0)
	require.NoError(t, err)
	require.Empty(t, c.Arrived)
	_, c, err = next.ReadFrom(shy.maker(), 0)
	require.NoError(t, err)
	require.Equal(t, []dkg.Index{shy.index}, c.Arrived)
	require.Empty(t, next.Uncovered(r, now))
}

// Who was heard and is neither listed nor covered by the next root is found, and whom another root of its generation has in gone is gone.
func TestUncoveredAndUnited(t *testing.T) {
	w := newWorld(t)
	p, q := w.join(5), w.join(6)
	r := w.member(members.NewRoot(w.terms), p)
	terms := w.root(1, w.owners, proto.Roster{entry(w.founder), entry(q)}, nil)
	next, opened := members.NewRoot(terms).Succeed(r, nil, 1, now)
	require.False(t, opened)
	require.Empty(t, next.Since(r).Gone)
	uncovered := next.Uncovered(r, now)
	require.Len(t, uncovered, 1)
	require.Equal(t, p.maker(), uncovered[0].Maker)
	over := proto.Close{Said: proto.Said{Root: terms.ID(), By: place(terms, w.owners[0])}, Invite: uncovered[0].Credential.Certificate.Name()}
	closed, _ := w.apply(next, proto.Sign(over, w.space, w.owners[0]))
	require.Empty(t, closed.Uncovered(r, now), "who was removed and has the link can bind an index of it in the old root")
	before := next
	next = next.Unite(proto.NewBitmap(p.index, q.index))
	require.Equal(t, []dkg.Index{q.index}, next.Since(before).Gone)
	require.Equal(t, []dkg.Index{p.index, q.index}, next.Since(r).Gone)
	require.Empty(t, next.Uncovered(r, now))
	require.True(t, next.ListsGone())
	require.Equal(t, proto.Roster{entry(w.founder)}, next.Roster())
	require.Equal(t, members.AfterRemoval, next.Fate(q.maker(), w.epoch, func(a, b proto.EpochID) bool { return false }))
}

// older is a root with three bindings of an index, of which the first two were read, in this order, and the same after a rekey, of which
// nothing is known. The smaller H(body) is that of the one that comes later among the three.
func (w *world) older() (old, next members.Root, twins []person) {
	twins = w.twins(3)
	slices.SortFunc(twins, func(a, b person) int { x, y := a.binding.Hash(), b.binding.Hash(); return slices.Compare(y[:], x[:]) })
	old = members.NewRoot(w.terms)
	for _, k := range []int{2, 1, 0} {
		old = w.introduce(old, twins[k])
	}
	old = w.read(w.read(old, twins[0]), twins[1])
	terms := w.root(1, w.owners, proto.Roster{entry(w.founder)}, nil)
	again := w.again(terms, twins[0])
	for k := range twins {
		twins[k].record = again
	}
	return old, members.NewRoot(terms), twins
}

// Of bindings that were read in an older root the one that was read first there is listed, whatever is read in this one, and whichever came
// to be known first in it (§9, criterion 3).
func TestListingAfterARekey(t *testing.T) {
	w := newWorld(t)
	old, next, twins := w.older()
	listed := func(r members.Root) members.Maker {
		b, ok := loaded(t, r).ListedBinding(runFirst)
		require.True(t, ok)
		return b.Maker
	}
	r, _ := next.Succeed(old, []proto.Record{twins[0].record}, 1, now)
	require.Len(t, r.Bindings(runFirst), 3)
	require.Equal(t, twins[0].maker(), listed(r))
	require.Equal(t, twins[0].maker(), listed(w.read(w.read(r, twins[2]), twins[1])))

	r = w.introduce(w.introduce(next, twins[2]), twins[1])
	require.Equal(t, twins[2].maker(), listed(r), "nothing was read: the smaller hash")
	r = w.meet(r, old)
	require.Equal(t, twins[1].maker(), listed(r))
	r = w.meet(w.introduce(r, twins[0]), old)
	require.Equal(t, twins[0].maker(), listed(r))
	require.True(t, equal(t, r, w.meet(r, old)))
	b, _ := r.Binding(twins[0].maker())
	require.False(t, b.Heard())
	_, c, err := r.ReadFrom(twins[0].maker(), 0)
	require.NoError(t, err)
	require.Empty(t, c.Arrived, "it arrived in the older root")
}

// An owner is to name the listed one of several bindings if it was read, as long as nobody named one of them; not where so many words of
// owners before it, for bindings that it does not know, stand that its own would not be kept.
func TestUndecided(t *testing.T) {
	w := newWorld(t)
	old, next, twins := w.older()
	first, second := w.owners[0], w.owners[1]
	if place(next.Terms, second) == 0 {
		first, second = second, first
	}
	one := w.introduce(next, twins[0])
	_, ok := one.Undecided(runFirst, 0)
	require.False(t, ok, "there is no other one")
	r := w.introduce(w.introduce(one, twins[1]), twins[2])
	_, ok = r.Undecided(runFirst, 0)
	require.False(t, ok, "nothing was read")
	r = w.meet(r, old)
	b, ok := r.Undecided(runFirst, 0)
	require.True(t, ok)
	require.Equal(t, twins[0].maker(), b.Maker)
	decided, _ := w.apply(r, w.bound(next.Terms, second, twins[1]))
	_, ok = decided.Undecided(runFirst, 0)
	require.False(t, ok)

	full := func(owner suite.SigningKey) members.Root {
		out := r
		for k := range byte(4) {
			_, ok := out.Undecided(runFirst, 1)
			require.True(t, ok, "there is room")
			out, _ = w.apply(out, proto.Sign(proto.Bind{Said: proto.Said{Root: next.ID(), By: place(next.Terms, owner)}, Index: runFirst,
				Body: proto.BodyHash{k + 1}}, w.space, owner))
		}
		return out
	}
	after, before := full(second), full(first)
	_, ok = before.Undecided(runFirst, 1)
	require.False(t, ok)
	_, _, err := before.Apply(w.bound(next.Terms, second, twins[0]), members.Older, now)
	require.ErrorIs(t, err, members.ErrStale)
	_, ok = after.Undecided(runFirst, 0)
	require.True(t, ok)
	after, _ = w.apply(after, w.bound(next.Terms, first, twins[0]))
	_, ok = after.Undecided(runFirst, 0)
	require.False(t, ok)
}

// A notice that lists another key for an index changes it for everybody.
func TestNoticeChangesAKey(t *testing.T) {
	w := newWorld(t)
	p := w.join(5)
	r := w.member(members.NewRoot(w.terms), p)
	other := w.bind(p.record, p.keys, 5)
	next, _ := members.NewRoot(w.root(1, w.owners, proto.Roster{entry(w.founder), entry(other)}, nil)).Succeed(r, nil, 1, now)
	c := next.Since(r)
	require.Equal(t, []members.KeyChange{{Index: 5, Old: p.binding.Hash(), New: other.binding.Hash()}}, c.KeyChanged)
}

// What is known of who came by an invite stays when a root that was told is entered once more from one in which less is known.
func TestSuccessionKeepsTheAdmissionKey(t *testing.T) {
	w := newWorld(t)
	p := w.join(5)
	roster := proto.Roster{entry(w.founder), entry(p)}
	before := w.root(1, w.owners, roster, nil)
	old, err := members.NewRoot(before).Update(proto.NewUpdate(w.space, p.index, 9, suite.NewKEMSecret(ofSuite.KEM()).Public, p.signing))
	require.NoError(t, err)
	terms := w.root(2, w.owners, roster, nil)
	r, _, err := members.NewRoot(terms).Tell(proto.TicketMember{Index: p.index, HasRest: true, Rest: p.rest, Admission: p.binding.Admission})
	require.NoError(t, err)
	r, _ = r.Succeed(old, nil, 8, now)
	b, ok := r.ListedBinding(p.index)
	require.True(t, ok)
	require.True(t, b.Profiled)
	require.True(t, b.CameBy(p.record.Certificate.Name()))
}

// Who is gone by the notice of a root that is not held is gone, if an owner of this root signed it for a root that is not newer.
func TestNoticeAsAStatement(t *testing.T) {
	w := newWorld(t)
	p, q := w.join(5), w.join(6)
	roster := proto.Roster{entry(w.founder), entry(p), entry(q)}
	r := members.NewRoot(w.root(3, w.owners, roster, nil))
	stranger := suite.NewSigningKey(ofSuite.Scheme())
	saying := func(rekey uint64, gone ...dkg.Index) proto.Notice {
		n, _ := w.notice(rekey, w.owners, roster[:1], proto.NewBitmap(gone...))
		return n
	}
	n := saying(3, q.index)
	gone, misses := r.Misses(n)
	require.True(t, misses)
	require.Equal(t, q.index, gone.Index)

	newer, others, altered := saying(4, q.index), saying(3, q.index), saying(3, q.index)
	others, _ = w.notice(3, []suite.SigningKey{stranger}, roster[:1], others.Gone)
	altered.Gone = proto.NewBitmap(p.index)
	self, _ := w.notice(3, w.owners, roster, nil)
	for name, bad := range map[string]struct {
		said proto.Notice
		err  error
	}{
		"newer":               {newer, members.ErrNoEffect},
		"by who owns nothing": {others, members.ErrNoEffect},
		"altered":             {altered, suite.ErrInvalid},
		"nobody gone":         {self, members.ErrStale},
	} {
		same, c, err := r.Apply(bad.said, members.Unheld, now)
		require.ErrorIs(t, err, bad.err, name)
		require.Empty(t, c.Gone, name)
		require.False(t, same.ListsGone(), name)
	}
	next, c, err := r.Apply(n, members.Unheld, now)
	require.NoError(t, err)
	require.Equal(t, []dkg.Index{q.index}, c.Gone)
	require.True(t, next.ListsGone(), "a rekey is due")
	require.True(t, r.Readmits(next))
	require.False(t, next.Readmits(r))
	_, _, err = next.Apply(n, members.Unheld, now)
	require.ErrorIs(t, err, members.ErrStale)
	_, misses = next.Misses(n)
	require.True(t, misses, "others may not know")

	older, c, err := next.Apply(saying(1, p.index), members.Unheld, now)
	require.NoError(t, err)
	require.Equal(t, []dkg.Index{p.index}, c.Gone)
	require.True(t, older.Gone(q.index))
	revoked, _ := w.apply(r, w.revoke(r.Terms, w.owners[0], q.index))
	_, misses = revoked.Misses(n)
	require.False(t, misses, "its owners know")
	settled := members.NewRoot(w.root(4, w.owners, roster[:2], proto.NewBitmap(q.index)))
	_, misses = settled.Misses(n)
	require.False(t, misses)
}

// Who is gone by a notice is so in the root of the next rekey, whether the notice was read before that was entered or afterwards; unless
// an owner is not in its list, who may have signed the notice.
func TestNoticeBeforeARekey(t *testing.T) {
	w := newWorld(t)
	p, q := w.join(5), w.join(6)
	roster := proto.Roster{entry(w.founder), entry(p), entry(q)}
	r := members.NewRoot(w.root(3, w.owners, roster, nil))
	n, _ := w.notice(3, w.owners, roster[:1], proto.NewBitmap(q.index))
	heard, _, err := r.Apply(n, members.Unheld, now)
	require.NoError(t, err)

	next := members.NewRoot(w.root(4, w.owners, roster, nil))
	before, _ := next.Succeed(heard, nil, 0, now)
	after, _ := next.Succeed(r, nil, 0, now)
	after, _, err = after.Apply(n, members.Unheld, now)
	require.NoError(t, err)
	require.True(t, before.Gone(q.index))
	require.Equal(t, after.GoneSet(), before.GoneSet())

	other := []suite.SigningKey{suite.NewSigningKey(ofSuite.Scheme())}
	taken, _ := members.NewRoot(w.root(4, other, roster, nil)).Succeed(heard, nil, 0, now)
	require.False(t, taken.Gone(q.index))
}

// Of two bindings of which one was read in the older root and the other one in the newer root the one that was read first is listed and to be
// named by an owner, whichever came to be known first, and whether the newer root was known before it took the older one over.
func TestFirstReadingInWhateverRoot(t *testing.T) {
	for _, inOlder := range []bool{true, false} {
		w := newWorld(t)
		twins := w.twins(2)
		terms := w.root(1, w.owners, proto.Roster{entry(w.founder)}, nil)
		record := w.again(terms, twins[0])
		under := func(p person) person { p.record = record; return p }
		old, next := w.introduce(members.NewRoot(w.terms), twins[0]), w.introduce(members.NewRoot(terms), under(twins[1]))
		first := twins[1]
		if inOlder {
			old, first = w.read(old, twins[0]), twins[0]
		}
		next = w.read(next, twins[1])
		old = w.read(old, twins[0]) // a second time, if it was read
		succeeded, _ := next.Succeed(old, []proto.Record{record}, 1, now)
		for name, r := range map[string]members.Root{
			"known when it was read": w.meet(w.introduce(next, under(twins[0])), old),
			"known later":            w.meet(w.introduce(w.meet(next, old), under(twins[0])), old),
			"taken over":             succeeded,
		} {
			r = loaded(t, r)
			b, _ := r.ListedBinding(runFirst)
			require.Equal(t, first.maker(), b.Maker, "%s %v", name, inOlder)
			b, ok := r.Undecided(runFirst, 0)
			require.True(t, ok, "%s %v", name, inOlder)
			require.Equal(t, first.maker(), b.Maker, "%s %v", name, inOlder)
		}
	}
}

// Whoever was read first in the older root keeps the place, whatever else is read there later.
func TestReadingAThirdMovesNobodyBack(t *testing.T) {
	w := newWorld(t)
	twins := w.twins(3)
	old := w.read(w.introduce(members.NewRoot(w.terms), twins[0]), twins[0])
	terms := w.root(1, w.owners, proto.Roster{entry(w.founder)}, nil)
	record := w.again(terms, twins[0])
	r, _ := members.NewRoot(terms).Succeed(old, []proto.Record{record}, 1, now)
	under := func(p person) person { p.record = record; return p }
	r = w.introduce(w.read(w.introduce(r, under(twins[1])), twins[1]), under(twins[2]))
	r = w.meet(r, w.read(w.introduce(old, twins[2]), twins[2]))
	b, _ := r.ListedBinding(runFirst)
	require.Equal(t, twins[0].maker(), b.Maker)
	b, _ = r.Undecided(runFirst, 0)
	require.Equal(t, twins[0].maker(), b.Maker)
}

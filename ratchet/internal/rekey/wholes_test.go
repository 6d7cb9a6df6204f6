package rekey_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/rekey"
)

// twoWholes are the wholes of a rekey that was posted.
var twoWholes = []rekey.Whole{{Bytes: []byte{1}, Of: proto.NewBitmap(1)}, {Bytes: []byte{2}, Of: proto.NewBitmap(2, 3)}}

// Boxes that do not fit into one whole go into several. Each member is told the same by the one with its box.
func TestSeveralWholes(t *testing.T) {
	s := newSpace(t, 4)
	p := s.plan()
	for _, r := range p.Recipients {
		p.Inboxes = append(p.Inboxes, proto.KnownInbox{Index: r.Index, Inbox: r.Inbox})
	}
	room := 0
	p.Said = func(rekey.New) [][]byte {
		return slices.Collect(slices.Chunk(make([]byte, proto.MaxRekey-room), 4<<10))
	}
	most := -1
	for room = 4200; most != 1; room += 170 { // a box has 188 bytes
		require.Less(t, room, 8<<10)
		n, wholes, err := s.sealed().Make(p)
		if err != nil {
			require.ErrorIs(t, err, outcome.ErrTooLong)
			require.Equal(t, -1, most)
			continue
		}
		require.True(t, most < 0 || len(wholes) <= most, "more room, fewer wholes")
		most = len(wholes)
		require.Len(t, n.Boxes, 4)
		name, boxed, inboxes := proto.NameOfRekey(n.ID), map[dkg.Index]int{}, 0
		for at, whole := range wholes {
			require.LessOrEqual(t, len(whole.Bytes), proto.MaxRekey)
			for i := dkg.Index(1); i <= 4; i++ {
				k, err := rekey.Look(s.self(i), name, rekey.Source{}, whole.Bytes)
				require.NoError(t, err)
				require.Equal(t, most > 1, k.IsPart())
				notice, err := k.Notice(s.id, s.parent, s.commit)
				require.NoError(t, err)
				require.Equal(t, k.Mine(), whole.Of.Has(i))
				if !k.Mine() {
					continue
				}
				boxed[i]++
				said, err := k.Open(s.self(i), notice)
				require.NoError(t, err)
				require.True(t, n.X.Equal(said.X))
				require.NoError(t, n.Template.Public.Verify(said.Share))
				require.Equal(t, i == 1, said.Seat)
				require.True(t, i != 1 || at == 0, "the seats have their boxes in the first one")
				inboxes += len(said.Owners.Inboxes)
			}
		}
		require.Len(t, boxed, 4)
		for i, times := range boxed {
			require.Equal(t, 1, times, "%d", i)
		}
		require.True(t, most > 1 || inboxes > 0)
	}
	p.Said = nil
	n, wholes, err := s.sealed().Make(p)
	require.NoError(t, err)
	require.Len(t, wholes, 1)
	k, err := rekey.Look(s.self(1), proto.NameOfRekey(n.ID), rekey.Source{}, wholes[0].Bytes)
	require.NoError(t, err)
	notice, err := k.Notice(s.id, s.parent, s.commit)
	require.NoError(t, err)
	said, err := k.Open(s.self(1), notice)
	require.NoError(t, err)
	require.Len(t, said.Owners.Inboxes, 4)
}

// Each whole has as many boxes, but for one, so that a member whose box is in one finds others that keep it.
func TestBoxesAreSpread(t *testing.T) {
	s := newSpace(t, 9)
	p := s.plan()
	for most, want := range map[int][]int{1: {1, 1, 1, 1, 1, 1, 1, 1}, 3: {2, 3, 3}, 5: {4, 4}, 7: {4, 4}, 8: {8}, 0: {8}} {
		p.Most = most
		_, wholes, err := s.sealed().Make(p)
		require.NoError(t, err)
		var got []int
		for _, w := range wholes {
			got = append(got, 0)
			for i := dkg.Index(2); i <= 9; i++ { // the first one has a seat
				if w.Of.Has(i) {
					got[len(got)-1]++
				}
			}
		}
		slices.Sort(got)
		require.Equal(t, want, got, "%d at most", most)
	}
}

// Of the wholes of one root those without a box for a member are kept as one, and come after the one with its box.
func TestWholesOfOneRootAreKept(t *testing.T) {
	s := newSpace(t, 9)
	p := s.plan()
	p.Said = func(rekey.New) [][]byte {
		return slices.Collect(slices.Chunk(make([]byte, proto.MaxRekey-5<<10), 4<<10))
	}
	n, wholes, err := s.sealed().Make(p)
	require.NoError(t, err)
	require.Greater(t, len(wholes), 2)
	var r rekey.Rekeys
	for _, whole := range slices.Concat(wholes, wholes) {
		k, err := rekey.Look(s.self(9), proto.NameOfRekey(n.ID), rekey.Source{}, whole.Bytes)
		require.NoError(t, err)
		r, _ = r.Keep(k)
	}
	all := reload(t, r).All()
	require.Len(t, all, 2)
	require.True(t, all[0].Mine())
	require.False(t, all[1].Mine())
	require.Zero(t, all[1].Awaited())
	for now := range rekey.Millis(3) {
		r = reload(t, r.Await(all[1], 7+now))
		all = r.All()
		require.EqualValues(t, 7, all[1].Awaited())
	}
}

// Junk, with a box for the member or without, pushes out no whole with which it waits for another one, of which there is one of a name, and
// keeps none from being waited with. Of more roots than are waited for the last stay.
func TestAwaitedWholesStay(t *testing.T) {
	s := newSpace(t, 9)
	p := s.plan()
	p.Most = 3
	n, wholes, err := s.sealed().Make(p)
	require.NoError(t, err)
	require.Len(t, wholes, 3)
	_, other, err := s.sealed().Make(p)
	require.NoError(t, err)
	for _, has := range []bool{false, true} {
		posted := wholes[slices.IndexFunc(wholes, func(w rekey.Whole) bool { return w.Of.Has(9) == has })]
		look := func(name proto.Name, whole rekey.Whole) rekey.Kept {
			k, err := rekey.Look(s.self(9), name, rekey.Source{}, whole.Bytes)
			require.NoError(t, err)
			return k
		}
		without := func(all []rekey.Whole) rekey.Whole {
			return all[slices.IndexFunc(all, func(w rekey.Whole) bool { return !w.Of.Has(9) })]
		}
		junk := func(r rekey.Rekeys) rekey.Rekeys {
			for i := range 20 {
				k := look(proto.Name{byte(i)}, posted)
				require.Equal(t, has, k.Mine())
				r, _ = r.Keep(k)
			}
			return r
		}
		awaited := func(r rekey.Rekeys) (since []rekey.Millis) {
			all := reload(t, r).All()
			require.Len(t, all, 8)
			for _, k := range all {
				if k.Awaited() != 0 {
					since = append(since, k.Awaited())
				}
			}
			return since
		}
		r, k := rekey.Rekeys{}.Keep(look(proto.NameOfRekey(n.ID), without(wholes)))
		r = r.Await(k, 7)
		r, copied := r.Keep(look(proto.NameOfRekey(n.ID), without(other)))
		r = junk(r.Await(copied, 8))
		require.Equal(t, []rekey.Millis{7}, awaited(r))
		for i := range rekey.Millis(5) {
			k := look(proto.Name{100, byte(i)}, without(wholes))
			r, k = r.Keep(k)
			r = junk(r.Await(k, 10+i))
		}
		require.Equal(t, []rekey.Millis{11, 12, 13, 14}, awaited(r))
	}
}

// At the bound of bytes the wholes of the oldest rekeys go. What those were to change is kept.
func TestPostedAreBounded(t *testing.T) {
	long := []rekey.Whole{{Bytes: make([]byte, proto.MaxRekey)}, {Bytes: make([]byte, proto.MaxRekey)}}
	var r rekey.Rekeys
	for k := range 10 {
		r = r.Post(rekey.NewPosted(proto.EpochID{byte(k)}, rekey.Wish{Remove: []dkg.Index{9}}, long, 2, 3))
	}
	r = reload(t, r)
	require.Len(t, r.Posted, 8)
	for k, p := range r.Posted {
		require.Equal(t, proto.EpochID{byte(k + 2)}, p.Root)
		require.True(t, p.Wish.Removes(9))
		require.Len(t, p.Wholes(), map[bool]int{true: 2, false: 0}[k >= 6])
	}
}

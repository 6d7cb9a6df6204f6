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

// Junk does not push out a whole with which a member waits for another one, of which there is one of a name.
func TestAwaitedWholesStay(t *testing.T) {
	s := newSpace(t, 9)
	p := s.plan()
	p.Most = 3
	n, wholes, err := s.sealed().Make(p)
	require.NoError(t, err)
	require.Len(t, wholes, 3)
	look := func(name proto.Name, whole rekey.Whole) rekey.Kept {
		k, err := rekey.Look(s.self(50), name, rekey.Source{}, whole.Bytes)
		require.NoError(t, err)
		return k
	}
	r, k := rekey.Rekeys{}.Keep(look(proto.NameOfRekey(n.ID), wholes[0]))
	r = r.Await(k, 7)
	_, other, err := s.sealed().Make(p)
	require.NoError(t, err)
	r, copied := r.Keep(look(proto.NameOfRekey(n.ID), other[0]))
	r = r.Await(copied, 8)
	for i := range 20 {
		r, _ = r.Keep(look(proto.Name{byte(i)}, wholes[0]))
	}
	all := reload(t, r).All()
	require.Len(t, all, 8)
	require.EqualValues(t, 7, all[0].Awaited())
	for _, k := range all[1:] {
		require.Zero(t, k.Awaited())
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

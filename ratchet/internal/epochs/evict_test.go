package epochs

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// TestEvict: at the bound the epochs of the maker with most go, the oldest first, and nothing near the preferred one.
func TestEvict(t *testing.T) {
	g := newGroup(t)
	a, b := g.member(1), g.member(2)
	require.NoError(t, a.read(b.say(true)))
	for range 20 {
		a.commit(a.preferred().id)
	}
	sent := a.send(a.preferred().id)
	for range near + 1 {
		a.commit(a.preferred().id)
	}
	size := a.f.Size()
	f, change := a.f.evict(size-3, Change{}, g.now)
	require.Equal(t, size-3, f.Size())
	require.Equal(t, 3, change.GivenUp)
	for _, id := range change.Dropped {
		e, _ := a.f.Epoch(id)
		require.EqualValues(t, 1, e.maker.Index)
		require.LessOrEqual(t, e.generation, uint64(4), "the oldest go first")
	}
	require.Empty(t, change.Unread)
	f, change = a.f.evict(0, Change{}, g.now)
	require.Equal(t, near+1, f.Size(), "what is near stays")
	require.Contains(t, change.Unread, MessageRange{sent.epoch, 0, 1}, "nobody was read below it")
	require.Equal(t, a.f.preferred, f.preferred)
	for a.f.Size() <= evictShare {
		a.commit(a.preferred().id)
	}
	f, change = a.f.evict(evictShare, Change{}, g.now)
	require.Equal(t, evictShare-1, f.Size(), "one more goes than has to")
	require.Equal(t, 2, change.GivenUp)
	f, change = f.evict(evictShare, Change{}, g.now)
	require.Equal(t, evictShare-1, f.Size())
	require.Zero(t, change.GivenUp, "below the bound nothing goes")
}

// TestLeastWanted: those that are cut go first, then each time one of the maker with most, as if each were looked for by itself.
func TestLeastWanted(t *testing.T) {
	g := newGroup(t)
	a, b, c := g.member(1), g.member(2), g.member(3)
	for k := range 20 {
		by, other := b, c
		if k%3 == 0 {
			by, other = c, b
		}
		m := by.say(true)
		require.NoError(t, a.read(m))
		if k%4 == 0 && other.read(m) == nil {
			require.NoError(t, a.read(other.say(false)), "below it")
		}
	}
	for range near + 1 {
		a.commit(a.preferred().id)
	}
	n := 0
	for e := range a.f.All() {
		if n++; n%5 == 0 && a.f.Behind(e) > near {
			e.cut = true
			a.f = a.f.put(e)
		}
	}
	var want, got []proto.EpochID
	for f := a.f; ; {
		m := f.leastWanted(1)
		if len(m) == 0 {
			break
		}
		e, _ := f.Epoch(m[0].id)
		f = f.drop(e.id, givenUp, new(Change))
		want = append(want, e.id)
	}
	for _, m := range a.f.leastWanted(a.f.Size()) {
		got = append(got, m.id)
	}
	require.Equal(t, want, got)
	require.Len(t, got, a.f.Size()-near-1)
	seen := false
	for _, id := range got {
		e, _ := a.f.Epoch(id)
		require.False(t, e.cut && seen, "those that are cut go first")
		seen = seen || !e.cut
	}
}

// crowdedAt fills the forest to its bound with epochs beside the preferred one, so that none of them may go.
func (m *member) crowdedAt() {
	parent, ok := m.f.Epoch(m.preferred().parent)
	require.True(m.t, ok)
	for i := dkg.Index(0); m.f.Size() < maxEpochs; i++ {
		m.f = m.f.add(newEpoch(parent.made(10+i), m.keys), m.now, new(Change))
	}
}

// TestEvictKeepsWhatWasEntered: where a crowd commits at once, nearly all that is held is near. The epochs of a late message and on the
// way to it, and those that a ticket brings, are not given up by the step that enters them: their places are used up, and what is sent
// in them would be lost.
func TestEvictKeepsWhatWasEntered(t *testing.T) {
	for _, way := range []string{"a message", "a ticket"} {
		g := newGroup(t)
		a, b, late := g.member(1), g.member(2), g.member(3)
		sent := []message{late.say(true), late.say(true), late.say(true)}
		for range near + 4 {
			require.NoError(t, a.read(b.say(true)))
		}
		a.crowdedAt()
		var change Change
		if way == "a ticket" {
			change = a.merge(late.ticket(TicketQuery{}, 1))
		} else {
			_, _, path, err := a.find(sent[2])
			require.NoError(t, err)
			require.Len(t, path, 3)
			a.f, change, err = a.f.Enter(path, Reading{late.index, a.shares(), g.now})
			require.NoError(t, err)
			before := a.f
			a.f, _, err = a.f.Enter(path, Reading{late.index, a.shares(), g.now})
			require.NoError(t, err)
			require.True(t, before.one(t).Equal(a.f.one(t)), "entered before")
		}
		require.Positive(t, change.GivenUp)
		require.Len(t, change.Entered, 3)
		for k := range sent {
			require.NoError(t, a.read(sent[len(sent)-1-k]), way)
		}
		require.NoError(t, a.read(late.say(false)))
	}
}

// What lies below an epoch that was misled is not preferred because that one was given up.
func TestMisledEpochThatIsGivenUp(t *testing.T) {
	g := newGroup(t)
	a, b, c := g.member(1), g.member(2), g.member(3)
	var first proto.EpochID
	for k := range 9 {
		m := b.say(true)
		if k == 0 {
			first = m.epoch
		}
		require.NoError(t, a.read(m))
	}
	e, _ := a.f.Epoch(first)
	e.misled = true
	a.f = a.f.put(e)
	a.f, _ = a.f.settle(Change{}, g.now)
	require.Equal(t, g.root.ID, a.f.preferred)
	for range 7 {
		require.NoError(t, a.read(c.say(true)))
	}
	honest := a.f.preferred
	f, _ := a.f.evict(a.f.Size()-1, Change{}, g.now)
	require.Equal(t, honest, f.preferred)
	require.False(t, f.Has(first))
	require.Equal(t, f.preferred, f.first())
}

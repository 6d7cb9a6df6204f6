package epochs

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// TestThroughTheVault: a forest with everything in it is stored and loaded unchanged, and goes on.
func TestThroughTheVault(t *testing.T) {
	g := newGroup(t)
	a, b, c, liar := g.member(1), g.member(2), g.member(3), g.member(4)
	for range near + 3 {
		require.NoError(t, a.read(b.say(true)))
	}
	c.say(false)
	skipped := c.send(g.root.ID)
	require.NoError(t, a.read(c.send(g.root.ID)))
	j := g.bare(5)
	j.merge(a.ticket(TicketQuery{}, 1))
	j.merge(liar.ticket(TicketQuery{}, 1).lie(g.root.Depth))
	told := b.ticket(TicketQuery{}, 1).lie(g.root.Depth)
	told.Issuer = 6
	j.merge(told)
	require.NoError(t, j.read(b.send(b.preferred().id)))
	j.commit(j.preferred().id)
	a.f, _ = a.f.Prune(g.now+cutAfter, a.lastRead())
	var change Change
	e, _ := a.f.Epoch(b.preferred().parent)
	dropped := a.f.drop(e.id, givenUp, &change)
	dropped, _ = dropped.settle(change, g.now)
	for _, f := range []Forest{New(g.space, 1), a.f, j.f, dropped} {
		d := newDisk(t, f)
		loaded := d.load(g.space)
		require.True(t, f.one(t).Equal(loaded.one(t)))
		require.Equal(t, f.preferred, loaded.preferred)
		require.Equal(t, f.catalog.shown(), loaded.catalog.shown())
		require.Less(t, d.save(f), 600, "the same value once more")
	}
	a.f = newDisk(t, a.f).load(g.space)
	require.NoError(t, a.read(skipped))
	require.NoError(t, a.read(b.say(true)))
	j.f = newDisk(t, j.f).load(g.space)
	require.NoError(t, j.read(b.say(true)))
}

// receive reads message n of a member in an epoch without a frame.
func (m *member) receive(id proto.EpochID, i dkg.Index, n uint32) {
	keys, err := m.f.Keys(id, i, n, Tag{byte(n)})
	require.NoError(m.t, err)
	m.f, _ = m.f.Read(id, i, n, keys[0], Tag{byte(n)}, m.now)
}

// crowded returns a member that holds some epochs, in the preferred one of which n members write.
func crowded(t testing.TB, n, epochs int) *member {
	m := newGroup(t).member(1)
	for range epochs - 1 {
		m.commit(m.preferred().id)
		m.f = m.f.hear(m.preferred().id, 2) // so that no bound of makers is met
	}
	for k := range uint32(8) {
		for i := range n {
			m.receive(m.preferred().id, dkg.Index(i+1), k)
		}
	}
	return m
}

// Bytes that a plain message, and a late one, hand to the store. The bounds are those of the forest; the rest of a state adds to
// them.
func TestBytesPerMessage(t *testing.T) {
	for _, c := range []struct{ members, epochs, limit int }{
		{100, 10, 2_500}, {1_000, 10, 4_000}, {100, 300, 3_500},
	} {
		m := crowded(t, c.members, c.epochs)
		d := newDisk(t, m.f)
		total := 0
		for k := range 20 {
			m.receive(m.preferred().id, dkg.Index(1+k*7%c.members), 8)
			total += d.save(m.f)
		}
		t.Logf("%d members, %d epochs: %d bytes per message", c.members, c.epochs, total/20)
		require.Less(t, total/20, c.limit)
	}
	m := crowded(t, 10, 10)
	m.receive(m.preferred().id, 5, 2_007)
	d := newDisk(t, m.f)
	m.receive(m.preferred().id, 5, 1_000)
	late := d.save(m.f)
	t.Logf("a late message with 2,000 left out: %d bytes", late)
	require.LessOrEqual(t, late, 4<<10)
}

// Bytes that a message with a commit hands to the store after so many others committed from the same epoch, whether that was derived or
// told. Each child takes 4 KB of its parent's tree.
func TestBytesPerChild(t *testing.T) {
	const children, limit = 96, 16 << 10
	g := newGroup(t)
	a := g.member(1)
	j := g.bare(children + 3)
	j.merge(a.ticket(TicketQuery{}, 1))
	for name, m := range map[string]*member{"derived": a, "told": j} {
		d := newDisk(t, m.f)
		var written []int
		for i := range dkg.Index(children) {
			require.NoError(t, m.read(g.member(i+2).say(true)))
			written = append(written, d.save(m.f))
		}
		t.Logf("%s: %d bytes for the first child, %d for the last", name, written[0], written[children-1])
		require.Less(t, written[children-1], limit, name)
		loaded := d.load(g.space)
		require.True(t, m.f.one(t).Equal(loaded.one(t)))
		m.f = loaded
		require.NoError(t, m.read(g.member(children+2).say(true)))
		require.Less(t, d.save(m.f), limit, "%s: of a tree that was loaded, what did not change is not written", name)
	}
}

// TestGone: the epochs dropped last are remembered, exactly, and what is stored of them is bounded.
func TestGone(t *testing.T) {
	var g gone
	id := func(i int) proto.EpochID { return proto.EpochID{byte(i >> 16), byte(i >> 8), byte(i), 1} }
	for i := range maxGone + 40 {
		g = g.with(goneEpoch{id: id(i), why: aged})
	}
	_, ok := g.find(id(39))
	require.True(t, ok, "in the block of the last one that counts")
	_, ok = g.find(id(31))
	require.False(t, ok)
	for _, i := range []int{40, 41, maxGone + 39} {
		_, ok := g.find(id(i))
		require.True(t, ok)
	}
	g = g.with(goneEpoch{id: id(7), why: aged}).with(goneEpoch{id: id(7), why: givenUp})
	e, _ := g.find(id(7))
	require.Equal(t, aged, e.why)
	for _, misled := range []bool{true, false, true} { // what was so when it went last
		g = g.with(goneEpoch{id: id(8), misled: misled, why: givenUp})
		e, _ = g.find(id(8))
		require.Equal(t, misled, e.misled)
	}
	require.True(t, g == g.mislead(map[proto.EpochID]bool{id(31): true}), "it is not there")
	next := g.mislead(map[proto.EpochID]bool{id(41): true})
	for k, f := range []gone{g, next} {
		e, _ = f.find(id(41))
		require.Equal(t, k == 1, e.misled)
		e, _ = f.find(id(8))
		require.True(t, e.misled)
	}
}

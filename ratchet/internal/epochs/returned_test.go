package epochs

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// maker returns the member as its signatures show it.
func (m *member) maker() Maker { return Maker{Index: m.index, Key: m.sign[m.index].Public} }

// TestReturnedCommits: a member that lost its own commit follows it by the secret that any other member returns, and reads what was
// sent below it, however much of that the other has read. A false secret changes nothing, and says nothing of the commit.
func TestReturnedCommits(t *testing.T) {
	g := newGroup(t)
	a, b := g.member(1), g.member(2)
	lost := *a
	require.NoError(t, b.read(a.say(true)))
	sent := []message{b.say(false), b.say(true), b.say(false)}
	for _, s := range sent {
		require.Error(t, lost.read(s))
	}
	returned := b.f.Returned(a.maker(), lost.preferred().id, b.f.Entered(), b.shares())
	require.Len(t, returned, 1)

	false1 := returned[0]
	false1.Secret = secret.Random(false1.Secret.Len())
	before := lost.f
	_, _, err := lost.f.Return(false1, a.maker().Key, lost.shares(), g.now)
	require.ErrorIs(t, err, ErrMisled)
	require.Equal(t, before.Size(), lost.f.Size())

	var change Change
	lost.f, change, err = lost.f.Return(returned[0], a.maker().Key, lost.shares(), g.now)
	require.NoError(t, err)
	require.Len(t, change.Entered, 1)
	require.True(t, lost.preferred().Derived())
	for _, s := range sent {
		require.NoError(t, lost.read(s))
	}
	require.Equal(t, b.preferred().id, lost.preferred().id)
	_, _, err = lost.f.Return(returned[0], a.maker().Key, lost.shares(), g.now)
	require.ErrorIs(t, err, ErrClosed, "once")
}

// TestReturnedAboveAToldEpoch: what tickets told below a commit is derived once the commit is returned.
func TestReturnedAboveAToldEpoch(t *testing.T) {
	g := newGroup(t)
	a, b := g.member(1), g.member(2)
	lost := *a
	require.NoError(t, b.read(a.say(true)))
	below := b.say(true)
	lost.merge(b.ticket(TicketQuery{}, 1))
	require.False(t, lost.preferred().Derived())
	require.Error(t, lost.read(below), "the issuer sent it before the ticket")
	var err error
	lost.f, _, err = lost.f.Return(b.f.Returned(a.maker(), proto.EpochID{}, b.f.Entered(), b.shares())[0], a.maker().Key, lost.shares(), g.now)
	require.NoError(t, err)
	require.True(t, lost.preferred().Derived())
	require.NoError(t, lost.read(below))
}

// TestReturnedToNobodyWhoMovedOn: a commit is not returned to a copy from before it once its maker was read below it, or committed
// below it, nor to who says that it is there already. A member that only told of an epoch returns nothing.
func TestReturnedToNobodyWhoMovedOn(t *testing.T) {
	returned := func(m *member, to Maker, at proto.EpochID) int {
		return len(m.f.Returned(to, at, m.f.Entered(), m.shares()))
	}
	g := newGroup(t)
	a, b, c := g.member(1), g.member(2), g.member(3)
	old := a.preferred().id
	first := a.say(true)
	require.NoError(t, b.read(first))
	require.NoError(t, b.read(a.say(false)))
	require.Equal(t, 1, returned(b, a.maker(), old), "read in it, not below it")
	require.Zero(t, returned(b, a.maker(), first.epoch))
	require.Zero(t, returned(b, b.maker(), old))

	told := g.bare(4)
	told.merge(b.ticket(TicketQuery{Joiner: true}, 1))
	require.Zero(t, returned(told, a.maker(), old))

	below := b.say(true)
	require.NoError(t, a.read(below))
	require.Zero(t, returned(b, a.maker(), below.epoch))
	require.Equal(t, 1, returned(b, a.maker(), old))
	require.NoError(t, b.read(a.say(false)))
	require.Zero(t, returned(b, a.maker(), old), "read below it")

	require.NoError(t, c.read(first))
	require.NoError(t, c.read(below))
	require.Equal(t, 1, returned(c, a.maker(), old))
	second := a.say(true)
	require.NoError(t, b.read(second))
	require.NoError(t, c.read(b.say(true)), "its way brings the second commit, and no message of its maker")
	require.Equal(t, 1, returned(c, a.maker(), old), "the second one, which needs a node of what is below the first")
	require.Equal(t, below.epoch, c.f.Returned(a.maker(), old, c.f.Entered(), c.shares())[0].Parent)

	stored := newDisk(t, b.f).load(g.space)
	require.Equal(t, 1, len(stored.Returned(a.maker(), old, b.f.Entered(), b.shares())), "the second commit only, also after a restart")
}

// TestReturnedToWhoAskedBefore: what is seen of a member after it asked says nothing of the commits of which nothing was seen before, in
// whatever request it asks again, also after a restart. Those that it makes later are not among them, nor is one that it says it has.
func TestReturnedToWhoAskedBefore(t *testing.T) {
	g := newGroup(t)
	a, b := g.member(1), g.member(2)
	old := a.preferred().id
	require.NoError(t, b.read(a.say(true)))
	require.Equal(t, b.f, b.f.Lost(a.maker(), a.preferred().id), "it has it")
	b.f = b.f.Lost(a.maker(), old)
	require.NoError(t, a.read(b.say(true)))
	below := a.say(true)
	require.NoError(t, b.read(below))
	require.NoError(t, b.read(a.say(false)))
	require.NoError(t, a.read(b.say(true)))
	require.NoError(t, b.read(a.say(false)))
	for _, f := range []Forest{b.f, newDisk(t, b.f).load(g.space)} {
		for _, preferred := range []proto.EpochID{old, below.epoch} {
			returned := f.Returned(a.maker(), preferred, f.Entered(), b.shares())
			require.Len(t, returned, 1)
			require.Equal(t, old, returned[0].Parent)
		}
	}
}

// TestReturnedOfATwin: the commits of another binding of the asker's index are returned until the asker commits below them.
func TestReturnedOfATwin(t *testing.T) {
	g := newGroup(t)
	a, b := g.member(1), g.member(2)
	other := Maker{Index: a.index, Key: suite.NewSigningKey(suite.Ed25519).Public}
	require.NoError(t, b.read(a.say(true)))
	require.NoError(t, a.read(b.say(true)))
	require.NoError(t, b.read(a.say(false)))
	require.Len(t, b.f.Returned(other, proto.EpochID{}, b.f.Entered(), b.shares()), 1, "that its maker was read says nothing of the other")
}

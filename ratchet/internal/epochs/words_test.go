package epochs

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// heard returns three members, and a message with a commit by the first that the others have read.
func (g *group) heard() (a, b, c *member, first message) {
	a, b, c = g.member(1), g.member(2), g.member(3)
	first = a.say(true)
	require.NoError(g.t, b.read(first))
	require.NoError(g.t, c.read(first))
	return a, b, c, first
}

// TestLiarAnswersAlone: with the words of a liar alone nothing of others opens, and nothing of it is settled: with an honest ticket,
// however late, all of it is read.
func TestLiarAnswersAlone(t *testing.T) {
	g := newGroup(t)
	a, b, liar, _ := g.heard()
	j := g.bare(4)
	j.merge(liar.ticket(TicketQuery{}, 1).lie(g.root.Depth))
	honest := b.ticket(TicketQuery{}, 1) // of the same request, lost on its way
	sent := []message{a.say(false), b.say(true), a.say(false)}
	for _, s := range sent {
		require.Error(t, j.read(s))
	}
	j.merge(liar.ticket(TicketQuery{}, 2).lie(g.root.Depth))
	require.Error(t, j.read(sent[0]), "its later lie changes nothing")
	j.merge(honest)
	for _, s := range sent {
		require.NoError(t, j.read(s))
	}
}

// TestLiarAnswersFirst: the words of a liar that came first do not keep an honest one out, and its chain from 0 opens nothing.
func TestLiarAnswersFirst(t *testing.T) {
	g := newGroup(t)
	a, b, liar, first := g.heard()
	j := g.bare(4)
	j.merge(liar.ticket(TicketQuery{}, 1).lie(g.root.Depth))
	j.merge(b.ticket(TicketQuery{}, 1))
	require.Error(t, j.read(first), "from before, whatever number the liar told")
	for range 3 {
		require.NoError(t, j.read(a.say(false)))
		require.NoError(t, j.read(b.say(true)))
	}
}

// TestLaterWordBringsNothingBack: a ticket of somebody who has not read yet what was read here gives no key of it again, neither by a
// chain nor by a tree, and does not give the place of a commit again that was followed (§6, §9; D75).
func TestLaterWordBringsNothingBack(t *testing.T) {
	g := newGroup(t)
	a, b, late, first := g.heard()
	j := g.bare(4)
	j.merge(b.ticket(TicketQuery{}, 1))
	read := []message{a.say(false), b.say(false)} // one of a chain, one of a node of the tree
	child := a.say(true)
	for _, s := range append(read, child) {
		require.NoError(t, j.read(s))
	}
	j.merge(late.ticket(TicketQuery{}, 2))
	e, _ := j.f.Epoch(first.epoch)
	require.False(t, e.derived)
	for _, s := range read {
		keys, err := e.Keys(s.from, s.n, s.header.Tag())
		require.ErrorIs(t, err, ErrDuplicate)
		require.Empty(t, keys)
	}
	followed, _ := j.f.Epoch(child.epoch)
	require.True(t, followed.derived)
	require.False(t, e.HasPlace(1, followed.place))
}

// TestEpochGivenUpComesBack: an epoch that was given up because of a bound comes back by a ticket as one to follow: what others commit
// from it is entered, and read (D51).
func TestEpochGivenUpComesBack(t *testing.T) {
	g := newGroup(t)
	a, b, c := g.member(1), g.member(2), g.member(3)
	msg := b.say(true)
	require.NoError(t, a.read(msg))
	require.NoError(t, c.read(msg))
	for range near + 1 {
		require.NoError(t, a.read(b.say(true)))
	}
	e, _ := a.f.Epoch(msg.epoch)
	var change Change
	a.f = a.f.drop(e.id, givenUp, &change)
	c.commit(msg.epoch)
	below := c.send(c.preferred().id)
	require.Error(t, a.read(below))
	a.merge(b.ticket(TicketQuery{LastRead: LastRead{1: {}, 3: {}}}, 1))
	require.NoError(t, a.read(below))
	require.Error(t, a.read(c.send(msg.epoch)), "without the keys of its messages")
}

// TestCandidateOfALostWord: a candidate that was derived from a word of its parent is entered by the words that its parent has then, and
// not at all if none of them gives it.
func TestCandidateOfALostWord(t *testing.T) {
	g := newGroup(t)
	a, liar := g.member(1), g.bare(2)
	lie := a.ticket(TicketQuery{}, 1).lie(g.root.Depth)
	liar.merge(lie)
	msg := liar.say(true)
	j := g.bare(3)
	lie.Issuer = 2
	j.merge(lie)
	_, _, path, err := j.find(msg)
	require.NoError(t, err)
	require.Len(t, path, 1)
	r := Reading{Sender: 2, Own: j.shares(), Now: g.now}
	next, _, err := j.f.Enter(path, r)
	require.NoError(t, err)
	require.True(t, next.Has(path[0].id))
	j.merge(g.member(2).ticket(TicketQuery{}, 2))
	_, _, err = j.f.Enter(path, r)
	require.ErrorIs(t, err, ErrClosed)
}

package epochs

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/pprf"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// lie returns a ticket whose trees and chains are drawn by its issuer. Keys of epochs it cannot forge.
func (t Ticket) lie(depth int) Ticket {
	t.Epochs = slices.Clone(t.Epochs)
	for i := range t.Epochs {
		e := &t.Epochs[i]
		e.CommitTree = pprf.New(secret.Random(suite.KeySize), depth+pprf.ChildBits)
		if !e.Readable {
			continue
		}
		e.SenderTree = pprf.New(secret.Random(suite.KeySize), depth)
		e.Chains = slices.Clone(e.Chains)
		for k := range e.Chains {
			e.Chains[k].Key = secret.Random(suite.KeySize)
			e.Chains[k].Next = 0
		}
	}
	return t
}

// TestJoinerReadsOn: who enters by a ticket reads what was sent from then on, and follows what is committed.
func TestJoinerReadsOn(t *testing.T) {
	g := newGroup(t)
	a, b := g.member(1), g.member(2)
	for range 3 {
		require.NoError(t, b.read(a.say(true)))
		require.NoError(t, a.read(b.say(false)))
	}
	early := a.send(a.preferred().id)
	j := g.bare(3)
	change := j.merge(b.ticket(TicketQuery{Joiner: true}, 1))
	require.Equal(t, b.preferred().id, j.preferred().id)
	require.NotEmpty(t, change.Entered)
	require.NoError(t, j.read(early), "b had not read it")
	require.NoError(t, b.read(early))
	require.NoError(t, j.read(a.say(true)))
	require.True(t, j.preferred().derived)
	require.NoError(t, j.read(b.say(true)))
	reply := j.say(true)
	require.NoError(t, a.read(reply))
}

// TestTicketWithholdsHeaders: of epochs that were entered before the asker was known a ticket tells no header key, no senders and
// no chains, and its commit keys fit all the same.
func TestTicketWithholdsHeaders(t *testing.T) {
	g := newGroup(t)
	a, j := g.member(1), g.bare(2)
	since := uint64(0)
	for range 3 {
		a.say(true)
		since = a.preferred().serial
	}
	a.say(true)
	old := a.send(a.preferred().parent)
	ticket := a.ticket(TicketQuery{Joiner: true, Since: since}, 1)
	require.True(t, ticket.Epochs[0].Readable)
	require.False(t, ticket.Epochs[1].Readable)
	j.merge(ticket)
	require.Error(t, j.read(old))
	k := g.bare(3)
	k.merge(ticket)
	later := k.merge(a.ticket(TicketQuery{Joiner: true}, 2)) // of somebody to whom the record came earlier
	require.Contains(t, later.Entered, old.epoch, "what waits is tried with a header key that came later")
	for e := range j.f.All() {
		truth, _ := a.f.Epoch(e.id)
		require.Equal(t, truth.hh, e.hh)
		require.True(t, truth.commitKey.Equal(e.commitKey))
	}
}

// TestLiarsTicket: a ticket with false trees and chains, before or after honest ones, drops nothing and settles nothing: with the
// honest words everything is read and followed, whatever the liar proves by messages and commits of its own (D19).
func TestLiarsTicket(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := newGroup(t)
		a, b, liar := g.member(1), g.member(2), g.member(3)
		all := []*member{a, b, liar}
		for range rapid.IntRange(1, 3).Draw(t, "history") {
			from := all[rapid.IntRange(0, 2).Draw(t, "from")]
			msg := from.say(true)
			for _, m := range all {
				if m != from {
					require.NoError(t, m.read(msg))
				}
			}
		}
		j := g.bare(4)
		tickets := []Ticket{liar.ticket(TicketQuery{}, 1).lie(g.root.Depth), a.ticket(TicketQuery{}, 1), b.ticket(TicketQuery{}, 1)}
		first := rapid.IntRange(0, 2).Draw(t, "first")
		tickets[0], tickets[first] = tickets[first], tickets[0]
		later := rapid.IntRange(0, 3).Draw(t, "later")
		for _, ticket := range tickets[:min(later, 3)] {
			j.merge(ticket)
		}
		var messages []message
		for _, m := range []*member{a, b} {
			messages = append(messages, m.say(rapid.Bool().Draw(t, "commit")))
		}
		for _, msg := range messages {
			if later > 0 {
				_ = j.read(msg)
			}
		}
		for _, ticket := range tickets[min(later, 3):] {
			j.merge(ticket)
		}
		for _, msg := range messages {
			if err := j.read(msg); err != nil {
				require.ErrorIs(t, err, ErrDuplicate)
			}
		}
		// what j writes from its best word is read by all
		for _, p := range j.commit(a.preferred().id) {
			_ = p
		}
		read := false
		for e := range j.f.All() {
			if e.maker.Index == 4 {
				read = a.read(j.send(e.id)) == nil || read
			}
		}
		require.True(t, read)
	})
}

// TestCommitFromEachWord: a member with two words for its own node commits from each; when the truth is known the false one is not
// preferred, and what was sent below it is told (D18).
func TestCommitFromEachWord(t *testing.T) {
	g := newGroup(t)
	a, liar := g.member(1), g.member(2)
	msg := a.say(true)
	require.NoError(t, liar.read(msg))
	j := g.bare(3)
	j.merge(liar.ticket(TicketQuery{}, 1).lie(g.root.Depth))
	j.merge(a.ticket(TicketQuery{}, 1))
	made := j.commit(a.preferred().id)
	require.Len(t, made, 2)
	require.NotEqual(t, made[0].Commit.Core.Place(g.space, msg.epoch, 2), made[1].Commit.Core.Place(g.space, msg.epoch, 2))
	followed := 0
	var falseChild proto.EpochID
	for e := range j.f.All() {
		if e.maker.Index == 3 {
			if err := a.read(j.send(e.id)); err == nil {
				followed++
			} else {
				require.ErrorIs(t, err, ErrMisled)
				falseChild = e.id
			}
		}
	}
	require.Equal(t, 1, followed)

	genesis, _ := a.f.Epoch(g.root.ID) // j comes to hold the parent, and derives the epoch
	require.NotNil(t, genesis)
	whole := g.member(9)
	all, _ := whole.f.ForTicket(TicketQuery{})
	change := j.merge(Ticket{Epochs: all, Issuer: 9, Counter: 1})
	require.Contains(t, change.Derived, msg.epoch)
	require.Equal(t, []MessageRange{{falseChild, 0, 1}}, change.Unread)
	require.NotEqual(t, falseChild, j.preferred().id)
}

// TestDroppedEpochStaysDropped: a ticket does not bring back an epoch that went because of its age; one that was given up because
// of a bound comes back as one to follow, without keys of messages, and without the places of its children (D51, D70).
func TestDroppedEpochStaysDropped(t *testing.T) {
	g := newGroup(t)
	a, b := g.member(1), g.member(2)
	msg := b.say(true)
	require.NoError(t, a.read(msg))
	child := b.say(true)
	require.NoError(t, a.read(child))
	late := b.send(msg.epoch)
	for range near + 1 {
		require.NoError(t, a.read(b.say(true)))
	}
	for _, why := range []reason{aged, givenUp} {
		m := *a
		e, _ := m.f.Epoch(msg.epoch)
		var change Change
		m.f = m.f.drop(e.id, why, &change)
		require.Equal(t, []proto.EpochID{msg.epoch}, change.Dropped)
		ticket := b.ticket(TicketQuery{LastRead: LastRead{1: {}}}, 1)
		require.True(t, slices.ContainsFunc(ticket.Epochs, func(e TicketEpoch) bool { return e.ID == msg.epoch }))
		parent, _ := m.f.Epoch(g.root.ID)
		require.NotNil(t, parent)
		m.merge(ticket)
		e, held := m.f.Epoch(msg.epoch)
		require.Equal(t, why == givenUp, held)
		require.Error(t, m.read(late))
		if held {
			require.False(t, e.Readable())
			c, _ := m.f.Epoch(child.epoch)
			require.False(t, e.HasPlace(2, c.place), "the place of a child that is held")
		}
	}
}

// TestToldPlaceStaysOpen: a told child takes the place of a true one from nobody (§6).
func TestToldPlaceStaysOpen(t *testing.T) {
	g := newGroup(t)
	a, b := g.member(1), g.member(2)
	require.NoError(t, b.read(a.say(true)))
	at := a.preferred()
	msg := a.say(true)
	true1 := a.preferred()
	j := g.bare(3)
	j.merge(b.ticket(TicketQuery{}, 1))

	// the liar tells a child with this place and other keys
	p, _ := true1.Commit()
	keys := proto.DeriveKeys(secret.Random(64), true1.place)
	p.Commit.Check = keys.Check(true1.place)
	lie := TicketEpoch{
		ID: proto.ByCommit.ID(true1.place, p.Commit.Check), Root: g.root.ID, Place: true1.place, Check: p.Commit.Check, Maker: g.sign[1].Public,
	}
	lie.Readable, lie.Parent, lie.Generation, lie.Commit = true, at.id, at.generation+1, p.Commit
	lie.Header, lie.CommitKey, lie.Authenticator = keys.Header, keys.Commit, keys.Authenticator
	lie.CommitTree = pprf.New(keys.CommitRoot, g.root.Depth+pprf.ChildBits)
	lie.SenderTree = pprf.New(keys.SenderRoot, g.root.Depth)
	j.merge(Ticket{Epochs: []TicketEpoch{lie}, Issuer: 1, Counter: 1})
	require.True(t, j.f.Has(lie.ID))
	require.NoError(t, j.read(msg))
	require.True(t, j.f.Has(true1.id))
}

// TestFarGeneration: of two issuers whose generations are far apart the lower one counts (D21).
func TestFarGeneration(t *testing.T) {
	g := newGroup(t)
	a := g.member(1)
	a.say(true)
	honest := a.ticket(TicketQuery{Joiner: true}, 1)
	honest.Joining = true
	far := honest
	far.Issuer = 2
	far.Epochs = slices.Clone(honest.Epochs[:1])
	far.Epochs[0].ID[0] ^= 1
	far.Epochs[0].Generation += maxLead + 1
	for _, order := range [][]Ticket{{honest, far}, {far, honest}} {
		j := g.bare(3)
		for _, ticket := range order {
			j.merge(ticket)
		}
		require.False(t, j.f.Has(far.Epochs[0].ID))
		require.Equal(t, a.preferred().id, j.preferred().id)
	}
	far.Joining = false
	require.Empty(t, a.merge(far).Entered, "a member does not take it")
}

// TestMemberLeavesALiarsBranch: a told epoch ahead of everybody is not preferred once two others say that they do not hold it, and
// is again when a third member is read in it (D56).
func TestMemberLeavesALiarsBranch(t *testing.T) {
	g := newGroup(t)
	a, b, c, liar := g.member(1), g.member(2), g.member(3), g.member(4)
	msg := a.say(true)
	for _, m := range []*member{b, c, liar} {
		require.NoError(t, m.read(msg))
	}
	for range 3 {
		liar.commit(liar.preferred().id)
	}
	branch := liar.ticket(TicketQuery{}, 1)
	branch.Epochs = branch.Epochs[:2] // without what others can follow
	asked := g.member(5)
	require.NoError(t, asked.read(msg))
	asked.merge(branch)
	led := asked.preferred().id
	require.Equal(t, liar.preferred().id, led)
	for i, m := range []*member{b, c} {
		ticket := m.ticket(TicketQuery{}, 1)
		ticket.Asked = led
		require.Equal(t, i == 1, asked.merge(ticket).Alone)
	}
	require.Equal(t, msg.epoch, asked.preferred().id)
	require.True(t, asked.f.Has(led))
	asked.commit(led)
	require.Equal(t, msg.epoch, asked.preferred().id, "nor what is made below it")

	third := g.bare(6)
	third.merge(liar.ticket(TicketQuery{}, 1))
	require.NoError(t, asked.read(third.send(led)))
	require.NotEqual(t, msg.epoch, asked.preferred().id)
}

// TestOwnChainFromTheStart: what a member sent while nobody was heard is given to members that ask, until another is read (§5).
func TestOwnChainFromTheStart(t *testing.T) {
	g := newGroup(t)
	a, b := g.member(1), g.member(2)
	next, _, _, err := a.f.Commit(g.root.ID, a.shares(), Signer{Key: g.sign[1]}, true, g.now)
	require.NoError(t, err)
	a.f = next
	sent := a.send(a.preferred().id)
	later := a.send(a.preferred().id)
	for _, joiner := range []bool{true, false} {
		m := g.bare(3)
		m.merge(a.ticket(TicketQuery{Joiner: joiner}, 1))
		if joiner {
			require.Error(t, m.read(sent))
		} else {
			require.NoError(t, m.read(sent))
		}
	}
	require.NoError(t, b.read(later))
	require.NoError(t, a.read(b.say(true)))
	m := g.bare(3)
	m.merge(a.ticket(TicketQuery{}, 1))
	require.Error(t, m.read(sent))
}

// TestPrune: an epoch far behind keeps the places of members that are not known to have left it, and goes after 30 days; what is
// near stays (§5, D49).
func TestPrune(t *testing.T) {
	g := newGroup(t)
	a, b, c := g.member(1), g.member(2), g.member(3)
	first := b.say(true)
	require.NoError(t, a.read(first))
	require.NoError(t, c.read(first))
	require.NoError(t, a.read(c.send(first.epoch)))
	for range near + 2 {
		require.NoError(t, a.read(b.say(true)))
	}
	held := a.f.Size()
	prune := func(at Millis) (change Change) {
		a.f, change = a.f.Prune(at, a.lastRead())
		return change
	}
	prune(g.now + cutAfter - 1)
	e, _ := a.f.Epoch(first.epoch)
	require.False(t, e.cut)
	prune(g.now + cutAfter)
	e, _ = a.f.Epoch(first.epoch)
	require.True(t, e.cut)
	require.NoError(t, a.read(c.send(first.epoch)), "c was not heard further on")
	require.Error(t, a.read(b.send(first.epoch)), "b was")
	e, _ = a.f.Epoch(first.epoch)
	require.True(t, e.HasPlace(3, proto.Place{7}))
	require.True(t, e.HasPlace(0, proto.Place{7}), "the place of a rekey")
	require.False(t, e.HasPlace(2, proto.Place{7}))
	require.Equal(t, held, a.f.Size())
	change := prune(g.now + dropAfter)
	require.Contains(t, change.Dropped, first.epoch)
	require.Equal(t, near+1, a.f.Size())
}

// TestCandidateOfALieIsNotEntered: a candidate that a false word gave is not entered once its parent was derived: nobody with the true
// tree will ever derive it (D87).
func TestCandidateOfALieIsNotEntered(t *testing.T) {
	g := newGroup(t)
	a, liar, j, late := g.member(1), g.bare(2), g.bare(3), g.member(4)
	a.say(true)
	lie := a.ticket(TicketQuery{Joiner: true}, 1).lie(g.root.Depth)
	lie.Epochs = lie.Epochs[:1]
	lie.Issuer = 2
	liar.merge(lie)
	j.merge(lie)
	at := j.preferred()
	require.False(t, at.derived)
	c, err := j.f.Derive(at, liar.commit(at.id)[0], g.sign[2].Public, j.shares())
	require.NoError(t, err)

	j.merge(late.ticket(TicketQuery{Joiner: true}, 1)) // which did not follow the commit yet, so that its tree gives the place
	at, _ = j.f.Epoch(at.id)
	require.True(t, at.derived)
	kept, ok := j.f.Candidate(c.Found())
	require.True(t, ok)
	for _, x := range []Candidate{c, kept} {
		_, _, err = j.f.Enter([]Candidate{x}, Reading{Sender: 2, Own: j.shares(), Now: g.now})
		require.ErrorIs(t, err, ErrClosed)
	}
}

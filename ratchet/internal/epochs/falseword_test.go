package epochs

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/pprf"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// twoChecks is a commit of one place that its maker signed with two checks: one fits the false word that it told a joiner, and one the
// true tree.
type twoChecks struct {
	*group
	t              *testing.T
	a, m, j        *member // an honest member, the maker, and the joiner
	at             proto.EpochID
	falsely, truly proto.Shown
	led, honest    proto.EpochID // the epochs that they make
	falseChild     TicketEpoch   // the false one as a ticket tells it
	lie            Ticket        // that the joiner has
	first, sent    message       // by the honest member: with the commit that made the parent, and in the true child
}

func newTwoChecks(t *testing.T) *twoChecks {
	g := newGroup(t)
	x := &twoChecks{group: g, t: t, a: g.member(1), m: g.member(2), j: g.bare(3)}
	msg := x.a.say(true)
	require.NoError(t, x.m.read(msg))
	x.first, x.at = msg, msg.epoch
	x.lie = x.m.ticket(TicketQuery{}, 1).lie(g.root.Depth)
	x.j.merge(x.lie)

	p, _ := x.a.f.Epoch(x.at)
	core, ss, err := proto.NewCore(g.space, p.id, g.root.Public, x.m.share)
	require.NoError(t, err)
	place := core.Place(g.space, p.id, p.generation+1)
	at := slices.IndexFunc(x.lie.Epochs, func(e TicketEpoch) bool { return e.ID == p.id })
	falseValue, err := x.lie.Epochs[at].CommitTree.Value(p.path(2, place))
	require.NoError(t, err)
	values, _ := p.values(p.path(2, place))
	for _, made := range []*proto.Shown{&x.falsely, &x.truly} {
		v := values[0].Value
		if made == &x.falsely {
			v = falseValue
		}
		keys := proto.DeriveKeys(proto.EpochSecret(v, ss), place)
		made.Commit = core.Sign(g.sign[2], g.space, p.id, p.generation+1, keys.Check(place))
	}
	x.led, x.honest = p.Child(g.space, x.falsely.Commit), p.Child(g.space, x.truly.Commit)
	keys := proto.DeriveKeys(proto.EpochSecret(falseValue, ss), place)
	c := &x.falseChild
	c.ID, c.Root, c.Place, c.Check, c.Maker = x.led, g.root.ID, place, x.falsely.Commit.Check, g.sign[2].Public
	c.Parent, c.Generation, c.Commit = p.id, p.generation+1, x.falsely.Commit
	c.HeaderCheck, c.CommitKey, c.Authenticator = keys.HeaderCheck(place), keys.Commit, keys.Authenticator
	x.follow(x.a, x.truly)
	x.sent = x.a.send(x.honest)
	return x
}

// follow enters what a commit makes.
func (x *twoChecks) follow(m *member, p proto.Shown) {
	parent, _ := m.f.Epoch(x.at)
	c, err := m.f.Derive(parent, p, x.sign[2].Public, m.shares())
	require.NoError(x.t, err)
	m.f, _, err = m.f.Enter([]Candidate{c}, Reading{2, m.shares(), x.now})
	require.NoError(x.t, err)
}

// tells is a ticket of somebody who has not followed what the joiner wants to derive, so that its trees give the places.
func (x *twoChecks) tells(i dkg.Index, read ...message) Ticket {
	m := x.member(i)
	for _, msg := range read {
		require.NoError(x.t, m.read(msg))
	}
	all, _ := m.f.ForTicket(TicketQuery{})
	return Ticket{Epochs: all, Issuer: i, Counter: 1}
}

// TestFalseWordClosesNothing: what a joiner derived by a false word makes the true commit neither false nor closed, whether the true word
// was told before, or is told later. Until then the message below it waits (D19, D205).
func TestFalseWordClosesNothing(t *testing.T) {
	for _, before := range []bool{true, false} {
		x := newTwoChecks(t)
		truth := x.tells(4, x.first)
		if before {
			x.j.merge(truth)
		}
		x.follow(x.j, x.falsely)
		if !before {
			err := x.j.read(x.sent)
			require.ErrorIs(t, err, ErrClosed)
			require.NotErrorIs(t, err, ErrFalse)
			x.j.merge(truth)
		}
		p, _ := x.j.f.Epoch(x.at)
		require.False(t, p.derived)
		require.NoError(t, x.j.read(x.sent), "true word first: %v", before)
		for _, id := range []proto.EpochID{x.led, x.honest} {
			e, held := x.j.f.Epoch(id)
			require.True(t, held && e.derived && !e.misled)
		}
		x.j.merge(x.tells(5, x.first))
		p, _ = x.j.f.Epoch(x.at)
		values, _ := p.values(p.path(2, x.truly.Commit.Core.Place(x.space, p.id, p.generation+1)))
		require.Empty(t, values, "what was used up stays so")
		require.NoError(t, x.j.read(x.a.say(true)))
		loaded := newDisk(t, x.j.f).load(x.space)
		require.True(t, x.j.f.one(t).Equal(loaded.one(t)))
	}
}

// TestFalseWordGivesWay: once the parent is derived, what a false word gave is misled, and what lies below it is not preferred. The true
// child is entered, is preferred, and its messages are read. What was sent below the false one is told (D87, D205).
func TestFalseWordGivesWay(t *testing.T) {
	for _, first := range []string{"the parent", "the child by a ticket", "the child by a true word", "the false child is given up"} {
		x := newTwoChecks(t)
		x.follow(x.j, x.falsely)
		own := x.j.say(true)
		below := x.j.preferred()
		require.Equal(t, x.led, below.parent)
		switch first {
		case "the child by a ticket":
			x.j.merge(x.a.ticket(TicketQuery{}, 2))
		case "the child by a true word":
			x.j.merge(x.tells(4, x.first))
			require.NoError(t, x.j.read(x.sent))
		case "the false child is given up":
			var change Change
			x.j.f = x.j.f.drop(x.led, givenUp, &change)
		}
		change := x.j.merge(x.tells(9))
		p, _ := x.j.f.Epoch(x.at)
		require.True(t, p.derived, first)
		if led, held := x.j.f.Epoch(x.led); held {
			require.True(t, led.misled)
		}
		require.Equal(t, []MessageRange{{own.epoch, 0, 1}}, change.Unread, first)
		if err := x.j.read(x.sent); first != "the child by a true word" {
			require.NoError(t, err, first)
		}
		e, _ := x.j.f.Epoch(x.honest)
		require.True(t, e.derived && !e.misled, first)
		require.Equal(t, x.honest, x.j.preferred().id, first)
		require.NoError(t, x.j.read(x.a.say(true)))
		require.NoError(t, x.a.read(x.j.say(true)), "all follow one another")
		require.Equal(t, x.a.preferred().id, x.j.preferred().id)
	}
}

// TestToldEpochUsesUpNoPlace: an epoch that was only told leaves its place to the true one, also when it was given up, and its parent comes
// to be derived then.
func TestToldEpochUsesUpNoPlace(t *testing.T) {
	x := newTwoChecks(t)
	lie := x.tells(4, x.first)
	lie.Epochs = append(lie.Epochs, x.falseChild)
	lie.Issuer = 2
	j := x.bare(5)
	lie = lie.lie(x.root.Depth) // so that the false child does not become derived
	j.merge(lie)
	led, held := j.f.Epoch(x.led)
	require.True(t, held && !led.derived)
	var change Change
	j.f = j.f.drop(x.led, givenUp, &change)
	j.merge(x.tells(9))
	require.NoError(t, j.read(x.sent))
	require.Equal(t, x.honest, j.preferred().id)
}

// TestFalseChildComesBackMisled: what a false word gave, and what lies below it, is misled when a ticket brings it back, whether it was
// given up before its parent was derived or later. If the parent was given up, too, and the same false word comes again, that gives it no more.
func TestFalseChildComesBackMisled(t *testing.T) {
	for _, first := range []string{"the child is given up", "the parent is derived"} {
		x := newTwoChecks(t)
		x.follow(x.j, x.falsely)
		below := x.j.say(true).epoch
		back := x.j.ticket(TicketQuery{}, 5)
		back.Issuer = 2
		back.Epochs = slices.DeleteFunc(back.Epochs, func(e TicketEpoch) bool { return e.ID != x.led && e.ID != below })
		require.Len(t, back.Epochs, 2)
		giveUp := func(ids ...proto.EpochID) {
			for _, id := range ids {
				x.j.f = x.j.f.drop(id, givenUp, new(Change))
			}
		}
		if first == "the child is given up" {
			giveUp(below, x.led)
		}
		x.j.merge(x.tells(9))
		if first == "the parent is derived" {
			giveUp(below, x.led)
		}
		giveUp(x.at)
		before := x.j.f
		x.j.merge(back)
		require.NotContains(t, []proto.EpochID{x.led, below}, x.j.preferred().id, first)
		giveUp(x.led)
		require.NotEqual(t, below, x.j.preferred().id, "by itself")
		x.lie.Counter = 5
		x.lie.Epochs = slices.DeleteFunc(slices.Clone(x.lie.Epochs), func(e TicketEpoch) bool { return e.ID != x.at })
		for _, told := range []bool{false, true} {
			if x.j.f = before; told {
				x.j.merge(back)
			}
			x.j.merge(x.lie)
			p, _ := x.j.f.Epoch(x.at)
			_, err := x.j.f.Derive(p, x.falsely, x.sign[2].Public, x.j.shares())
			require.ErrorIs(t, err, ErrClosed, "the value that gave it was used up")
			led, held := x.j.f.Epoch(x.led)
			require.True(t, !held || led.misled)
			require.NotContains(t, []proto.EpochID{x.led, below}, x.j.preferred().id, "told before: %v", told)
		}
	}
}

// TestRootOfAFalseWordGivesWay: a root that a rekey made by a false word takes the place of no other, and is misled once the parent is
// derived, also if it was given up: what lies below it is not preferred, and what was sent there is told. A rekey by the true tree is
// followed, whenever it comes (D207).
func TestRootOfAFalseWordGivesWay(t *testing.T) {
	for _, first := range []string{"the true rekey", "the parent", "the false root is given up"} {
		x := newTwoChecks(t)
		dealt, secret := x.j.rekeyFrom(x.at)
		require.NoError(t, x.j.enterRekey(dealt, secret))
		require.ErrorIs(t, x.a.enterRekey(dealt, secret), ErrFalse)
		x.j.send(dealt.ID)
		truly, trueSecret := x.a.rekeyFrom(x.at)
		require.NoError(t, x.a.enterRekey(truly, trueSecret))
		switch first {
		case "the true rekey":
			x.j.merge(x.tells(4, x.first))
			require.NoError(t, x.j.enterRekey(truly, trueSecret))
		case "the false root is given up":
			x.j.f = x.j.f.drop(dealt.ID, givenUp, new(Change))
		}
		x.j.f = newDisk(t, x.j.f).load(x.space)
		change := x.j.merge(x.tells(9))
		if first == "the false root is given up" { // and what was sent there was told then
			gone, _ := x.j.f.gone.find(dealt.ID)
			require.True(t, gone.misled)
		} else {
			require.Equal(t, []MessageRange{{dealt.ID, 0, 1}}, change.Unread, first)
			e, _ := x.j.f.Epoch(dealt.ID)
			require.True(t, e.misled)
		}
		require.NoError(t, x.j.enterRekey(truly, trueSecret))
		e := x.j.preferred()
		require.Equal(t, truly.ID, e.id, first)
		require.True(t, e.derived && !e.byWord())
		require.NoError(t, x.j.read(x.a.send(truly.ID)))
	}
}

// fullTree returns a tree that is as long as one may be: a key at level 6, and keys at level 19 elsewhere.
func fullTree(t *testing.T, bits int) pprf.Frontier {
	var shapes []byte // two bits each: 1 a key, 2 an inner node
	keys := 0
	var node func(level, key int)
	node = func(level, key int) {
		if level == key {
			shapes, keys = append(shapes, 1), keys+1
			return
		}
		shapes = append(shapes, 2)
		node(level+1, key)
		node(level+1, 19)
	}
	node(0, 6)
	out := make([]byte, (len(shapes)+3)/4)
	for i, shape := range shapes {
		out[i/4] |= shape << (6 - 2*(i%4))
	}
	tree, err := pprf.Decode(append(out, make([]byte, keys*suite.KeySize)...), bits)
	require.NoError(t, err)
	return tree
}

// TestJudgedByWhatIsEntered: where an epoch comes to be derived that cannot be entered, since more is used up of its tree than can be
// stored, its children are as they were, and nothing is said of what was sent there.
func TestJudgedByWhatIsEntered(t *testing.T) {
	x := newTwoChecks(t)
	x.follow(x.j, x.falsely)
	x.j.say(true)
	told, _ := x.j.f.Epoch(x.at)
	for i := dkg.Index(1); i < 1<<14; i <<= 1 {
		told.commits.told = told.commits.told.Puncture(told.path(i, proto.Place{}))
	}
	x.j.f = x.j.f.put(told)
	truth, _ := x.a.f.Epoch(x.at)
	truth.commits.tree = fullTree(t, truth.depth+pprf.ChildBits)
	var change Change
	f, err := x.j.f.take(truth, x.now, &change)
	require.ErrorIs(t, err, ErrQuota)
	require.Zero(t, change)
	require.True(t, f.one(t).Equal(x.j.f.one(t)))
	require.Empty(t, f.misled())
}

package epochs

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// made returns what is fixed of an epoch that a member makes below another one, with drawn place and check.
func (e Epoch) made(by dkg.Index) meta {
	m := meta{parent: e.id, root: e.root, generation: e.generation + 1, depth: e.depth, maker: Maker{Index: by}}
	m.place, m.check = proto.Place(secret.Random(32).Expose()), proto.Check(secret.Random(32).Expose())
	m.id = proto.ByCommit.ID(m.place, m.check)
	return m
}

// misledBranch returns a member that holds a branch of nine epochs, of which the first is misled, and a shorter honest one, which it
// prefers. In what order those of the branch came is given.
func (g *group) misledBranch(order []int) (a *member, branch []proto.EpochID, honest proto.EpochID) {
	a = g.member(1)
	at := a.preferred()
	var all []meta
	for range order {
		m := at.made(2)
		all, branch, at = append(all, m), append(branch, m.id), Epoch{meta: &m}
	}
	for _, k := range order {
		a.f = a.f.add(newEpoch(all[k], g.keys), g.now, new(Change))
	}
	first, _ := a.f.Epoch(branch[0])
	first.misled = true
	a.f, _ = a.f.put(first).settle(Change{}, g.now)
	other := g.member(3)
	for range near + 3 {
		require.NoError(g.t, a.read(other.say(true)))
	}
	require.Equal(g.t, other.preferred().id, a.f.preferred)
	return a, branch, a.f.preferred
}

// inOrder and childFirst are orders in which a branch of nine epochs comes: tickets bring a child before its parent, too.
var (
	inOrder    = []int{0, 1, 2, 3, 4, 5, 6, 7, 8}
	childFirst = []int{1, 0, 2, 3, 4, 5, 6, 7, 8}
)

// TestMarkPassesTheGap: what lies below a misled epoch is not preferred, in whatever order that one and those between go.
func TestMarkPassesTheGap(t *testing.T) {
	drop := func(ids ...int) func(Forest, []proto.EpochID) Forest {
		return func(f Forest, branch []proto.EpochID) Forest {
			for _, k := range ids {
				f = f.drop(branch[k], givenUp, new(Change))
			}
			return f
		}
	}
	for name, lose := range map[string]func(Forest, []proto.EpochID) Forest{
		"one between":               drop(1),
		"from above":                drop(0, 1, 2),
		"from below":                drop(2, 1, 0),
		"between, then the others":  drop(1, 0, 2),
		"two between, with one gap": drop(1, 3, 0),
		"by a bound": func(f Forest, _ []proto.EpochID) Forest {
			f, change := f.evict(f.Size()-2, Change{}, 0)
			require.Equal(t, 2, change.GivenUp)
			return f
		},
	} {
		for _, order := range [][]int{inOrder, childFirst} {
			g := newGroup(t)
			a, branch, honest := g.misledBranch(order)
			f := lose(a.f, branch)
			require.True(t, f.Has(branch[8]))
			require.Equal(t, honest, f.first(), name)
		}
	}
}

// TestMarkPassesWhatAged: the same by age. What goes and what is cut in one step is looked at as it is by then.
func TestMarkPassesWhatAged(t *testing.T) {
	for _, order := range [][]int{inOrder, childFirst} {
		for _, gone := range []int{1, 2} { // the second one is cut, or goes too
			g := newGroup(t)
			a, branch, honest := g.misledBranch(order)
			for k, id := range branch {
				e, _ := a.f.Epoch(id)
				if e.cut = k < gone; k >= 2 {
					e.stamp = g.now + 29*day
				}
				a.f = a.f.put(e)
			}
			f, change := a.f.Prune(g.now+dropAfter+1, LastRead{})
			require.Subset(t, change.Dropped, branch[:gone])
			require.Equal(t, gone == 1, f.Has(branch[1]))
			require.True(t, f.Has(branch[8]))
			require.Equal(t, honest, f.preferred)
		}
	}
}

// TestWhatAMarkKeepsBack: in a forest of any shape, in which epochs are marked and go, that epoch is preferred which comes first of those
// at and above which no mark is, and those at or above which one is misled are told to nobody.
func TestWhatAMarkKeepsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := newGroup(t)
		a := g.member(1)
		all := []Epoch{a.preferred()}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			e := all[rapid.IntRange(0, len(all)-1).Draw(t, "epoch")]
			held, has := a.f.Epoch(e.id)
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0:
				if has && !e.isRoot() {
					a.f = a.f.drop(e.id, givenUp, new(Change))
				}
			case 1:
				if has && !e.isRoot() {
					held.alone, held.misled = rapid.Bool().Draw(t, "alone"), rapid.Bool().Draw(t, "misled")
					a.f = a.f.put(held)
				}
			default:
				m := e.made(2)
				all = append(all, newEpoch(m, g.keys))
				a.f = a.f.add(all[len(all)-1], g.now, new(Change))
			}
		}
		var first *meta
		misled := map[proto.EpochID]bool{}
		for e := range a.f.All() {
			aside := false
			for above := range a.f.Line(e.id) {
				aside = aside || above.alone || above.misled
				if above.misled {
					misled[e.id] = true
				}
			}
			if !aside && (first == nil || a.f.Before(e.Position(), first.position())) {
				first = e.meta
			}
		}
		require.Equal(t, first.id, a.f.first())
		require.Equal(t, misled, a.f.misled())
	})
}

// mislead marks an epoch held as misled.
func (m *member) mislead(id proto.EpochID) {
	e, _ := m.f.Epoch(id)
	e.misled = true
	m.f, _ = m.f.put(e).settle(Change{}, m.now)
}

// TestMisledEpochComesBackMisled: an epoch that was misled and given up is misled when a ticket brings it back, without its parent too.
func TestMisledEpochComesBackMisled(t *testing.T) {
	g := newGroup(t)
	a, b, c := g.member(1), g.member(2), g.member(3)
	first := b.say(true)
	for _, m := range []message{first, b.say(true), b.say(true)} {
		require.NoError(t, a.read(m))
	}
	a.mislead(first.epoch)
	require.NoError(t, a.read(c.say(true)))
	honest := a.f.preferred
	a.f = a.f.drop(first.epoch, givenUp, new(Change)).drop(g.root.ID, givenUp, new(Change))
	ticket := b.ticket(TicketQuery{}, 1)
	ticket.Epochs = ticket.Epochs[:3] // not the parent
	a.merge(ticket)
	e, held := a.f.Epoch(first.epoch)
	require.True(t, held && e.misled)
	require.Equal(t, honest, a.f.preferred)
}

// TestMisledEpochIsToldToNobody: a ticket tells neither a misled epoch nor what lies below it, and does not return commits there (D87).
func TestMisledEpochIsToldToNobody(t *testing.T) {
	g := newGroup(t)
	a, branch, honest := g.misledBranch(inOrder)
	told, _ := a.f.ForTicket(TicketQuery{Joiner: true, LastRead: LastRead{5: {}}})
	require.Equal(t, honest, told[0].ID)
	for _, e := range told {
		require.NotContains(t, branch, e.ID)
	}
	first, _ := a.f.Epoch(branch[0])
	first.misled = false
	told, _ = a.f.put(first).ForTicket(TicketQuery{Joiner: true, LastRead: LastRead{5: {}}})
	require.Len(t, told, a.f.Size(), "else all of them")
}

// TestCommitBelowAMisledEpochIsNotReturned: nor is a commit returned whose child is misled or lies below a misled epoch.
func TestCommitBelowAMisledEpochIsNotReturned(t *testing.T) {
	g := newGroup(t)
	a, b, c := g.member(1), g.member(2), g.member(3)
	first := b.say(true)
	require.NoError(t, a.read(first))
	require.NoError(t, c.read(first))
	require.NoError(t, a.read(c.say(true)))
	require.Len(t, a.f.Returned(c.maker(), proto.EpochID{}, a.f.Entered(), a.shares()), 1)
	e, _ := a.f.Epoch(first.epoch)
	e.misled = true
	require.Empty(t, a.f.put(e).Returned(c.maker(), proto.EpochID{}, a.f.Entered(), a.shares()))
}

// TestWhatIsProvenIsNotAlone: an epoch that others say that they do not hold is not alone any more once a true tree gives it, though only
// its teller writes there; also if a word of its parent had given it before.
func TestWhatIsProvenIsNotAlone(t *testing.T) {
	for _, byWord := range []bool{false, true} {
		g := newGroup(t)
		a, j := g.member(1), g.member(3)
		if byWord {
			j = g.bare(3)
		}
		first := a.say(true)
		parent := a.ticket(TicketQuery{}, 1)
		parent.Epochs = parent.Epochs[:1]
		second := a.say(true)
		if byWord {
			j.merge(parent)
			require.NoError(t, j.read(second))
		} else {
			child := a.ticket(TicketQuery{}, 1)
			child.Epochs = child.Epochs[:1]
			j.merge(child)
		}
		e, _ := j.f.Epoch(second.epoch)
		require.Equal(t, byWord, e.derived)
		e.alone = true
		j.f = j.f.put(e)
		if byWord {
			j.f, _ = j.f.Found(g.root, proto.EpochID{}, g.place, g.keys.Check(g.place), g.keys, g.now)
			j.merge(parent)
		} else {
			require.NoError(t, j.read(first))
		}
		e, _ = j.f.Epoch(second.epoch)
		require.True(t, e.derived && !e.alone, byWord)
		require.Equal(t, second.epoch, j.preferred().id)
		require.NoError(t, j.read(a.say(true)))
	}
}

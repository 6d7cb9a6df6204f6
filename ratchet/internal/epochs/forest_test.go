package epochs

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/state"
)

// ids returns the epochs that a member holds.
func (m *member) ids() (out []proto.EpochID) {
	for e := range m.f.All() {
		out = append(out, e.id)
	}
	slices.SortFunc(out, func(a, b proto.EpochID) int { return slices.Compare(a[:], b[:]) })
	return out
}

// deliver hands messages to members until nothing more is read, and requires that each is read once.
func deliver(t require.TestingT, members []*member, messages []message, read map[string]bool) {
	for progress := true; progress; {
		progress = false
		for _, m := range members {
			for i, msg := range messages {
				name := fmt.Sprintf("%d reads %d", m.index, i)
				if msg.from == m.index {
					continue
				}
				before := m.f
				err := m.read(msg)
				if err != nil {
					require.True(t, m.f.one(t).Equal(before.one(t)), "a failed call changed something")
				}
				if read[name] {
					require.ErrorIs(t, err, ErrDuplicate)
				} else if err == nil {
					read[name], progress = true, true
				}
			}
		}
	}
}

func (f Forest) one(t require.TestingT) state.One[part] { return part{f}.one(t) }

// shuffled draws an order of messages without printing them.
func shuffled(t *rapid.T, messages []message) (out []message) {
	places := make([]int, len(messages))
	for i := range places {
		places[i] = i
	}
	for _, i := range rapid.Permutation(places).Draw(t, "order") {
		out = append(out, messages[i])
	}
	return out
}

// TestConvergence: members commit and send at the same time, and messages arrive in any order and more than once. In the end all
// hold the same epochs, prefer the same one, and have read everything once.
func TestConvergence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := newGroup(t)
		members := g.members(rapid.IntRange(2, 4).Draw(t, "members"))
		var messages []message
		read := map[string]bool{}
		for range rapid.IntRange(2, 7).Draw(t, "steps") {
			m := members[rapid.IntRange(0, len(members)-1).Draw(t, "member")]
			if len(messages) == 0 || rapid.IntRange(0, 2).Draw(t, "step") == 0 {
				messages = append(messages, m.say(rapid.Bool().Draw(t, "commit")))
				continue
			}
			i := rapid.IntRange(0, len(messages)-1).Draw(t, "message")
			if name := fmt.Sprintf("%d reads %d", m.index, i); messages[i].from != m.index && m.read(messages[i]) == nil {
				require.False(t, read[name])
				read[name] = true
			}
		}
		messages = shuffled(t, messages)
		clear(read) // the numbers are others now; what was read before is a duplicate
		for _, m := range members {
			for i, msg := range messages {
				if e, _, ok := m.open(msg.header); ok && msg.from != m.index {
					if _, err := m.f.Keys(e.id, msg.from, msg.n, msg.header.Tag()); err != nil {
						require.ErrorIs(t, err, ErrDuplicate)
						read[fmt.Sprintf("%d reads %d", m.index, i)] = true
					}
				}
			}
		}
		deliver(t, members, messages, read)
		for _, m := range members {
			for i, msg := range messages {
				require.True(t, msg.from == m.index || read[fmt.Sprintf("%d reads %d", m.index, i)])
			}
			require.Equal(t, members[0].ids(), m.ids())
			require.Equal(t, members[0].preferred().id, m.preferred().id)
			for e := range m.f.All() { // whoever holds an epoch derived it, and has the same keys
				o, ok := members[0].f.Epoch(e.id)
				require.True(t, ok && o.derived && e.derived)
				require.True(t, o.auth.Equal(e.auth))
			}
		}
	})
}

// TestOrderOfEntering: whatever order the commits of a tree of epochs are followed in, the forest prefers the same epoch and has
// the same keys.
func TestOrderOfEntering(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := newGroup(t)
		maker := g.members(2)
		var ways []message
		for i := range rapid.IntRange(1, 5).Draw(t, "epochs") {
			m := maker[i%2]
			all := slices.Collect(m.f.All())
			at := all[rapid.IntRange(0, len(all)-1).Draw(t, "parent")]
			m.commit(at.id)
			e := slices.Collect(m.f.All())[0]
			ways = append(ways, m.send(e.id))
		}
		var forests []*member
		for range 2 {
			r := g.member(3)
			order := shuffled(t, ways)
			for range order {
				for _, msg := range order {
					_ = r.read(msg)
				}
			}
			forests = append(forests, r)
		}
		require.Equal(t, forests[0].ids(), forests[1].ids())
		require.Equal(t, forests[0].f.Size(), len(ways)+1)
		require.Equal(t, forests[0].preferred().id, forests[1].preferred().id)
	})
}

// TestTrueCommitOnly: proof, place, check and own index decide, in this order (§4 steps 4 to 8).
func TestTrueCommitOnly(t *testing.T) {
	g := newGroup(t)
	a, b, c := g.member(1), g.member(2), g.member(3)
	p := a.commit(g.root.ID)[0]
	genesis, _ := b.f.Epoch(g.root.ID)
	key := g.sign[1].Public

	child, err := b.f.Derive(genesis, p, key, b.shares())
	require.NoError(t, err)
	_, err = a.f.Derive(genesis, p, key, a.shares())
	require.ErrorIs(t, err, ErrOwnCommit)

	forged := p
	forged.Commit.Core.C[0] ^= 1
	_, err = b.f.Derive(genesis, forged, key, b.shares())
	require.ErrorIs(t, err, ErrFalse)
	require.NotErrorIs(t, err, ErrMisled)

	misled := p
	misled.Commit.Check[0] ^= 1
	_, err = b.f.Derive(genesis, misled, key, b.shares())
	require.ErrorIs(t, err, ErrMisled)

	next, _, err := b.f.Enter([]Candidate{child}, Reading{1, b.shares(), g.now})
	require.NoError(t, err)
	genesis, _ = next.Epoch(g.root.ID)
	_, err = next.Derive(genesis, p, key, b.shares())
	require.ErrorIs(t, err, ErrClosed)
	_, err = next.Derive(genesis, misled, key, b.shares())
	require.ErrorIs(t, err, ErrFalse)
	require.NotErrorIs(t, err, ErrMisled, "one place with two checks")
	_, _, err = next.Enter([]Candidate{child}, Reading{1, b.shares(), g.now})
	require.NoError(t, err, "entered before")

	_, err = c.f.Derive(genesis, p, key, func(proto.EpochID) (dkg.Share, bool) { return dkg.Share{}, false })
	require.Error(t, err)
}

// TestNinthChild: the ninth child of one maker is not entered by its maker's message, and is by another member's (D13).
func TestNinthChild(t *testing.T) {
	g := newGroup(t)
	a, b, c := g.member(1), g.member(2), g.member(3)
	var change Change
	for k := range maxChildren + 1 {
		a.commit(g.root.ID)
		e := slices.Collect(a.f.All())[0]
		msg := a.send(e.id)
		if k < maxChildren {
			require.NoError(t, b.read(msg))
			require.NoError(t, c.read(msg))
			continue
		}
		before := b.f
		require.ErrorIs(t, b.read(msg), ErrQuota)
		require.True(t, before.one(t).Equal(b.f.one(t)))
		require.ErrorIs(t, c.read(msg), ErrQuota)
		// c reads it by its own knowledge that others wrote there
		_, _, path, err := c.find(msg)
		require.NoError(t, err)
		c.f, change, err = c.f.Enter(path, Reading{9, c.shares(), g.now})
		require.NoError(t, err)
		require.Len(t, change.Twins, 1)
		below := c.send(e.id)
		require.NoError(t, b.read(below), "another member wrote below it")
		require.NoError(t, b.read(msg))
	}
}

// TestOneMakerCannotFillTheForest: of one maker 256 epochs are entered in which nobody else was read; others go on (D16), and one's
// own message counts (D48).
func TestOneMakerCannotFillTheForest(t *testing.T) {
	g := newGroup(t)
	a, b := g.member(1), g.member(2)
	var last message
	for range maxUnproven {
		last = a.say(true)
		require.NoError(t, b.read(last))
	}
	stopped := a.say(true)
	require.ErrorIs(t, b.read(stopped), ErrQuota)
	other := g.member(3)
	require.NoError(t, b.read(other.say(true)), "another maker")
	b.send(last.epoch)
	require.NoError(t, b.read(stopped), "the own message counts")
}

// TestSpentPlace: the place of a commit is evaluated once, when it is derived, and what was used up between that and entering stays used up.
func TestSpentPlace(t *testing.T) {
	g := newGroup(t)
	a := g.member(1)
	parent := a.preferred()
	derive := func(maker dkg.Index) Candidate {
		p := g.member(maker).commit(parent.id)[0]
		c, err := a.f.Derive(parent, p, g.sign[maker].Public, a.shares())
		require.NoError(t, err)
		return c
	}
	enter := func(c Candidate) {
		var err error
		a.f, _, err = a.f.Enter([]Candidate{c}, Reading{c.maker.Index, a.shares(), g.now})
		require.NoError(t, err)
	}
	first, second, third := derive(2), derive(3), derive(4)
	enter(first)
	held, _ := a.f.Epoch(parent.id)
	require.True(t, held.commits.tree.Same(first.spent.left))
	enter(second)
	kept, ok := a.f.Candidate(third.Found())
	require.True(t, ok)
	require.Zero(t, kept.spent, "what is kept of a candidate brings back no tree")
	enter(kept)
	held, _ = a.f.Epoch(parent.id)
	for _, c := range []Candidate{first, second, third} {
		require.False(t, held.HasPlace(c.maker.Index, c.place))
		require.True(t, a.f.Has(c.id))
	}
	_, _, err := a.f.Enter([]Candidate{first}, Reading{2, a.shares(), g.now})
	require.NoError(t, err, "it is held")
}

// TestOrderOfRoots: a later root comes first, then the place of its signer decides, then the id; nothing under a barred root is
// preferred (§2, §5).
func TestOrderOfRoots(t *testing.T) {
	g := newGroup(t)
	a := g.member(1)
	a.commit(g.root.ID)
	old := a.preferred()
	root := func(generation uint64, rank uint8) Root {
		r := g.root
		place := proto.Place(secret.Random(32).Expose())
		keys := proto.DeriveKeys(secret.Random(64), place)
		r.ID, r.Generation, r.Rank = proto.ByRekey.ID(place, keys.Check(place)), generation, rank
		a.f, _ = a.f.Found(r, old.id, place, keys.Check(place), keys, g.now)
		return r
	}
	second := root(1, 1)
	require.Equal(t, second.ID, a.f.preferred)
	root(1, 2)
	require.Equal(t, second.ID, a.f.preferred)
	first := root(1, 0)
	require.Equal(t, first.ID, a.f.preferred)
	e, _ := a.f.Epoch(g.root.ID)
	require.EqualValues(t, 2, a.f.Behind(e), "by a commit and a rekey")
	first.Barred = true
	var change Change
	a.f, change = a.f.WithRoot(first, g.now)
	require.Equal(t, second.ID, a.f.preferred)
	require.Equal(t, first.ID, change.Replaced)
	require.True(t, a.f.one(t).Equal(newDisk(t, a.f).load(g.space).one(t)))
}

// TestExporter: the exporter secret is the same for all that derived the epoch, and goes when it is far behind.
func TestExporter(t *testing.T) {
	g := newGroup(t)
	a, b := g.member(1), g.member(2)
	require.NoError(t, b.read(a.say(true)))
	x, err := a.preferred().Export("calls", []byte("1"), 40)
	require.NoError(t, err)
	y, err := b.preferred().Export("calls", []byte("1"), 40)
	require.NoError(t, err)
	require.True(t, x.Equal(y))
	old := a.preferred().id
	for range near + 1 {
		a.commit(a.preferred().id)
	}
	e, _ := a.f.Epoch(old)
	_, err = e.Export("calls", nil, 32)
	require.ErrorIs(t, err, ErrNoExporter)
	e, _ = a.f.Epoch(a.preferred().parent)
	_, err = e.Export("calls", nil, 32)
	require.NoError(t, err)
}

// TestNothingShows: no rendering of a forest shows a key.
func TestNothingShows(t *testing.T) {
	g := newGroup(t)
	a := g.member(1)
	a.say(true)
	text := fmt.Sprintf("%v %+v %#v", a.f, a.preferred(), a.f)
	for e := range a.f.All() {
		for _, k := range []secret.Bytes{e.headerKey, e.commitKey, e.auth, e.exporter} {
			require.NotContains(t, text, fmt.Sprintf("%x", k.Expose()))
			require.NotContains(t, text, fmt.Sprint(k.Expose()))
			require.NotContains(t, text, string(k.Expose()))
		}
	}
}

// A ticket says of fewer epochs, or less of them, where it has no room, and how many those are.
func TestTicketFitsItsRoom(t *testing.T) {
	m := crowded(t, 40, 10)
	q := TicketQuery{LastRead: m.f.LastRead()}
	size := func(told []TicketEpoch) (n int) {
		for _, e := range told {
			n += e.treeSize()
		}
		return n
	}
	whole, cut := m.f.ForTicket(q)
	require.Zero(t, cut)
	q.Room = size(whole) / 2
	less, cut := m.f.ForTicket(q)
	require.Positive(t, cut)
	require.LessOrEqual(t, size(less), q.Room)
	require.Equal(t, m.preferred().id, less[0].ID)
}

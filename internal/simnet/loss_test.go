package simnet_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/simnet"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// listener is a member that only reads what a recording plays to it.
type listener struct {
	vault    *state.Vault[ratchet.Space]
	id       state.ID
	now      time.Time
	read     []string
	retained map[[32]byte]bool
}

// fork returns another listener that has heard the same. Nothing may be retained.
func (l *listener) fork(t *testing.T) *listener {
	t.Helper()
	require.Empty(t, l.retained)
	s, err := l.vault.Load(t.Context(), l.id)
	require.NoError(t, err)
	f := listen(t, s)
	f.read = slices.Clone(l.read)
	return f
}

// listen returns a listener that begins with a space.
func listen(t *testing.T, s ratchet.Space) *listener {
	t.Helper()
	l := &listener{id: s.ID(), retained: make(map[[32]byte]bool)}
	key, err := state.NewKey(make([]byte, 32))
	require.NoError(t, err)
	l.vault, err = state.Open[ratchet.Space](t.Context(), store.NewMemory(), key, state.Options{Now: func() time.Time { return l.now }})
	require.NoError(t, err)
	require.NoError(t, l.vault.Create(t.Context(), s, nil))
	return l
}

// hear plays messages of a recording.
func (l *listener) hear(t *testing.T, posts ...simnet.Post) {
	t.Helper()
	opener := ratchet.Opener(ratchet.Options{Now: func() time.Time { return l.now }})
	for _, p := range posts {
		if p.Data[0]&0xf != 0 {
			continue // requests and tickets
		}
		l.now = p.At
		f := state.Frame{Source: p.From.Name, Data: p.Data}
		r, err := l.vault.Receive(t.Context(), l.id, f, opener)
		require.NoError(t, err)
		if r.Verdict == state.Retain {
			l.retained[f.Hash()] = true
		}
		for _, h := range r.Acknowledge {
			delete(l.retained, h)
		}
	}
	require.NoError(t, l.vault.Drain(t.Context(), l.id, func(_ context.Context, in state.Incoming) error {
		m, err := ratchet.ParseMessage(in.Data())
		l.read = append(l.read, string(m.Plaintext))
		return err
	}))
}

// record lets all members but the second, who only listens, talk while others join, and returns the listener as it was
// before and what was posted since: texts, then quiet rounds.
func record(t *testing.T, texts, joins int) (before ratchet.Space, posts []simnet.Post, said []string) {
	n := simnet.New(t, simnet.Options{Seed: 11})
	n.Grow(4)
	quiet := n.Members[1]
	before = quiet.Space()
	quiet.Offline = true // else it would commit by age after a week, and who listens in its place would not know of that
	from := len(n.Posts())
	for i := range texts {
		if i%(texts/joins) == texts/joins/2 {
			n.Settle()
			n.Join(n.Invite())
			n.Settle()
		}
		n.Advance(7 * time.Minute)
		if i%23 == 0 {
			n.Advance(36 * time.Hour)
		}
		speakers := n.Others(quiet)
		said = append(said, fmt.Sprintf("text %d", i))
		require.NoError(t, speakers[i*7%len(speakers)].Send(said[i]))
		if i%3 != 0 {
			n.Settle()
		}
	}
	for range 10 {
		n.Advance(time.Minute)
		for _, m := range n.Others(quiet) {
			require.NoError(t, m.Send(""))
		}
		n.Settle()
	}
	for _, p := range n.Posts()[from:] {
		if p.From != quiet {
			posts = append(posts, p)
		}
	}
	return before, posts, said
}

// Scenario 1, G12: each message of a recorded run with joins is lost in turn; everything else is read.
func TestScenario01DropEachMessage(t *testing.T) {
	before, posts, said := record(t, size(40, 300), 5)
	dropped, stride := 0, size(11, 1)
	all := listen(t, before)
	for i, lost := range posts {
		if i%stride != 0 {
			all.hear(t, lost)
			continue
		}
		l := all.fork(t)
		all.hear(t, lost)
		l.hear(t, posts[i+1:]...)
		want := slices.DeleteFunc(slices.Clone(said), func(s string) bool { return s == lost.Words })
		if !slices.Equal(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(l.read))) {
			require.ElementsMatch(t, want, l.read, "post %d lost: %q, %d commits", i, lost.Words, lost.Data[1])
		}
		require.Empty(t, l.retained)
		dropped++
	}
	require.ElementsMatch(t, said, all.read)
	require.Greater(t, dropped*stride, len(said))
}

// Scenario 1, G12: epochs of one message, a fifth of all deliveries lost, and each single delivery of a short run lost with
// every member taking part. At rest unread is what was lost.
func TestScenario01EpochsOfOneMessage(t *testing.T) {
	seeds(t, size(1, 20), func(t *testing.T, seed uint64) {
		n := simnet.New(t, simnet.Options{Seed: seed})
		n.Grow(5)
		lost, rng := 0, rand.New(rand.NewPCG(seed, 1))
		n.Drop(func(from, to *simnet.Member, post int) bool {
			drop := rng.IntN(5) == 0
			if drop {
				lost++
			}
			return drop
		})
		for i := range size(12, 300) {
			n.Advance(30 * time.Hour)
			require.NoError(t, n.Members[i*3%5].Send(fmt.Sprint("text ", i)))
			if i%4 != 1 {
				n.Settle()
			}
		}
		n.Drop(nil)
		n.Rest()
		require.NotZero(t, lost)
		t.Logf("%+v", n.Stats())
	})
}

// Scenario 1, G12: one delivery, or a burst of 2 to 100 in a row, commits and all, is lost for one member of a run in which
// everybody speaks. That member is left alone with what it has, speaks, and is shown the way.
func TestScenario01DropBursts(t *testing.T) {
	run := func(t *testing.T, texts, first, burst, to int) (posts int) {
		n := simnet.New(t, simnet.Options{Seed: 3})
		n.Grow(4)
		first += len(n.Posts())
		before := len(n.Posts())
		n.Drop(func(_, m *simnet.Member, p int) bool { return p >= first && p < first+burst && m == n.Members[to] })
		for i := range texts {
			n.Advance(5 * time.Minute)
			if i%9 == 0 {
				n.Advance(36 * time.Hour)
			}
			require.NoError(t, n.Members[i*5%4].Send(fmt.Sprint("text ", i)))
			if i%3 == 0 {
				n.Settle()
			}
		}
		posts = len(n.Posts()) - before
		n.Rest()
		return posts
	}
	short := size(9, 60)
	posts := run(t, short, 0, 0, 0)
	for post := 0; post < posts; post += size(9, 1) {
		for to := range size(2, 4) {
			t.Run(fmt.Sprintf("%d/%d", post, to), func(t *testing.T) { run(t, short, post, 1, to) })
		}
	}
	for burst := 2; burst <= 100; burst += size(97, 3) {
		for to := range size(1, 2) {
			t.Run(fmt.Sprintf("burst=%d/%d", burst, to), func(t *testing.T) { run(t, size(30, 120), 5, burst, to) })
		}
	}
}

package simnet_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/simnet"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/state"
)

// listener is a member in memory that only reads: it can be copied, so a recorded run can be played to it again and again.
type listener struct {
	space    ratchet.Space
	read     []string
	retained []ratchet.Envelope
}

// hear plays one post of a recording.
func (l *listener) hear(t *testing.T, p simnet.Post) {
	t.Helper()
	e, err := ratchet.ParseEnvelope(p.Data)
	if err != nil {
		return // requests and tickets
	}
	if err := l.try(p.At, e); state.VerdictOf(err) == state.Retain {
		next, err := ratchet.Hold(l.space, p.At, p.From.Name, e)
		require.NoError(t, err)
		l.space, l.retained = next, append(slices.Clip(l.retained), e)
	}
	for again := len(l.retained) > 0; again; {
		again = false
		var rest []ratchet.Envelope
		for _, e := range l.retained {
			if state.VerdictOf(l.try(p.At, e)) == state.Retain {
				rest = append(rest, e)
			} else {
				again = true
			}
		}
		l.retained = rest
	}
}

func (l *listener) try(now time.Time, e ratchet.Envelope) error {
	next, m, err := ratchet.Decrypt(l.space, now, e)
	if err != nil {
		return err
	}
	l.space = next
	if len(m.Plaintext) > 0 {
		l.read = append(slices.Clip(l.read), string(m.Plaintext))
	}
	return nil
}

// record lets all members but the second, who only listens, talk while others join, and returns the listener as it was
// before and what was posted since: texts, then quiet rounds.
func record(t *testing.T, texts, joins int) (before listener, posts []simnet.Post, said []string) {
	n := simnet.New(t, simnet.Options{Seed: 11})
	n.Grow(4)
	quiet := n.Members[1]
	before.space = quiet.Space()
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
	l, posts, said := record(t, size(60, 300, 300), 5)
	dropped, stride := 0, size(11, 4, 1)
	for i, lost := range posts {
		if i%stride != 0 {
			l.hear(t, lost)
			continue
		}
		after := l
		for _, p := range posts[i+1:] {
			after.hear(t, p)
		}
		want := slices.DeleteFunc(slices.Clone(said), func(s string) bool { return s == lost.Words })
		if !slices.Equal(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(after.read))) {
			require.ElementsMatch(t, want, after.read, "post %d lost: %q, %d commits", i, lost.Words, lost.Data[1])
		}
		require.Empty(t, after.retained)
		l.hear(t, lost)
		dropped++
	}
	require.ElementsMatch(t, said, l.read)
	require.Greater(t, dropped*stride, len(said))
}

// Scenario 1, G12: epochs of one message, a fifth of all deliveries lost, and each single delivery of a short run lost with
// every member taking part. At rest unread is what was lost.
func TestScenario01EpochsOfOneMessage(t *testing.T) {
	seeds(t, size(1, 3, 20), func(t *testing.T, seed uint64) {
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
		for i := range size(20, 60, 300) {
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
	short := size(12, 24, 300)
	posts := run(t, short, 0, 0, 0)
	for post := 0; post < posts; post += size(9, 2, 1) {
		for to := range 4 {
			t.Run(fmt.Sprintf("%d/%d", post, to), func(t *testing.T) { run(t, short, post, 1, to) })
		}
	}
	for burst := 2; burst <= 100; burst += size(49, 14, 1) {
		for to := range 2 {
			t.Run(fmt.Sprintf("burst=%d/%d", burst, to), func(t *testing.T) { run(t, 120, 5, burst, to) })
		}
	}
}

package ratchet_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/simnet"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/ratchettest"
)

// insiders is a space with an insider, a victim, and an honest member of which a message to the victim is late: it is sent
// in an epoch of its own, which the victim does not know of yet.
func insiders(t *testing.T, attack func(n *simnet.Net, insider *simnet.Member)) (n *simnet.Net, victim *simnet.Member) {
	n = simnet.New(t, simnet.Options{Seed: 10})
	n.Grow(4)
	insider, victim, honest := n.Members[1], n.Members[2], n.Members[3]
	insider.Disputed = true
	n.Advance(60 * time.Hour)
	require.NoError(t, honest.Send("brings the epoch"))
	for i := range 5 {
		require.NoError(t, honest.Send(fmt.Sprint("late ", i)))
	}
	victim.Reverse()
	victim.Fetch(2) // two of the late ones wait
	insider.Fetch(-1)
	attack(n, insider)
	victim.Reverse() // what the insider posted comes first
	for range 3 {
		n.Settle()
		n.Advance(15 * time.Minute)
	}
	for i := range 5 {
		require.Contains(t, victim.Texts(), fmt.Sprint("late ", i))
	}
	require.Contains(t, victim.Texts(), "brings the epoch")
	require.NoError(t, honest.Send("and goes on"))
	n.Rest()
	require.Contains(t, victim.Texts(), "and goes on")
	return n, victim
}

// Scenario 10: 70 commits in a row by one insider.
func TestScenario10ManyCommits(t *testing.T) {
	insiders(t, func(n *simnet.Net, insider *simnet.Member) {
		s := insider.Space()
		for range 70 {
			next, e, err := ratchet.Encrypt(ratchet.Committing(s), n.Now(), []byte(""))
			require.NoError(t, err)
			s = next
			n.Inject(insider, "", e)
		}
	})
}

// Scenario 10: 30 commits of one insider from one parent.
func TestScenario10ManyChildren(t *testing.T) {
	insiders(t, func(n *simnet.Net, insider *simnet.Member) {
		for range 30 {
			_, e, err := ratchet.Encrypt(ratchet.Committing(insider.Space()), n.Now(), []byte(""))
			require.NoError(t, err)
			n.Inject(insider, "", e)
		}
	})
}

// Scenario 10, G13: two jumps of 2,000 of an insider's own chain, and one of more.
func TestScenario10Jumps(t *testing.T) {
	insiders(t, func(n *simnet.Net, insider *simnet.Member) {
		s := insider.Space()
		for i := range 6_100 {
			next, e, err := ratchet.Encrypt(ratchet.Unseen(s), n.Now(), nil)
			require.NoError(t, err)
			s = next
			if i == 1_999 || i == 3_999 || i == 6_099 {
				n.Inject(insider, "", e)
			}
		}
	})
}

// Scenario 10, G25: an insider's mailbox is full of frames that nothing opens, each with commits that nothing opens.
func TestScenario10Flood(t *testing.T) {
	frames := 120
	if testing.Short() {
		frames = 30
	} else if os.Getenv("TREFOIL_LONG") != "" {
		frames = 2_500
	}
	rng := ratchettest.Rng(t, 10)
	insiders(t, func(n *simnet.Net, insider *simnet.Member) {
		for range frames {
			noise := make([]byte, 2+3*234+52+4+64)
			rng.Read(noise)
			noise[0], noise[1] = 0x20, 3
			copy(noise[2+3*234+52:], []byte{0, 0, 0, 64})
			n.Inject(insider, "", noise)
		}
	})
}

// Scenario 10, G14: messages under another's index, and another's message with other commits, are refused and move
// nothing: the true ones are read.
func TestScenario10Forgeries(t *testing.T) {
	n := simnet.New(t, simnet.Options{Seed: 10})
	n.Grow(4)
	insider, victim, honest := n.Members[1], n.Members[2], n.Members[3]
	index := ratchet.Info(honest.Space()).Index
	require.NoError(t, honest.Send("first"))
	n.Settle()
	before := insider.Space()
	posts := len(n.Posts())
	require.NoError(t, honest.Send("second"))
	require.NoError(t, honest.Send("third"))
	second, other := n.Posts()[posts].Data, n.Posts()[0].Data
	for i := 1; other[0]&0xf != 0 || len(other) < 500; i++ {
		other = n.Posts()[i].Data
	}
	forged := [][]byte{ratchet.Recommit(before, second, other)}
	for number := range uint32(12) {
		if e, ok := ratchet.ForgeAs(before, index, number, "not from me"); ok {
			forged = append(forged, e)
		}
	}
	require.Greater(t, len(forged), 5)
	for _, e := range forged {
		s := victim.Space()
		next, _, err := ratchet.Decrypt(s, n.Now(), e)
		require.ErrorIs(t, err, ratchet.ErrForged)
		require.True(t, next.Equal(s))
		n.Inject(insider, "", e)
	}
	insider.Disputed = true
	victim.Reverse()
	n.Settle()
	for _, words := range []string{"first", "second", "third"} {
		require.Equal(t, 1, count(victim.Texts(), words))
	}
	require.True(t, slices.ContainsFunc(victim.Unread(), func(err error) bool { return errors.Is(err, ratchet.ErrForged) }))
	n.Rest()
}

func count(texts []string, words string) (c int) {
	for _, w := range texts {
		if w == words {
			c++
		}
	}
	return c
}

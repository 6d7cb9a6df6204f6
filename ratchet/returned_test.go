package ratchet

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/internal/orphans"
	"github.com/trefoil-im/trefoil/ratchet/rules"
)

// twoDays lets so much time pass that whoever sends next commits. The clock of what is kept moves by a day at most.
func (n *network) twoDays() {
	for range 2 {
		n.now = n.now.Add(23 * time.Hour)
		n.settle()
	}
}

// loseCommit has a member write twice, the first time with a commit, and sets its state back behind that without its knowing. It is
// offline then, and the others have read what it wrote.
func (n *network) loseCommit(m *node) {
	before := m.space
	m.send("with a commit")
	m.send("and one more")
	m.space, m.retained = before, map[orphans.FrameName]incoming{}
	m.offline = true
	n.settle()
}

// A member whose state was set back behind its own commit, without knowing it, reads all that others sent below that commit, although
// everybody else has read it before it asked (D120). What it says then is read.
func TestLostCommitIsReturned(t *testing.T) {
	n := newNetwork(t, 71)
	founder := n.found(rules.Policy{})
	m, other := n.member(founder, "m"), n.member(founder, "other")
	n.twoDays()
	n.loseCommit(m)
	founder.send("below it")
	n.settle()
	n.twoDays()
	other.send("below a commit below it")
	n.settle()
	founder.send("there, too")
	n.settle()
	m.offline, m.read = false, nil
	n.settle()
	require.Subset(t, m.texts(), []string{"1: below it", "3: below a commit below it", "1: there, too"})
	m.send("back")
	n.settle()
	n.agree(3)
	for _, x := range []*node{founder, other} {
		require.Subset(t, x.texts(), []string{"2: with a commit", "2: and one more", "2: back"}, x.name)
	}
}

// A thief with a copy from before a member's commit asks in its name. What was sent before it is let in it does not read, once the
// member was read below its commit (D120).
func TestCommitIsNotReturnedToAThief(t *testing.T) {
	n := newNetwork(t, 72)
	founder := n.found(rules.Policy{})
	m, other := n.member(founder, "m"), n.member(founder, "other")
	n.twoDays()
	thief := m.copyOf("thief")
	m.send("heals")
	n.settle()
	founder.send("below it")
	n.settle()
	n.twoDays()
	other.send("below a commit below it")
	n.settle()
	m.send("still there")
	n.settle()
	n.now = n.now.Add(2 * time.Hour)
	thief.offline, thief.read = false, nil
	n.settle()
	require.True(t, founder.has(Resynced))
	for range 3 { // each of the two that hold the key follows the other's commits by a ticket, and asks once an hour
		founder.send("after it asked")
		n.settle()
		n.now = n.now.Add(2 * time.Hour)
		n.settle()
	}
	require.Contains(t, thief.texts(), "1: after it asked", "as before: it is a second holder of the key")
	for _, text := range []string{"1: below it", "3: below a commit below it"} {
		require.NotContains(t, thief.texts(), text)
		require.Contains(t, m.texts(), text)
	}
}

// lostBeforeOthersCame returns a founder and a member that lost its commit, in a space with four members that came after it.
func lostBeforeOthersCame(t *testing.T) (n *network, founder, m *node) {
	n = newNetwork(t, 100)
	founder = n.found(rules.Policy{})
	m = n.member(founder, "m")
	n.twoDays()
	n.loseCommit(m)
	founder.send("below it")
	n.settle()
	for k := range 4 {
		n.member(founder, fmt.Sprint("late ", k))
	}
	return n, founder, m
}

// Those that answer first came after the lost commit, know its epoch by tickets alone, and cannot return it. A member whose turn comes
// later does, although the one that asked commits below its own lost commit as soon as it was answered.
func TestLostCommitIsReturnedByALaterPlace(t *testing.T) {
	n, _, m := lostBeforeOthersCame(t)
	m.offline, m.read = false, nil
	for range 3 {
		n.settle()
	}
	require.Contains(t, m.texts(), "1: below it")
	require.Less(t, stateOf(m.space).news.Value().answeredLeft, uint8(sayings), "it says that it was answered once it has what it asked for")
}

// Who can return the lost commit is away for days. Meanwhile the member that lost it is told of its epoch by others, commits below it, says
// that it was answered, and asks again because of what it cannot read (D175).
func TestLostCommitIsReturnedAfterDays(t *testing.T) {
	n, founder, m := lostBeforeOthersCame(t)
	founder.offline = true
	m.offline, m.read = false, nil
	for range 4 {
		n.settle()
		n.now = n.now.Add(23 * time.Hour)
	}
	require.Empty(t, m.texts())
	require.True(t, n.all[2].has(Resynced))
	m.send("in an epoch that it was told")
	founder.offline = false
	founder.inOrder()
	for range 3 {
		n.settle()
		n.now = n.now.Add(23 * time.Hour)
	}
	require.Contains(t, m.texts(), "1: below it")
}

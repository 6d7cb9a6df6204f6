package ratchet

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/internal/orphans"
	"github.com/trefoil-im/trefoil/ratchet/internal/outcome"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
	"github.com/trefoil-im/trefoil/state"
)

// A device that was restored from a backup with a clock that is behind asks with a counter above the one that others know (D28): they
// hint, and it asks again at once. It is brought back into step, nobody takes it for a thief, and whatever it says then is read, also
// if it says it where the lost state wrote before (D125). TREFOIL_RESTORES is the number of histories, and TREFOIL_SEED the seed of
// the first.
func TestRestoredClockBehind(t *testing.T) {
	first, _ := strconv.ParseUint(os.Getenv("TREFOIL_SEED"), 10, 64)
	count, err := strconv.ParseUint(os.Getenv("TREFOIL_RESTORES"), 10, 64)
	if err != nil {
		count = 20
	}
	for seed := first; seed < first+count; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { restoredBehind(t, newNetwork(t, seed)) })
	}
}

func restoredBehind(t *testing.T, n *network) {
	founder := n.found(rules.Policy{})
	m, others := n.member(founder, "m"), []*node{founder}
	if n.rng.IntN(2) == 0 {
		others = append(others, n.member(founder, "other"))
	}
	count := 0
	say := func(among ...*node) (said []string) { // some of them say something, one after the other
		for _, at := range n.rng.Perm(len(among)) {
			if n.rng.IntN(3) > 0 {
				count++
				among[at].send(fmt.Sprint("text ", count))
				said = append(said, fmt.Sprintf("%d: text %d", stateOf(among[at].space).me().index, count))
				for _, x := range n.all {
					x.sync()
				}
			}
		}
		n.settle()
		return said
	}
	ask := func() error { return m.edit(func(d *edit) error { d.st.rhythm.ask = true; return d.ask() }) }
	backup := m.space
	for k := range 3 {
		n.now = n.now.Add(25 * time.Hour)
		if k == 0 || n.rng.IntN(2) == 0 {
			require.NoError(t, ask())
			n.settle()
		}
		say(n.all...)
	}
	n.now = n.now.Add(-80 * time.Hour) // the clock of all
	s, err := Restore(backup, n.now)
	require.NoError(t, err)
	m.space, m.retained, m.events, m.mailbox = s, map[orphans.FrameName]incoming{}, nil, nil
	say(others...)
	if err := ask(); err != nil {
		require.ErrorIs(t, err, outcome.ErrTooSoon, "it asked because of what it cannot read")
	}
	n.settle()
	require.True(t, m.has(Hint))
	require.False(t, m.has(Impersonated))
	require.False(t, stateOf(m.space).rhythm.restored, "a ticket was merged")
	for k := range 3 {
		m.send(fmt.Sprint("back ", k))
		said := say(others...)
		require.Subset(t, m.texts(), said)
		for _, x := range others {
			require.Contains(t, x.texts(), fmt.Sprint("2: back ", k), x.name)
		}
	}
	require.False(t, m.has(Impersonated))
}

// An only owner that is restored from a backup from before its own rekey gets its box of that rekey from any member, although it was heard
// in the new root, and deals again (R13).
func TestOnlyOwnerIsRestored(t *testing.T) {
	n, all := five(t, 110)
	founder, backup := all[0], all[0].space
	founder.do(step.Rekey())
	n.settle()
	for _, x := range all {
		x.send("in the new root, " + x.name)
	}
	n.settle()
	for _, x := range all[1:] {
		x.restart()
	}
	n.now = n.now.Add(2 * time.Hour)
	s, err := Restore(backup, n.now)
	require.NoError(t, err)
	founder.space, founder.retained, founder.ready = s, map[orphans.FrameName]incoming{}, nil
	n.forget()
	all[1].send("it cannot read this")
	n.hours(8)
	require.EqualValues(t, 1, founder.gen())
	founder.do(step.Remove(all[4].place()))
	n.hours(2)
	require.Equal(t, Removed, all[4].phase())
	n.hears(all[:4]...)
}

// A commit of the own index that the state does not know is reported once, however many messages below it turn up: as Impersonated, and
// as Conflict by a state that was restored and knows that (§4). That it was reported is stored.
func TestOwnCommitIsReportedOnce(t *testing.T) {
	for _, kind := range []EventKind{Impersonated, Conflict} {
		t.Run(kind.String(), func(t *testing.T) {
			g := newGroup(t, 3, rules.Policy{})
			p := g.peers[1]
			before := p.space()
			lost := p.committing("made by the state that is lost")
			g.all(p, lost)
			if kind == Conflict {
				var err error
				before, err = Restore(before, g.now)
				require.NoError(t, err)
			}
			q := g.newPeer(before)
			for k := range 4 {
				require.Equal(t, state.Retain, q.receive(g.peers[0].send("below it"), "1").Verdict)
				q.open()
				require.True(t, q.state().rhythm.ask)
				n := 0
				for _, e := range q.events {
					if o, ok := e.(Event); ok && (o.Kind == Impersonated || o.Kind == Conflict) {
						require.Equal(t, kind, o.Kind)
						n++
					}
				}
				require.Equal(t, 1, n, "after message %d", k)
			}
		})
	}
}

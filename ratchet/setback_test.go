package ratchet

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/internal/orphans"
	"github.com/trefoil-im/trefoil/ratchet/rules"
)

// signs returns how often something under the own index turned up that the device does not know.
func (x *node) signs() (count int) {
	for _, e := range x.events {
		if e.Kind == Impersonated || e.Kind == Conflict && e.Own {
			count++
		}
	}
	return count
}

// What turns up under the own index makes a commit due in an epoch in which the member sends, and none in another one. Either way the
// next message commits (D180).
func TestSetBackWhereItDoesNotSend(t *testing.T) {
	n := newNetwork(t, 76)
	founder := n.found(rules.Policy{})
	m := n.member(founder, "m")
	older := m.copyOf("older")
	turnsUp := func(from *node, text string, due bool) {
		m.mailbox, m.events = nil, nil
		from.send(text)
		m.inOrder()
		require.True(t, m.has(Impersonated), text)
		require.Equal(t, due, Due(m.space, n.now).Send, text)
		before := m.sendsIn()
		m.send("after " + text)
		require.NotEqual(t, before, m.sendsIn(), text)
		before = m.sendsIn()
		m.send("and once more")
		require.Equal(t, before, m.sendsIn(), text)
	}
	turnsUp(older, "where it stands", true)
	turnsUp(older, "where it stood", false)
	newer := m.copyOf("newer")
	turnsUp(newer, "where it stands again", true)
	turnsUp(newer, "where it stood again", false)
	turnsUp(older, "where it stood first", false)
}

// A member that was restored is used by two states at once, each of which reads only some of what lies in its mailbox before it sends.
// What either says first after a sign of the other is read by everybody, whatever epoch the sign was in (D125, D180). TREFOIL_SETBACKS is
// the number of histories, and TREFOIL_SEED the seed of the first.
func TestSetBackByEverySign(t *testing.T) {
	first, _ := strconv.ParseUint(os.Getenv("TREFOIL_SEED"), 10, 64)
	count, err := strconv.ParseUint(os.Getenv("TREFOIL_SETBACKS"), 10, 64)
	if err != nil {
		count = 6
	}
	for seed := first; seed < first+count; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { twoStates(t, newNetwork(t, seed)) })
	}
}

func twoStates(t *testing.T, n *network) {
	founder := n.found(rules.Policy{})
	m := n.member(founder, "m")
	others := []*node{founder, n.member(founder, "other")}
	n.now = n.now.Add(2 * time.Hour)
	s, err := Restore(m.space, n.now)
	require.NoError(t, err)
	m.space, m.retained = s, map[orphans.FrameName]incoming{}
	n.settle()
	m.send("with a commit of its own")
	states := []*node{m, m.copyOf("copy")}
	seen, safe := map[*node]int{}, []string{}
	for k := range 30 {
		n.now = n.now.Add(time.Duration(n.rng.IntN(40)) * time.Minute)
		x := slices.Concat(states, states, others)[n.rng.IntN(6)]
		for range n.rng.IntN(1 + len(x.mailbox)) {
			at := n.rng.IntN(len(x.mailbox))
			f := x.mailbox[at]
			x.mailbox = slices.Delete(x.mailbox, at, at+1)
			x.receive(f)
		}
		if n.rng.IntN(4) == 0 {
			x.sync()
			x.maintain()
		}
		text := fmt.Sprint("text ", k)
		err := x.edit(func(d *edit) error {
			d.st.rhythm.commit = d.st.rhythm.commit || slices.Contains(others, x) && n.rng.IntN(3) == 0
			return d.say(inner(text))
		})
		if signs := x.signs(); err == nil && signs > seen[x] {
			seen[x] = signs
			safe = append(safe, text)
		}
	}
	n.settle()
	n.now = n.now.Add(2 * time.Hour)
	n.settle()
	for _, x := range others {
		for _, text := range safe {
			require.True(t, slices.ContainsFunc(x.read, func(r Message) bool { return string(r.Plaintext) == text }), "%s: %s", x.name, text)
		}
	}
}

// A commit is due as long as whoever sent under the own index can follow to where the member sends: also if the branch with the own
// commit gave way to another one, and if something turned up meanwhile that is no reason for one (D180).
func TestSetBackAsLongAsItIsFollowed(t *testing.T) {
	for _, gaveWay := range []bool{true, false} {
		n := newNetwork(t, 79)
		founder := n.found(rules.Policy{})
		m := n.member(founder, "m")
		thief := m.copyOf("thief")
		turnsUp := func(text string, due bool) {
			m.mailbox, m.events = nil, nil
			thief.send(text)
			m.inOrder()
			require.True(t, m.has(Impersonated), text)
			require.Equal(t, due, Due(m.space, n.now).Send, text)
		}
		turnsUp("first", true)
		if gaveWay { // others commit on, before they read the commit
			m.maintain()
			own := m.sendsIn()
			founder.mailbox = nil
			for range 2 {
				require.NoError(t, founder.edit(func(d *edit) error { d.st.rhythm.commit = true; return d.say(inner("on")) }))
			}
			m.inOrder()
			thief.inOrder()
			require.NotEqual(t, own, m.sendsIn())
		} else { // it is told of the commit
			m.maintain()
			turnsUp("where it stood", false)
			thief = m.copyOf("thief with a ticket")
		}
		require.Equal(t, m.sendsIn(), thief.sendsIn())
		turnsUp("where it stands", true)
		m.maintain()
		require.False(t, Due(m.space, n.now).Send)
		require.NotEqual(t, m.sendsIn(), thief.sendsIn())
		thief.send("where it stood again") // below a commit of its own, which was reported
		m.inOrder()
		require.False(t, Due(m.space, n.now).Send)
	}
}

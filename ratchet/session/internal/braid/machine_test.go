package braid

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// saved is a side as it was made durable, and how much of the network it had seen.
type saved struct {
	end  end
	read map[int]bool
}

// machine is two sides, and a network that delivers what it likes, in the order it likes.
type machine struct {
	t     *rapid.T
	ends  [2]*end
	sent  []message // all that was ever sent
	to    []int
	read  [2]map[int]bool
	saved [2]*saved // nil once something was sent: what has left cannot be taken back
}

// In any sequence of sends, deliveries, losses, repetitions, crashes and restarts both sides mix the same secrets into the
// same chains, and afterwards a conversation by turns completes an exchange as fast as at the beginning.
func TestMachine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := newEnds()
		m := &machine{t: t, ends: [2]*end{a, b}, read: [2]map[int]bool{{}, {}}}
		side := rapid.IntRange(0, 1)
		t.Repeat(map[string]func(*rapid.T){
			"turns": func(t *rapid.T) {
				for range rapid.IntRange(1, 20).Draw(t, "turns") {
					m.deliver(m.send(0))
					m.deliver(m.send(1))
				}
			},
			"burst": func(t *rapid.T) {
				i := side.Draw(t, "side")
				for range rapid.IntRange(1, 20).Draw(t, "messages") {
					m.send(i)
				}
			},
			"deliver": func(t *rapid.T) {
				for range rapid.IntRange(1, 20).Draw(t, "deliveries") {
					m.deliver(rapid.IntRange(0, max(0, len(m.sent)-1)).Draw(t, "message"))
				}
			},
			"save":    func(t *rapid.T) { m.save(side.Draw(t, "side")) },
			"restart": func(t *rapid.T) { m.restart(side.Draw(t, "side")) },
			"":        func(t *rapid.T) { require.Equal(t, a.b.Epoch(), agree(t, a, b)) },
		})
		for before := b.b.Epoch(); b.b.Epoch() < before+2; {
			m.deliver(m.send(0))
			m.deliver(m.send(1))
			require.Less(t, len(m.sent), 1<<20, "no progress")
		}
		require.Equal(t, a.b.Epoch(), agree(t, a, b))
	})
}

// send returns the number of a new message, or -1 if the side has read nothing that it could answer.
func (m *machine) send(i int) int {
	if e := m.ends[i]; !e.pending && e.own == 0 {
		return -1
	}
	m.sent, m.to = append(m.sent, m.ends[i].send()), append(m.to, 1-i)
	m.saved[i] = nil
	return len(m.sent) - 1
}

// deliver gives a message to its reader. The Double Ratchet refuses what was read before.
func (m *machine) deliver(n int) {
	if n < 0 || n >= len(m.sent) || m.read[m.to[n]][n] {
		return
	}
	m.ends[m.to[n]].receive(m.t, m.sent[n])
	m.read[m.to[n]][n] = true
}

// save makes a side durable.
func (m *machine) save(i int) {
	m.ends[i].restart(m.t)
	m.saved[i] = &saved{*m.ends[i].copied(m.ends[i].b), maps.Clone(m.read[i])}
}

// restart is a crash: the side begins again from what it saved, and what it read since is unread again.
func (m *machine) restart(i int) {
	if s := m.saved[i]; s != nil {
		*m.ends[i], m.read[i] = *s.end.copied(s.end.b), maps.Clone(s.read)
	}
}

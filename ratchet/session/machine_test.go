package session

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// flight is a frame that the relay has, and keeps: it may deliver it again at any time.
type flight struct {
	to    int
	text  string
	frame []byte
}

// saved is one side as it was made durable.
type saved struct {
	pair []byte
	read map[int]bool
}

// machine is two devices and a relay that delivers what it likes, as often as it likes, in the order it likes.
type machine struct {
	t       *rapid.T
	parties [2]*party
	flights []flight
	read    [2]map[int]bool // by flight
	saved   [2]*saved       // nil once something was sent: what has left cannot be taken back
	begun   int
}

// G8, G9, G12, G14: in any sequence of sends, deliveries, repetitions, losses, initiations by either side, crashes and
// restarts every message is read at most once, and once all was delivered exactly once; no failure changes anything.
func TestMachine(t *testing.T) {
	t.Parallel()
	suites(t, func(t *testing.T, f suite) {
		t.Parallel()
		alice, bob := newPair(t, f)
		rapid.Check(t, func(t *rapid.T) {
			a, b := *alice, *bob
			m := &machine{t: t, parties: [2]*party{&a, &b}, read: [2]map[int]bool{{}, {}}}
			for _, p := range m.parties {
				p.t = t
			}
			m.initiate(0)
			side := func(t *rapid.T) int { return rapid.IntRange(0, 1).Draw(t, "side") }
			t.Repeat(map[string]func(*rapid.T){
				"send":     func(t *rapid.T) { m.send(side(t)) },
				"burst":    func(t *rapid.T) { i := side(t); m.send(i); m.send(i); m.send(i) },
				"deliver":  func(t *rapid.T) { m.deliver(rapid.IntRange(0, max(0, len(m.flights)-1)).Draw(t, "flight")) },
				"newest":   func(t *rapid.T) { m.deliver(len(m.flights) - 1) },
				"initiate": func(t *rapid.T) { m.initiate(side(t)) },
				"save":     func(t *rapid.T) { m.save(side(t)) },
				"restore":  func(t *rapid.T) { m.restore(side(t)) },
			})
			m.settle()
			if f == hybrid {
				m.converge()
			}
		})
	})
}

// initiate begins a session, as often as there is room for beside those before.
func (m *machine) initiate(i int) {
	if m.begun++; m.begun < maxSessions {
		m.parties[i].initiate()
		m.saved[i] = nil
	}
}

func (m *machine) send(i int) {
	p := m.parties[i]
	if p.s.Part().Sessions() == 0 {
		return
	}
	text := fmt.Sprint(len(m.flights))
	m.flights = append(m.flights, flight{1 - i, text, p.send(text)})
	m.saved[i] = nil
}

func (m *machine) deliver(n int) {
	if n < 0 || n >= len(m.flights) {
		return
	}
	f := m.flights[n]
	p := m.parties[f.to]
	next, r, err := Decrypt(p.s, p.d, f.frame)
	switch {
	case m.read[f.to][n]:
		require.Error(m.t, err, "%s is read twice", f.text)
		require.True(m.t, next.Equal(p.s))
	case errors.Is(err, ErrNotYet):
		require.True(m.t, next.Equal(p.s))
	default:
		require.NoError(m.t, err)
		require.Equal(m.t, f.text, string(r.Plaintext()))
		p.s = next
		m.read[f.to][n] = true
	}
}

// save makes a side durable, and continues from what was saved.
func (m *machine) save(i int) {
	s := saved{m.parties[i].s.Part().marshal(), map[int]bool{}}
	for n := range m.read[i] {
		s.read[n] = true
	}
	m.saved[i] = &s
	m.restore(i)
}

// restore is a crash: the side begins again from what it saved, and what it read since is unread again.
func (m *machine) restore(i int) {
	s := m.saved[i]
	if s == nil {
		return
	}
	part, err := parsePair(s.pair)
	require.NoError(m.t, err)
	p := m.parties[i]
	p.s = p.s.With(part)
	require.Equal(m.t, s.pair, part.marshal())
	m.read[i] = map[int]bool{}
	for n := range s.read {
		m.read[i][n] = true
	}
}

// settle delivers everything, and again what came too early, which is retained and tried again.
func (m *machine) settle() {
	order := rapid.Permutation(indices(len(m.flights))).Draw(m.t, "order")
	for _, n := range order {
		m.deliver(n)
	}
	for _, n := range order {
		if !m.read[m.flights[n].to][n] {
			m.deliver(n)
		}
	}
	for n, f := range m.flights {
		require.True(m.t, m.read[f.to][n], "%s was delivered and not read", f.text)
	}
}

// converge lets both sides speak twice: then, whatever was begun and by whom, both send in the same session (G15).
func (m *machine) converge() {
	for range 2 {
		for i := range m.parties {
			m.send(i)
			m.deliver(len(m.flights) - 1)
		}
	}
	a, b := m.parties[0].s.Part(), m.parties[1].s.Part()
	require.True(m.t, a.sessions.list[0].ephemeral.Equal(b.sessions.list[0].ephemeral))
	require.False(m.t, a.sessions.list[0].awaitingReply || b.sessions.list[0].awaitingReply)
}

func indices(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

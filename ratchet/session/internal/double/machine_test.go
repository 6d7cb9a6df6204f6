package double

import (
	"fmt"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// flight is a message that the network has, and keeps: it may deliver it again at any time.
type flight struct {
	to   int
	text string
	m    Message
}

// saved is one end as it was made durable.
type saved struct {
	stored []byte
	read   map[int]bool
}

// machine is two ends, and a network that delivers what it likes, as often as it likes, in the order it likes.
type machine struct {
	t       *rapid.T
	ends    [2]Ratchet
	flights []flight
	read    [2]map[int]bool // by flight
	saved   [2]*saved       // nil once something was sent: what has left cannot be taken back
}

// G8, G12: in any sequence of sends, deliveries, losses, repetitions, crashes and restarts around the place where an exchange
// of the braid completes, every message that is delivered is read exactly once, and the exchange completes.
func TestBraidedMachine(t *testing.T) {
	alice, bob := settledRatchets(t, Braided)
	for range 24 {
		bob, alice = pass(t, bob, alice, "before")
		alice, bob = pass(t, alice, bob, "before")
	}
	require.Zero(t, alice.braid.Epoch())
	rapid.Check(t, func(t *rapid.T) {
		m := &machine{t: t, ends: [2]Ratchet{alice, bob}, read: [2]map[int]bool{{}, {}}}
		side, few := rapid.IntRange(0, 1), rapid.IntRange(1, 4)
		t.Repeat(map[string]func(*rapid.T){
			"send": func(t *rapid.T) {
				i := side.Draw(t, "side")
				for range few.Draw(t, "messages") {
					m.send(i)
				}
			},
			"answer":  func(t *rapid.T) { m.deliver(m.send(side.Draw(t, "side"))) },
			"deliver": func(t *rapid.T) { m.deliver(rapid.IntRange(0, max(0, len(m.flights)-1)).Draw(t, "message")) },
			"save":    func(t *rapid.T) { m.save(side.Draw(t, "side")) },
			"restart": func(t *rapid.T) { m.restart(side.Draw(t, "side")) },
		})
		for range 2 { // what comes too early is tried again
			for n := range m.flights {
				m.deliver(n)
			}
		}
		for n, f := range m.flights {
			require.True(t, m.read[f.to][n], "%s was delivered and not read", f.text)
		}
		for range 6 {
			m.deliver(m.send(1))
			m.deliver(m.send(0))
		}
		require.NotZero(t, m.ends[0].braid.Epoch())
		require.Equal(t, m.ends[0].braid.Epoch(), m.ends[1].braid.Epoch())
	})
}

// send returns the number of a new message.
func (m *machine) send(i int) int {
	f := flight{to: 1 - i, text: fmt.Sprint(len(m.flights))}
	var err error
	m.ends[i], f.m, err = m.ends[i].Encrypt([]byte(f.text))
	require.NoError(m.t, err)
	m.flights, m.saved[i] = append(m.flights, f), nil
	return len(m.flights) - 1
}

func (m *machine) deliver(n int) {
	if n >= len(m.flights) {
		return
	}
	f := m.flights[n]
	next, plain, err := m.ends[f.to].Decrypt(f.m)
	switch {
	case m.read[f.to][n]:
		require.Error(m.t, err, "%s is read twice", f.text)
	case err != nil:
		require.ErrorIs(m.t, err, ErrNoKey) // of a chain that no message of the one before led to
	default:
		require.Equal(m.t, f.text, string(plain))
		m.ends[f.to], m.read[f.to][n] = next, true
	}
}

// save makes an end durable.
func (m *machine) save(i int) { m.saved[i] = &saved{m.ends[i].marshal(), maps.Clone(m.read[i])} }

// restart is a crash: the end begins again from what it saved, and what it read since is unread again.
func (m *machine) restart(i int) {
	if s := m.saved[i]; s != nil {
		back, err := parseRatchet(s.stored)
		require.NoError(m.t, err)
		m.ends[i], m.read[i] = back, maps.Clone(s.read)
	}
}

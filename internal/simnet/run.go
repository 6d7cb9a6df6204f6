package simnet

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/require"
)

// Run lets members that are chosen at random say so many texts, while the others receive, attend to their duties and die
// as chance wants it. Time passes: minutes mostly, a day and a half now and then, so that members commit.
func (n *Net) Run(texts int) {
	n.t.Helper()
	n.rough = true
	defer func() { n.rough = false }()
	for said := 0; said < texts; {
		n.step++
		n.now = n.now.Add(time.Duration(n.rng.IntN(300)) * time.Second)
		if n.rng.IntN(15) == 0 {
			n.Advance(leap)
			for _, m := range n.Members {
				m.fetchOld()
			}
		}
		at := n.rng.Perm(len(n.Members))
		senders := 1
		if n.chance(n.options.Faults.Both) {
			senders = min(len(at), 2+n.rng.IntN(3))
		}
		for _, i := range at {
			if m := n.Members[i]; senders > 0 && said < texts && m.Joined() {
				if m.Send(fmt.Sprintf("%s says %d", m.Name, len(n.texts))) == nil {
					said++
				}
				senders--
			}
		}
		n.each((*Member).Some)
	}
}

// Wait lets so many steps of the given length go by under the faults, in which nobody says a text.
func (n *Net) Wait(steps int, length time.Duration) {
	n.t.Helper()
	for range steps {
		n.Step(length, (*Member).Some)
	}
}

// Flush hands what lies in all outboxes to the relay.
func (n *Net) Flush() {
	n.t.Helper()
	for _, m := range n.Members {
		m.flush()
	}
}

// Step lets a step of the given length go by under the faults, in which the members do what act says, in an order that chance gives.
func (n *Net) Step(length time.Duration, act func(*Member)) {
	n.t.Helper()
	n.rough = true
	defer func() { n.rough = false }()
	n.step++
	n.now = n.now.Add(length)
	n.Flush()
	n.each(act)
}

// SetFaults replaces the faults from now on.
func (n *Net) SetFaults(f Faults) { n.options.Faults = f }

func (n *Net) each(act func(*Member)) {
	for _, i := range n.rng.Perm(len(n.Members)) {
		act(n.Members[i])
	}
}

// Some receives a part of what has come, and attends to the duties.
func (m *Member) Some() {
	m.net.t.Helper()
	m.Fetch(m.net.rng.IntN(len(m.mail) + 1))
	m.Attend()
}

// TicketsFirst puts the tickets in the mailbox, its own and those of others, before what else lies there.
func (m *Member) TicketsFirst() { first(m.mail, frameTicket) }

const (
	// leap is how much time passes at once now and then: enough for all to commit with their next message.
	leap = 36 * time.Hour
	// latest is how long the relay keeps anything back at most. What is kept back for more than 7 days is lost (§12).
	latest = 3 * 24 * time.Hour
)

// fetchOld receives what was posted long ago.
func (m *Member) fetchOld() {
	for i := 0; i < len(m.mail); {
		p := m.mail[i]
		if m.net.now.Sub(p.at) < latest || p.side() != m.side {
			i++
			continue
		}
		m.mail = slices.Delete(m.mail, i, i+1)
		m.receive(p)
		i = 0
	}
}

// Settle delivers everything, without faults, until nothing is under way.
func (n *Net) Settle() {
	n.t.Helper()
	defer n.calm()()
	for _, m := range n.Members {
		for _, p := range m.mail {
			n.step = max(n.step, p.due)
		}
	}
	rounds := 0
	for moved := true; moved; rounds++ {
		require.Less(n.t, rounds, 1_000, "frames make frames for ever")
		moved = false
		for _, m := range n.Members {
			if m.Offline {
				continue
			}
			m.flush()
			// Whoever sees that a request was answered twice leaves it alone, so tickets first save work.
			m.TicketsFirst()
			m.Fetch(-1)
			m.Attend()
		}
		for _, m := range n.Members {
			moved = moved || !m.Offline && slices.ContainsFunc(m.mail, m.arrives)
		}
	}
}

// first moves the frames of one type to the front, and keeps the order otherwise.
func first(mail []parcel, frame byte) {
	slices.SortStableFunc(mail, func(a, b parcel) int {
		return cmp.Compare(b2i(b.is(frame)), b2i(a.is(frame)))
	})
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Rest heals partitions, delivers everything and lets all members say nothing in turn, until everything was read and all
// send in one epoch, and checks that.
func (n *Net) Rest() {
	n.t.Helper()
	n.Heal()
	n.Settle()
	rounds := 0
	for ; rounds < len(quiet); rounds++ {
		missing, rest := n.atRest()
		if rest {
			break
		}
		if rounds > 0 {
			n.t.Logf("after %d rounds %s", rounds, missing)
		}
		n.now = n.now.Add(quiet[rounds])
		n.QuietRound()
	}
	n.stats.Rounds = max(n.stats.Rounds, rounds)
	n.Check()
}

// quiet are the pauses between rounds of quiet, after the last of which everything must have been read: who is to be answered
// by somebody in particular may have to ask again, an hour later, four hours later, and a day later (§9).
var quiet = slices.Concat(
	slices.Repeat([]time.Duration{20 * time.Minute}, 12), slices.Repeat([]time.Duration{2 * time.Hour}, 12), slices.Repeat([]time.Duration{8 * time.Hour}, 12),
)

// QuietRound lets every member say nothing, and delivers that.
func (n *Net) QuietRound() {
	n.t.Helper()
	defer n.calm()()
	for _, m := range n.Members {
		if m.Offline {
			continue
		}
		m.redeliver()
		if m.Joined() {
			_ = m.Send("") // who waits for a ticket cannot, and that shows at rest
		}
		n.Settle()
	}
}

package simnet

import (
	"maps"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/ratchettest"
	"github.com/trefoil-im/trefoil/ratchet/step"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/storetest"
)

// Member is a device of a member: a store that survives crashes, a vault that does not, and an application that shows
// what was read.
type Member struct {
	*ratchettest.Device
	// Disputed is set by a test for a member whose index somebody else has, too: others need not understand it, nor it
	// them.
	Disputed bool
	// Offline is set for a device that neither sends nor receives.
	Offline bool
	// TicketsOnly is set for a device that wants nothing of the relay but tickets and refusals: it has asked, and reads the rest later.
	TicketsOnly bool
	// Skew is how far its clock is ahead of that of the network.
	Skew time.Duration

	net    *Net
	side   int
	out    []*posting // sent and not handed to the relay yet
	mail   []parcel
	held   map[[32]byte]*posting // delivered and not acknowledged
	unread map[[32]byte]error    // why frames were settled unread
	told   int                   // how many of Events were looked at

	voice int             // 1, and one more after each restore: who read it since is in heard of the others
	heard map[*Member]int // whose messages this member read: the voice

	unreported bool // it died after a commit, whose events nobody was told of

	boundary  int // commit boundaries passed
	crashAt   int // the boundary at which the device is to die, 0 for none
	crashWith storetest.Fault
}

// newMember returns a device without a space.
func newMember(n *Net, name string) *Member {
	m := &Member{
		net: n, held: make(map[[32]byte]*posting), unread: make(map[[32]byte]error), voice: 1, heard: make(map[*Member]int),
	}
	m.Device = &ratchettest.Device{
		Name: name, T: n.t, Now: func() time.Time { return n.now.Add(m.Skew) }, Store: n.options.Store(), MaxFrame: n.options.MaxFrame,
		Fate: m.fate, Show: m.show,
		Restarted: func() {
			n.stats.Crashes++
			m.redeliver()
		},
	}
	if n.options.Backups {
		m.Store = &journal{Store: m.Store}
	}
	return m
}

// fate lets the device die at a commit boundary.
func (m *Member) fate() (f storetest.Fault) {
	m.boundary++
	switch {
	case m.boundary == m.crashAt:
		f = m.crashWith
	case m.net.chance(m.net.options.Faults.Crash):
		f = storetest.Before + storetest.Fault(m.net.rng.IntN(2))
	}
	m.unreported = m.unreported || f == storetest.After
	return f
}

// CrashAt makes the device die at its nth commit boundary from now on, before or after the commit.
func (m *Member) CrashAt(n int, f storetest.Fault) { m.crashAt, m.crashWith = m.boundary+n, f }

// Boundaries returns how many commit boundaries the device has passed.
func (m *Member) Boundaries() int { return m.boundary }

// Info returns where the member stands.
func (m *Member) Info() ratchet.Summary { return ratchet.Info(m.Space()) }

// Joined reports whether it is a member.
func (m *Member) Joined() bool { return m.Info().Phase == ratchet.Member }

// Send sends a text, in one word or many, and hands it to the relay. Texts of a simulation differ from each other. It
// returns why the space refused, if it did.
func (m *Member) Send(words string) error {
	m.net.t.Helper()
	if ratchet.Due(m.Space(), m.Now()).Fetch {
		m.Fetch(-1)
	}
	m.flush()
	if err := m.Try(ratchet.Send(m.Options(), []byte(words))); err != nil {
		m.net.stats.Refused++
		return err
	}
	if posted := m.collect(); words != "" {
		m.net.say(m, words, posted[len(posted)-1])
	}
	m.flush()
	m.look()
	return nil
}

// Step takes a step, and hands what it says to the relay.
func (m *Member) Step(s step.Step) {
	m.net.t.Helper()
	m.Do(s)
	m.flush()
}

// collect takes what is in the outbox.
func (m *Member) collect() (posted []*posting) {
	m.net.t.Helper()
	for _, f := range m.Flush() {
		posted = append(posted, m.net.posting(m, f))
	}
	m.out = append(m.out, posted...)
	return posted
}

// flush hands everything in the outbox to the relay.
func (m *Member) flush() {
	m.net.t.Helper()
	m.collect()
	if m.Offline {
		return
	}
	for _, p := range m.out {
		m.net.post(p)
	}
	m.out = nil
}

// Fetch receives at most count frames that the relay has for this member, all of them if count is negative, shows what
// was read, and reports how many there were. When all were received the end of the mailbox is reached.
func (m *Member) Fetch(count int) (fetched int) {
	m.net.t.Helper()
	if m.Offline {
		return 0
	}
	for fetched != count {
		p, ok := m.next()
		if !ok {
			m.settle(m.CaughtUp())
			break
		}
		m.receive(p)
		fetched++
	}
	return fetched
}

// receive is the receive loop for one parcel.
func (m *Member) receive(p parcel) {
	m.net.t.Helper()
	m.flush() // what was said before this is heard must not be taken for what is said after it
	m.net.stats.Delivered++
	r := m.Receive(p.source(), p.data)
	switch r.Verdict {
	case state.Retain:
		m.held[p.hash] = p.posting
	case state.Read:
		m.hear(p.posting)
		delete(m.held, p.hash)
	case state.Discard:
		delete(m.held, p.hash)
	}
	m.settle(r.Acknowledge)
}

// settle notes what became of frames that were retained, and sends what came of them.
func (m *Member) settle(hashes [][32]byte) {
	m.net.t.Helper()
	for ; m.told < len(m.Events); m.told++ {
		if e, ok := m.Events[m.told].(state.FrameUnread); ok && e.Verdict == state.Discard {
			m.unread[e.Hash] = e.Reason
		}
	}
	for _, h := range hashes {
		q := m.held[h]
		delete(m.held, h)
		if _, unread := m.unread[h]; q != nil && !unread {
			m.hear(q)
		}
	}
	m.flush()
	m.look()
}

// hear keeps the books about who can be expected to understand whom.
func (m *Member) hear(p *posting) {
	switch {
	case p.is(frameMessage):
		m.heard[p.from] = max(m.heard[p.from], p.voice)
	case p.is(frameTicket) && m.Joined():
		for o, voice := range p.heard {
			m.heard[o] = max(m.heard[o], voice)
		}
	}
}

// Attend does what is due, as Due says, and reports whether anything was.
func (m *Member) Attend() bool {
	m.net.t.Helper()
	due := ratchet.Due(m.Space(), m.Now())
	if m.Offline || due == (ratchet.Tasks{}) {
		return false
	}
	if due.Fetch {
		m.Fetch(-1)
	}
	m.settle(m.Maintain())
	return true
}

// ticketHeard is what goes with a ticket: what its issuer heard.
func (m *Member) ticketHeard() map[*Member]int {
	heard := maps.Clone(m.heard)
	heard[m] = m.voice
	return heard
}

// Reload returns the space as another process would read it from the store.
func (m *Member) Reload() ratchet.Space {
	m.net.t.Helper()
	key := ratchettest.Key(m.net.t)
	v, err := state.Open[ratchet.Space](m.net.t.Context(), m.Store, key, state.Options{})
	require.NoError(m.net.t, err)
	s, err := v.Load(m.net.t.Context(), m.Space().ID())
	require.NoError(m.net.t, err)
	return s
}

package simnet

import (
	"slices"
	"time"

	"github.com/trefoil-im/trefoil/state"
)

// First bytes of frames, as the specification gives them (§7).
const (
	frameMessage = 0x20
	frameTicket  = 0x22
	frameRequest = 0x23
)

// posting is a frame that was handed to the relay.
type posting struct {
	no      int
	at      time.Time
	from    *Member // nil for an outsider
	mailbox string  // of an outsider
	data    []byte
	hash    [32]byte // of the frame as it is delivered
	voice   int      // of its sender
	text    *text
	heard   map[*Member]int  // of a ticket: what its issuer had heard
	reaches map[*Member]bool // to whom the relay delivers it
}

func (p *posting) is(first byte) bool { return len(p.data) > 0 && p.data[0] == first }

// source is the mailbox in which a frame came.
func (p *posting) source() string {
	if p.from == nil {
		return p.mailbox
	}
	return p.from.Name
}

func (p *posting) side() int {
	if p.from == nil {
		return 0
	}
	return p.from.side
}

// parcel is a posting on its way to one member.
type parcel struct {
	*posting
	due int // step before which it does not arrive
}

// posting returns a frame as the relay will know it.
func (n *Net) posting(from *Member, data []byte) *posting {
	p := &posting{at: n.now, from: from, data: data, reaches: make(map[*Member]bool)}
	if from != nil {
		p.voice = from.voice
		if p.is(frameTicket) {
			p.heard = from.ticketHeard()
		}
	}
	return p
}

// post takes a frame and puts it into the mailboxes. The bytes of one that was posted before are the same posting.
func (n *Net) post(p *posting) {
	n.stats.Posted++
	n.stats.Bytes += len(p.data)
	n.log.Write(p.data)
	p.hash = state.Frame{Source: p.source(), Data: p.data}.Hash()
	if was := n.posted[p.hash]; was != nil {
		p = was
	} else {
		p.no = len(n.posts)
		if p.is(frameTicket) {
			n.stats.Tickets++
		}
		if p.from != nil {
			n.checks.nonces(n.t, p.data)
		}
		n.posts = append(n.posts, p)
		n.posted[p.hash] = p
	}
	for _, m := range n.Members {
		switch {
		case m == p.from:
			if n.chance(n.options.Faults.Repeat) {
				m.enqueue(p, n.delay())
			}
		case n.chance(n.options.Faults.Lose), n.drop != nil && n.drop(p.from, m, p.no), n.options.NoMailboxes && m.Offline,
			m.TicketsOnly && !p.is(frameTicket):
			n.stats.Lost++
		default:
			m.enqueue(p, n.delay())
			if n.chance(n.options.Faults.Repeat) {
				m.enqueue(p, n.delay())
			}
		}
	}
}

// delay returns the step in which something posted now arrives.
func (n *Net) delay() int {
	if n.chance(n.options.Faults.Late) {
		return n.step + 1 + n.rng.IntN(n.options.Faults.LateBy)
	}
	return n.step
}

// enqueue puts a posting into a member's mailbox. The relay keeps it until it is acknowledged.
func (m *Member) enqueue(p *posting, due int) {
	p.reaches[m] = true
	m.mail = append(m.mail, parcel{p, due})
}

// arrives reports whether the relay has something for a member now.
func (m *Member) arrives(p parcel) bool { return p.due <= m.net.step && p.side() == m.side }

// next takes the next parcel for a member out of its mailbox: the first one, or one of those that overtake it.
func (m *Member) next() (parcel, bool) {
	window := 1
	if m.net.rough {
		window = max(1, m.net.options.Faults.Window)
	}
	var at []int
	for i, p := range m.mail {
		if m.arrives(p) {
			if at = append(at, i); len(at) == window {
				break
			}
		}
	}
	if len(at) == 0 {
		return parcel{}, false
	}
	i := at[0]
	if len(at) > 1 {
		i = at[m.net.rng.IntN(len(at))]
	}
	p := m.mail[i]
	m.mail = slices.Delete(m.mail, i, i+1)
	return p, true
}

// Reverse puts what lies in the mailbox into the opposite order.
func (m *Member) Reverse() { slices.Reverse(m.mail) }

// redeliver puts everything that a member has not acknowledged into its mailbox again, as relays do when a device comes
// back.
func (m *Member) redeliver() {
	var again []*posting
	for _, p := range m.held {
		again = append(again, p)
	}
	slices.SortFunc(again, func(a, b *posting) int { return a.no - b.no })
	for _, p := range again {
		m.mail = append(m.mail, parcel{p, m.net.step})
	}
}

// Post is a frame as the relay has seen it.
type Post struct {
	From  *Member // nil for an outsider
	At    time.Time
	Data  []byte
	Words string // what it says, "" if nothing
}

// Posts returns everything that was ever posted, repeats once: what a server knows.
func (n *Net) Posts() (out []Post) {
	for _, p := range n.posts {
		post := Post{From: p.from, At: p.at, Data: p.data}
		if p.text != nil {
			post.Words = p.text.words
		}
		out = append(out, post)
	}
	return out
}

package ratchet

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/orphans"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/rules"
)

// restored puts a device back to a copy of its space, of which the relay keeps nothing: the lost device has read all.
func (x *node) restored(backup Space) {
	s, err := Restore(backup, x.net.now)
	require.NoError(x.net.t, err)
	x.space, x.retained, x.ready, x.mailbox, x.read, x.events = s, map[orphans.FrameName]incoming{}, nil, nil, nil, nil
}

// loses has a device make commits that an older copy of it lacks. All read them.
func (x *node) loses(count int) {
	for k := range count {
		x.net.twoDays()
		x.send(fmt.Sprint("lost ", k))
		x.net.settle()
	}
}

// say sends a text if the device can send now.
func (x *node) say(text string) error {
	return x.edit(func(d *edit) error { return d.say(inner(text)) })
}

// A member that was restored, once or twice, to before several commits of its own reads whatever is said by those who have read it since,
// although nobody can give it back what they said before. It says nothing until it was brought up to date: what others answer to it in the
// epochs below those commits would be read by everybody, and its keys be gone, before its request is answered (§8, D196).
func TestRestoredReadsTheReplies(t *testing.T) {
	for commits := range 4 {
		t.Run(fmt.Sprint(commits), func(t *testing.T) {
			n := newNetwork(t, 120)
			founder := n.found(rules.Policy{})
			m, other := n.member(founder, "m"), n.member(founder, "other")
			backup := m.space
			m.loses(commits)
			for again := range 2 {
				n.now = n.now.Add(2 * time.Hour)
				m.restored(backup)
				m.sync()
				for k := 0; m.say(fmt.Sprint("back ", again)) != nil; k++ {
					require.Less(t, k, 3, "it is brought up to date in minutes")
					n.settle()
				}
				var answers []string
				for k := range 3 {
					founder.sync()
					text := fmt.Sprint("welcome ", again, k)
					founder.send(text)
					answers = append(answers, "1: "+text)
					other.sync()
				}
				for range 3 {
					n.settle()
					n.now = n.now.Add(time.Hour)
				}
				require.Subset(t, m.texts(), answers)
				require.Contains(t, founder.texts(), fmt.Sprint("2: back ", again))
				n.agree(3)
			}
		})
	}
}

// A member that was away, and to which nothing came, needs no ticket and waits for none: it follows the commits of others by itself, and
// reads what they answer to its first message.
func TestAbsentReadsTheReplies(t *testing.T) {
	n := newNetwork(t, 123)
	founder := n.found(rules.Policy{})
	m, other := n.member(founder, "m"), n.member(founder, "other")
	n.lose = func(x *node, _ []byte) bool { return x == m }
	for k, x := range []*node{founder, other, founder} {
		n.twoDays()
		x.send(fmt.Sprint("meanwhile ", k))
		n.settle()
	}
	n.lose = nil
	m.send("back")
	n.posted = func(_ *node, f []byte) { require.NotEqual(t, byte(proto.TypeRequest), f[0]&0xf) }
	for k := range 3 {
		founder.sync()
		founder.send(fmt.Sprint("welcome ", k))
		other.sync()
	}
	n.settle()
	require.Subset(t, m.texts(), []string{"1: welcome 0", "1: welcome 1", "1: welcome 2"})
	n.agree(3)
}

// A restored member that nobody answers sends after a day, and goes on asking: the others may never come back, or wait themselves, as do
// two that were restored at once (D196).
func TestSilenceEndsAfterADay(t *testing.T) {
	for _, both := range []bool{false, true} {
		t.Run(fmt.Sprint(both), func(t *testing.T) {
			n := newNetwork(t, 121)
			founder := n.found(rules.Policy{})
			m := n.member(founder, "m")
			backups := []Space{founder.space, m.space}
			m.loses(1)
			n.now = n.now.Add(2 * time.Hour)
			m.restored(backups[1])
			if founder.offline = !both; both {
				founder.restored(backups[0])
			}
			for k := range 25 {
				n.settle()
				require.Equal(t, k < 24, m.say(fmt.Sprint("after ", k)) != nil, "after %d hours", k)
				n.now = n.now.Add(54 * time.Minute) // to settle takes 6
			}
			founder.offline = false
			for range 3 {
				n.settle()
				n.now = n.now.Add(2 * time.Hour)
			}
			require.Contains(t, founder.texts(), "2: after 24")
			require.False(t, stateOf(m.space).rhythm.restored, "it was brought up to date")
			founder.send("both are here")
			n.settle()
			require.Contains(t, m.texts(), "1: both are here")
			n.agree(2)
		})
	}
}

// A restored member lets nobody in and brings nobody up to date before it was itself: who came by its ticket would stand where it stood
// (§9, Answering, 13).
func TestRestoredAnswersNobody(t *testing.T) {
	n := newNetwork(t, 122)
	founder := n.found(rules.Policy{})
	m := n.member(founder, "m")
	l := founder.invite(invite.Private(0))
	n.settle()
	m.restored(m.space)
	founder.offline = true
	joiner := n.join(l, "joiner")
	n.posted = func(_ *node, f []byte) { require.NotEqual(t, byte(proto.TypeTicket), f[0]&0xf) }
	for range 3 {
		n.settle()
		n.now = n.now.Add(time.Hour)
	}
	require.Equal(t, Joining, joiner.phase())
	n.posted, founder.offline = nil, false
	for range 3 {
		n.settle()
		n.now = n.now.Add(time.Hour)
	}
	require.Equal(t, Member, joiner.phase())
	n.agree(3)
}

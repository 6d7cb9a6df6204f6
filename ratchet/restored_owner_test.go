package ratchet

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
)

// A founder that was restored to before anybody joined is silent like others, though it knows of nobody else: it reads what they reply to its
// first message, whichever commits of its own were lost.
func TestFounderFromBeforeTheFirstMember(t *testing.T) {
	for commits := range 4 {
		t.Run(fmt.Sprint(commits), func(t *testing.T) {
			n := newNetwork(t, 202)
			founder := n.found(rules.Policy{})
			var links []invite.Link
			for range 4 {
				links = append(links, founder.invite(invite.Private(0)))
			}
			backup := founder.space
			var others []*node
			for k, l := range links {
				others = append(others, n.join(l, fmt.Sprint("m", k)))
				n.settle()
			}
			founder.loses(commits)
			n.now = n.now.Add(2 * time.Hour)
			founder.restored(backup)
			founder.sync()
			for k := 0; founder.say("back") != nil; k++ {
				require.Less(t, k, 3, "it is brought up to date in minutes")
				n.settle()
			}
			var replies []string
			for _, x := range others {
				x.sync()
				text := "welcome from " + x.name
				require.NoError(t, x.say(text))
				replies = append(replies, fmt.Sprint(stateOf(x.space).me().index, ": ", text))
				for _, y := range others {
					y.sync()
				}
			}
			for range 4 {
				n.settle()
				n.now = n.now.Add(time.Hour)
			}
			require.Subset(t, founder.texts(), replies)
			n.agree(5)
		})
	}
}

// An owner that was restored makes no rekey for the members of the copy alone: one that knows of nobody else, or only of members that have
// left since, is brought up to date before. Neither is one made that is due by the clock.
func TestRestoredOwnerLeavesNobodyOut(t *testing.T) {
	for _, hours := range []uint16{0, 24} {
		t.Run(fmt.Sprint(hours), func(t *testing.T) {
			n := newNetwork(t, 203)
			founder := n.found(rules.Policy{RekeyHours: hours})
			left := n.member(founder, "left")
			l := founder.invite(invite.Private(0))
			n.settle()
			left.do(step.Leave())
			left.offline = true
			founder.sync()
			backup := founder.space
			m := n.join(l, "m")
			founder.loses(3)
			n.now = n.now.Add(2 * time.Hour)
			founder.restored(backup)
			founder.sync()
			require.False(t, Due(founder.space, n.now).Rekey)
			require.ErrorIs(t, founder.try(step.Rekey()), ErrPhase)
			for range 10 {
				n.settle()
				n.now = n.now.Add(12 * time.Hour)
			}
			require.NoError(t, founder.try(step.Rekey()))
			n.settle()
			founder.send("to all")
			n.settle()
			require.Contains(t, m.texts(), "1: to all")
			require.Equal(t, founder.members(), m.members())
		})
	}
}

// An owner that nobody answers can remove who answers nothing, after a day. It begins a rekey by itself after a week only, since others may be
// asleep.
func TestUnansweredOwner(t *testing.T) {
	for _, hours := range []uint16{0, 24} {
		n := newNetwork(t, 205)
		founder := n.found(rules.Policy{RekeyHours: hours})
		m := n.member(founder, "m")
		n.now = n.now.Add(2 * time.Hour)
		m.offline = true
		founder.restored(founder.space)
		n.settle()
		remove := step.Remove(stateOf(m.space).me().index)
		require.ErrorIs(t, founder.try(remove), ErrPhase)
		n.now = n.now.Add(24 * time.Hour)
		if hours == 0 {
			require.NoError(t, founder.try(remove))
			continue
		}
		for range 6 {
			require.False(t, Due(founder.space, n.now).Rekey)
			n.settle()
			require.EqualValues(t, 0, founder.gen())
			n.now = n.now.Add(22 * time.Hour)
		}
		n.now = n.now.Add(12 * time.Hour)
		n.settle()
		require.EqualValues(t, 1, founder.gen())
	}
}

// Both members of a space are restored, the owner from after a rekey and the other one from before it, and before an inbox key of its own: no
// ticket can be opened, and a rekey by hand brings them together after a day.
func TestBothRestoredAcrossARekey(t *testing.T) {
	n := newNetwork(t, 230)
	founder := n.found(rules.Policy{})
	m := n.member(founder, "m")
	before := m.space
	m.loses(6)
	founder.do(step.Rekey())
	n.settle()
	m.send("in the new root")
	founder.send("in the new root")
	n.settle()
	require.EqualValues(t, 1, m.gen())
	n.now = n.now.Add(2 * time.Hour)
	founder.restored(founder.space)
	m.restored(before)
	for range 6 {
		n.settle()
		n.now = n.now.Add(12 * time.Hour)
	}
	_ = founder.try(step.Rekey()) // if it is not brought up to date already
	for range 6 {
		n.settle()
		n.now = n.now.Add(12 * time.Hour)
	}
	founder.send("from the owner")
	m.send("from m")
	n.settle()
	require.Contains(t, m.texts(), "1: from the owner")
	require.Contains(t, founder.texts(), "2: from m")
	n.agree(2)
}

// The day of silence begins anew while the first request lies in the outbox, and while there is none: a device that was off the line for a
// day would else say something before anybody could answer.
func TestSilenceIsForWhoWasAsked(t *testing.T) {
	n := newNetwork(t, 206)
	founder := n.found(rules.Policy{})
	m := n.member(founder, "m")
	n.now = n.now.Add(2 * time.Hour)
	founder.offline = true
	m.restored(m.space)
	n.lose = func(*node, []byte) bool { return true }
	end := func(unsent bool) { // and the day is almost over
		require.NoError(t, m.edit(func(d *edit) error { d.unsent = unsent; d.caughtUp(); return nil }))
		n.now = n.now.Add(23 * time.Hour)
		require.ErrorIs(t, m.say("early"), ErrPhase)
	}
	require.NoError(t, m.edit(func(d *edit) error { require.False(t, d.askAgain(), "it has not read its backlog"); return nil }))
	end(false)
	end(false) // nobody was asked
	m.maintain()
	end(true) // the request lies in the outbox
	n.now = n.now.Add(2 * time.Hour)
	end(true)
	require.NoError(t, m.edit(func(d *edit) error { d.caughtUp(); return nil })) // it has left
	n.now = n.now.Add(2 * time.Hour)
	require.NoError(t, m.say("nobody answered"))
}

// A silent member answers nobody that Admit is called for, either.
func TestSilentMemberAdmitsNobody(t *testing.T) {
	n := newNetwork(t, 201)
	founder := n.found(rules.Policy{})
	m := n.member(founder, "m")
	l := founder.invite(invite.Private(0))
	n.settle()
	m.restored(m.space)
	_, request, err := Join(l, n.now, []byte("joiner"))
	require.NoError(t, err)
	_, frames, err := Admit(m.space, n.now, request)
	require.ErrorIs(t, err, ErrPhase)
	require.Empty(t, frames)
}

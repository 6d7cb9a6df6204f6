package ratchet

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet/internal/epochs"
	"github.com/trefoil-im/trefoil/ratchet/internal/pprf"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/rules"
)

// led merges into a member's forest what an issuer tells of the epoch that it prefers alone, with the commit tree that a test makes of it.
func led(t *testing.T, m, issuer *node, tree func(pprf.Frontier) pprf.Frontier) {
	t.Helper()
	all, _ := stateOf(issuer.space).forest.ForTicket(epochs.TicketQuery{})
	all = all[:1]
	all[0].CommitTree = tree(all[0].CommitTree)
	require.NoError(t, m.edit(func(d *edit) error {
		f, c := d.st.forest.Merge(epochs.Ticket{Epochs: all, Issuer: stateOf(issuer.space).me().index, Counter: 1}, d.share, d.age())
		d.grow(f, c)
		d.noteTold()
		return nil
	}))
	e, _ := stateOf(m.space).forest.Preferred()
	require.Equal(t, all[0].ID, e.ID())
	require.False(t, e.Derived())
}

// ahead has an issuer commit where nobody hears of it.
func ahead(n *network, issuer *node) {
	n.lose = func(*node, []byte) bool { return true }
	for range 3 {
		require.NoError(n.t, issuer.edit(func(d *edit) error { d.st.rhythm.commit = true; return d.say(proto.Inner{}) }))
	}
}

// A member that prefers what was only told, and has read nobody there but who told it, asks again after 1 hour, 4 hours and a day,
// whatever its other requests came to (D56).
func TestWhatWasOnlyToldIsAskedAbout(t *testing.T) {
	n := newNetwork(t, 31)
	founder := n.found(rules.Policy{})
	m := n.member(founder, "m")
	n.member(founder, "other")
	n.settle()
	ahead(n, founder)
	led(t, m, founder, func(x pprf.Frontier) pprf.Frontier { return x })
	began := n.now
	var asked []time.Duration
	for range 60 {
		if Due(m.space, n.now).Ask {
			wanted := false
			require.NoError(t, m.edit(func(d *edit) error { wanted = d.toldDue(); return d.ask() }))
			if wanted {
				asked = append(asked, n.now.Sub(began))
			}
		}
		n.now = n.now.Add(30 * time.Minute)
	}
	require.Equal(t, []time.Duration{time.Hour, 4 * time.Hour, 24 * time.Hour}, asked)
}

// A member whose place for a commit is in no tree asks for a ticket, and does not send a message a minute for the commit that is due. One
// that was set back sends nothing there: of two messages with one number one would be lost (D125).
func TestCommitWithoutAPlaceIsNotDue(t *testing.T) {
	n := newNetwork(t, 32)
	founder := n.found(rules.Policy{})
	m := n.member(founder, "m")
	n.now = n.now.Add(2 * time.Hour)
	ahead(n, founder)
	led(t, m, founder, func(x pprf.Frontier) pprf.Frontier {
		return x.Cut([]dkg.Index{0, stateOf(founder.space).me().index})
	})
	require.NoError(t, m.edit(func(d *edit) error { d.st.rhythm.commit = true; return nil }))
	due := Due(m.space, n.now)
	require.False(t, due.Send)
	require.True(t, due.Ask)
	require.NoError(t, m.edit((*edit).ask))
	for range 5 {
		n.now = n.now.Add(time.Minute)
		due = Due(m.space, n.now)
		require.False(t, due.Send || due.Ask)
	}
	m.send("all the same")
	require.NoError(t, m.edit(func(d *edit) error { d.setBack(); return nil }))
	require.ErrorIs(t, m.edit(func(d *edit) error { return d.say(inner("with a number that was used")) }), ErrPhase)
}

// Two members that do not hold what was only told bring one back that a third led there, also if it commits between their tickets.
func TestTwoMembersLeadBack(t *testing.T) {
	n := newNetwork(t, 36)
	founder := n.found(rules.Policy{})
	m := n.member(founder, "m")
	n.member(founder, "b")
	c := n.member(founder, "c")
	n.settle()
	ahead(n, founder)
	led(t, m, founder, func(x pprf.Frontier) pprf.Frontier { return x })
	n.lose = func(x *node, f []byte) bool { return x != m && f[0]&0xf == byte(proto.TypeTicket) } // else m may lead one of the two there
	founder.offline = true
	for range 3 {
		n.now = n.now.Add(61 * time.Minute)
		n.settle()
	}
	require.True(t, m.has(Alone))
	n.lose = nil
	m.send("back")
	n.settle()
	require.Contains(t, c.texts(), "2: back")
}

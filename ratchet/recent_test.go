package ratchet

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
	"github.com/trefoil-im/trefoil/state"
)

// knows returns what a device knows of what members and owners said, by their hashes.
func (x *node) knows() (out []string) {
	_, _, r := x.standing()
	for _, s := range r.Statements() {
		out = append(out, fmt.Sprintf("%d %x", s.Kind(), proto.StatementHash(s)))
	}
	slices.Sort(out)
	return out
}

// What a member says just before somebody is let in by one that has not read it, the joiner knows in the end: title, profile, roles and
// ended invites, also from a member that comes back after hours, whatever order frames come in. TREFOIL_JOINS is the number of
// histories, and TREFOIL_SEED the seed of the first.
func TestJoinerLearnsWhatWasJustSaid(t *testing.T) {
	first, _ := strconv.ParseUint(os.Getenv("TREFOIL_SEED"), 10, 64)
	count, err := strconv.ParseUint(os.Getenv("TREFOIL_JOINS"), 10, 64)
	if err != nil {
		count = 8
	}
	lacked := 0
	for seed := first; seed < first+count; seed++ {
		n := newNetwork(t, seed)
		founder := n.found(rules.Policy{})
		b := n.member(founder, "b")
		var ended invite.Made
		founder.do(step.NewInvite(invite.Private(0), &ended))
		links := []invite.Link{founder.invite(invite.Private(0)), founder.invite(invite.Private(0))}[:1+n.rng.IntN(2)]
		n.settle()
		c := n.member(founder, "c")
		steps := map[*node][]step.Step{
			founder: {step.SetTitle([]byte("title")), step.Appoint(rules.MayTitle, stateOf(b.space).me().index), step.EndInvite(ended.Name)},
			c:       {step.SetProfile([]byte("first")), step.SetProfile([]byte("second"))},
		}
		author := []*node{founder, c}[n.rng.IntN(2)]
		if author == founder && n.rng.IntN(2) == 0 {
			for _, x := range []*node{b, c} {
				n.settle()
				x.commits(1) // the epoch in which it is said is one that the joiner is not shown
			}
			n.settle()
		}
		for _, s := range steps[author] {
			author.do(s)
		}
		late := map[*node][]incoming{}
		for _, x := range n.all {
			late[x], x.mailbox = x.mailbox, nil
		}
		author.offline = true
		var joiners []*node
		for k, l := range links {
			joiners = append(joiners, n.join(l, fmt.Sprint("x", k)))
		}
		n.settle()
		for _, x := range joiners {
			require.Equal(t, Member, x.phase(), "seed %d", seed)
		}
		for x, frames := range late {
			x.mailbox = append(x.mailbox, frames...)
		}
		if n.rng.IntN(2) == 0 {
			n.now = n.now.Add(time.Duration(n.rng.Int64N(int64(20 * time.Hour))))
		}
		n.settle()
		for _, x := range joiners {
			if !slices.Equal(x.knows(), author.knows()) {
				lacked++
			}
		}
		author.offline = false
		n.settle()
		for _, x := range n.all {
			require.Equal(t, author.knows(), x.knows(), "seed %d: %s", seed, x.name)
			require.False(t, x.has(StatementRefused), "seed %d: %s", seed, x.name)
		}
	}
	require.NotZero(t, lacked, "what was not said again yet was known")
}

// However many arrive, a statement is said again at most 6 times in an hour and 11 times in a day, and no more once the mailbox was
// read to its end an hour after it was said. It is the same statement.
func TestSayingAgainIsBounded(t *testing.T) {
	g := newGroup(t, 2, rules.Policy{})
	x, y := g.peers[0], g.peers[1]
	require.NoError(t, x.update(Do(x.options(), step.SetProfile([]byte("new")))))
	for _, f := range x.take() {
		y.receive(f, "")
	}
	arrive := func() {
		require.NoError(t, x.update(func(tx *state.Tx[Space]) error {
			d, err := newEdit(tx.Value(), g.now, x.options())
			d.oweRecent()
			d.leave(tx, x.options())
			return err
		}))
	}
	again := 0
	for at := range 24 * 60 {
		arrive()
		if due := Due(x.space(), g.now); due.Owe {
			x.maintain()
			again++
			frames := x.take()
			require.Len(t, frames, 1)
			require.Equal(t, state.Read, y.receive(frames[0], "").Verdict)
			require.False(t, Due(x.space(), g.now).Owe)
		}
		if at == 59 {
			require.Equal(t, 6, again)
		}
		g.pass(time.Minute)
	}
	require.Equal(t, 11, again, "the end of the mailbox was not reached: somebody may arrive who joined in that hour")
	x.caughtUp()
	g.pass(24 * time.Hour)
	x.maintain()
	require.Len(t, x.state().news.Value().recent, 1)
	arrive()
	require.Empty(t, x.state().news.Value().recent)
	require.False(t, y.sees(StatementRefused))
}

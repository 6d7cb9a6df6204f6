package ratchet

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/orphans"
)

// An owner that was restored from a backup older than some members, and knows of them by a ticket alone, does not remove them with the
// rekey that removes somebody else.
func TestRestoredOwnerRemovesNobodyElse(t *testing.T) {
	n := newNetwork(t, 76)
	founder := n.found(Policy{})
	b, gone := n.member(founder, "b"), n.member(founder, "gone")
	l := founder.invite(invite.Private(0))
	n.settle()
	backup := founder.space
	late := n.join(l, "late")
	n.settle()
	commits := func(rounds int, who ...*node) {
		for round := range rounds {
			for _, x := range who {
				require.NoError(t, x.edit(func(d *edit) error {
					d.st.rhythm.commit = true
					return d.say(inner(fmt.Sprint("commit ", round)))
				}))
				n.settle()
			}
		}
	}
	commits(1, late, b, gone)
	commits(4, b, gone)
	late.send("in an epoch of others")
	n.settle()
	late.offline = true // it writes nothing more
	commits(1, b, gone)
	n.now = n.now.Add(2 * time.Hour)
	s, err := Restore(backup, n.now)
	require.NoError(t, err)
	founder.space, founder.retained, founder.events = s, nil, nil
	founder.retained = map[orphans.FrameName]incoming{}
	for range 12 {
		b.send("tick")
		n.settle()
		n.now = n.now.Add(time.Hour)
	}
	require.False(t, founder.space.State().rhythm.restored, "a ticket came")
	require.Len(t, founder.members(), 4, "the ticket told of all")
	d, err := newEdit(founder.space, n.now, Options{})
	require.NoError(t, err)
	e, r, _ := d.preferred()
	lb, _ := r.ListedBinding(late.space.State().me().index)
	t.Log("late is met:", lb.Met(), "answered:", lb.Answered, "makers above:", len(d.st.forest.MakersAbove(e.ID())), "own above:", late.space.State().forest.OwnAbove(e.ID()))
	founder.do(Remove(gone.space.State().me().index))
	n.settle()
	late.offline = false
	for range 6 {
		n.settle()
		n.now = n.now.Add(time.Hour)
	}
	require.Equal(t, Removed, gone.phase())
	require.Equal(t, Member, late.phase(), "nobody removed it")
	require.EqualValues(t, 1, late.gen())
}

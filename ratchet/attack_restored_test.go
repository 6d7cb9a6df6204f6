package ratchet

import (
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/epochs"
	"github.com/trefoil-im/trefoil/ratchet/internal/orphans"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/rekey"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
)

// An owner that was restored from a backup older than some members, and knows of them by a ticket alone, does not remove them with the
// rekey that removes somebody else.
func TestRestoredOwnerRemovesNobodyElse(t *testing.T) {
	n := newNetwork(t, 76)
	founder := n.found(rules.Policy{})
	b, gone := n.member(founder, "b"), n.member(founder, "gone")
	l := founder.invite(invite.Private(0))
	n.settle()
	backup := founder.space
	late := n.join(l, "late")
	n.settle()
	commit := func(x *node) {
		require.NoError(t, x.edit(func(d *edit) error {
			d.st.rhythm.commit = true
			return d.say(inner("commit"))
		}))
		for _, y := range n.all {
			y.sync()
		}
	}
	commit(late)
	days, commits := 3, 10
	if os.Getenv("TREFOIL_LONG") != "" {
		days, commits = 34, 75
	}
	for range days { // in the end nobody holds an epoch of the backup any more
		n.now = n.now.Add(24 * time.Hour)
		commit(b)
		for _, x := range n.all {
			x.maintain()
		}
	}
	for range commits { // in the end more than a ticket tells
		commit(b)
	}
	late.send("in an epoch of others")
	n.settle()
	require.True(t, slices.ContainsFunc(stateOf(late.space).forest.MakersAbove(late.sendsIn()), func(m epochs.Maker) bool {
		return m.Index == stateOf(late.space).me().index
	}))
	late.offline = true // it writes nothing more
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
	require.False(t, stateOf(founder.space).rhythm.restored, "a ticket came")
	require.Len(t, founder.members(), 4, "the ticket told of all")
	founder.do(step.Remove(stateOf(gone.space).me().index))
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

// An owner that is restored from a backup of the time in which it sealed the boxes of a rekey makes its next one with secrets of its own:
// those of the draft may be known to whom it removes.
func TestRestoredDraftIsDrawnAnew(t *testing.T) {
	n, all := five(t, 77)
	founder, gone := all[0], all[4]
	n.seal = 1
	founder.do(step.Rekey())
	require.True(t, Due(founder.space, n.now).Rekey, "boxes are left to be sealed")
	backup := founder.space
	for founder.gen() == 0 {
		founder.maintain()
	}
	x := rekeyBoxOf(t, gone).X // which a member may keep
	n.settle()
	require.EqualValues(t, 1, gone.gen())
	spy := gone.copyOf("spy")

	n.now = n.now.Add(2 * time.Hour)
	s, err := Restore(backup, n.now)
	require.NoError(t, err)
	founder.space, founder.retained, founder.ready = s, map[orphans.FrameName]incoming{}, nil
	for stateOf(founder.space).rhythm.restored {
		all[1].send("tick")
		for _, y := range all[1:] {
			y.sync()
			y.maintain()
		}
		founder.maintain() // it asks
		founder.sync()
		n.now = n.now.Add(time.Hour)
	}
	spy.space, spy.mailbox = gone.space, nil // it is a member until then
	founder.do(step.Remove(stateOf(gone.space).me().index))
	for range 10 {
		founder.maintain()
	}
	require.EqualValues(t, 2, founder.gen())
	d, err := newEdit(spy.space, n.now, Options{})
	require.NoError(t, err)
	tried := 0
	for _, f := range spy.frames(proto.TypeRekey) {
		p, err := proto.ParsePart(f)
		require.NoError(t, err)
		k, err := rekey.Look(d.rekeySelf(), p.Name, rekey.Source{}, p.Piece)
		require.NoError(t, err)
		require.False(t, k.Mine())
		at, ok := d.parentOf(k, slices.Collect(d.st.forest.All()))
		require.True(t, ok)
		f, _, err := d.st.forest.Enter(at.path, epochs.Reading{Own: d.share, Now: d.age()})
		require.NoError(t, err)
		c := at.notice.Common
		_, _, err = f.Rekeyed(epochs.RekeyRoot{
			Root:   epochs.Root{ID: at.notice.Root(), Generation: c.Rekey, Depth: c.Depth, Public: c.Public},
			Parent: c.Parent, Place: c.Place(), Check: at.notice.Check,
		}, x, d.share, d.age())
		require.Error(t, err, "who was removed opens the new root")
		tried++
	}
	require.Equal(t, 1, tried, "it holds the parent")
}

// A ticket for a request that was made before the backup brings no restored member up to date: it may be as old, and what is sent in its
// epochs may be lost. The member says nothing when it merges it, nor before a ticket answers what it asks at the end of its backlog (§8).
func TestOldTicketDoesNotCount(t *testing.T) {
	n := newNetwork(t, 83)
	founder := n.found(rules.Policy{})
	m := n.member(founder, "m")
	require.NoError(t, m.edit(func(d *edit) error {
		require.True(t, d.askAgain())
		return nil
	}))
	backup := m.space
	for range 60 { // until it is the founder's turn
		n.now = n.now.Add(time.Minute)
		founder.sync()
		founder.maintain()
	}
	require.True(t, slices.ContainsFunc(m.mailbox, func(f incoming) bool { return f.data[0]&0xf == byte(proto.TypeTicket) }))

	n.now = n.now.Add(20 * 24 * time.Hour)
	s, err := Restore(backup, n.now)
	require.NoError(t, err)
	m.space, m.retained, m.ready = s, map[orphans.FrameName]incoming{}, nil
	require.True(t, Due(m.space, n.now).Fetch)
	posts := n.posts
	silent := func() {
		require.ErrorIs(t, m.say("early"), ErrPhase)
		require.False(t, Due(m.space, n.now).Send, "nothing can be sent now")
	}
	m.inOrder()
	require.True(t, stateOf(m.space).asking.Value().Merged())
	m.maintain()
	require.Equal(t, posts, n.posts)
	require.True(t, Due(m.space, n.now).Fetch)
	silent()
	m.sync()
	require.False(t, Due(m.space, n.now).Fetch)
	require.True(t, Due(m.space, n.now).Ask)
	silent()
	m.maintain()
	require.Equal(t, posts+1, n.posts, "the request")
	silent()
	n.settle()
	m.send("now")
	n.settle()
	require.Contains(t, founder.texts(), "2: now")
}

// An owner that was restored makes no rekey before it was brought up to date, since the members may be others, or for a day (§8). That also
// holds if it knows of nobody else.
func TestRestoredOwnerReadsBeforeItRekeys(t *testing.T) {
	for _, alone := range []bool{true, false} {
		n := newNetwork(t, 84)
		founder := n.found(rules.Policy{})
		if !alone {
			n.member(founder, "m")
			n.now = n.now.Add(2 * time.Hour)
		}
		founder.restored(founder.space)
		require.ErrorIs(t, founder.try(step.Rekey()), ErrPhase)
		founder.sync()
		require.ErrorIs(t, founder.try(step.Rekey()), ErrPhase)
		require.False(t, Due(founder.space, n.now).Rekey)
		if n.settle(); alone {
			require.ErrorIs(t, founder.try(step.Rekey()), ErrPhase)
			n.now = n.now.Add(24 * time.Hour)
			n.settle()
		}
		founder.send("it sends")
		require.NoError(t, founder.try(step.Rekey()))
	}
}

// sendsIn returns the epoch in which a device sends.
func (x *node) sendsIn() proto.EpochID {
	e, _ := stateOf(x.space).forest.Preferred()
	return e.ID()
}

// rekeyBoxOf returns what the box of a rekey says that lies in a device's mailbox.
func rekeyBoxOf(t *testing.T, x *node) proto.RekeyBox {
	d, err := newEdit(x.space, x.net.now, Options{})
	require.NoError(t, err)
	for _, f := range x.mailbox {
		if p, err := proto.ParsePart(f.data); err == nil && p.Type == proto.TypeRekey {
			k, err := rekey.Look(d.rekeySelf(), p.Name, rekey.Source{}, p.Piece)
			require.NoError(t, err)
			box, _, ok := k.OwnBox(d.rekeySelf())
			require.True(t, ok)
			return box
		}
	}
	require.Fail(t, "no rekey in the mailbox")
	return proto.RekeyBox{}
}

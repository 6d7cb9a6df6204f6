package ratchet

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/orphans"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
)

// A private inbox key is erased a week after a root was entered by it and a newer one was said: who seizes the device later opens no box
// of that rekey. The public half of the first one stays, which others know.
func TestInboxKeysAreErased(t *testing.T) {
	n := newNetwork(t, 60)
	founder := n.found(rules.Policy{})
	m := n.member(founder, "m")
	n.settle()
	var keys []suite.KEMSecret
	for _, k := range stateOf(m.space).me().inboxes {
		keys = append(keys, k.secret)
	}
	require.NotEmpty(t, keys)
	founder.do(step.Rekey())
	n.settle()
	for range 12 {
		for _, x := range []*node{m, founder} {
			require.NoError(t, x.edit(func(d *edit) error {
				d.st.rhythm.commit = true
				return d.say(inner("on"))
			}))
			for _, y := range n.all {
				y.sync()
				y.maintain()
			}
		}
		n.now = n.now.Add(23 * time.Hour)
	}
	held := stateOf(m.space).me().inboxes
	require.True(t, held[0].secret.IsZero())
	require.True(t, held[0].secret.Public.Equal(keys[0].Public))
	for _, k := range keys {
		for _, h := range held {
			require.False(t, !h.secret.IsZero() && h.secret.Public.Equal(k.Public), "an old key is held")
		}
	}
	m.restart()
	founder.do(step.Rekey())
	n.settle()
	require.EqualValues(t, 2, m.gen())
}

// A member that was restored from a copy which is older than its last inbox key cannot open its box. It asks with a new key, to which an
// owner boxes its share.
func TestRestoredMemberAfterARekey(t *testing.T) {
	n, all := five(t, 61)
	m := all[2]
	backup := m.space
	require.NoError(t, m.edit(func(d *edit) error {
		d.st.rhythm.commit = true
		news := d.st.news.Value()
		news.updatedAt -= updateEvery
		d.setNews(news)
		return d.say(inner("new inbox key"))
	}))
	n.settle()
	m.offline = true
	all[0].do(step.Rekey())
	n.settle()
	s, err := Restore(backup, n.now)
	require.NoError(t, err)
	m.space, m.retained, m.events, m.offline = s, map[orphans.FrameName]incoming{}, nil, false
	for range 7 {
		all[1].send("in the new root")
		n.settle()
		n.now = n.now.Add(2 * time.Hour)
	}
	require.EqualValues(t, 1, m.gen())
	n.forget()
	m.send("back")
	n.settle()
	require.Len(t, all[0].texts(), 1)
}

// Whoever came by an invite that the dealer could not issue again, and of whom it had not heard, is listed by the next rekey, which the
// dealer makes once it reads it.
func TestUncoveredIsListed(t *testing.T) {
	n, all := five(t, 62)
	founder := all[0]
	var made invite.Made
	founder.do(step.NewInvite(invite.Private(0), &made))
	n.settle()
	founder.offline = true
	x := n.join(made.Link, "x")
	n.settle()
	x.send("in the old root")
	late := founder.mailbox
	founder.mailbox = nil
	require.NoError(t, founder.edit(func(d *edit) (err error) {
		d.ev, err = d.ev.EndOffer(made.Name)
		return err
	}))
	founder.do(step.Rekey())
	n.settle()
	founder.offline, founder.mailbox = false, append(founder.mailbox, late...)
	for range 4 {
		n.settle()
		n.now = n.now.Add(time.Hour)
	}
	require.EqualValues(t, 2, founder.gen())
	require.EqualValues(t, 2, x.gen())
	n.forget()
	x.send("listed")
	n.settle()
	for _, y := range all {
		require.Len(t, y.texts(), 1, y.name)
	}
}

package ratchet

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/orphans"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/rules"
)

// A binding that gave way to others before it was introduced makes nobody send for ever.
func TestNobodyToIntroduce(t *testing.T) {
	n := newNetwork(t, 33)
	founder := n.found(rules.Policy{})
	m := n.member(founder, "m")
	require.False(t, Due(m.space, n.now).Send)
	require.NoError(t, m.edit(func(d *edit) error {
		news := d.st.news.Value()
		news.introduce = []proto.Maker{{Index: 77, Key: d.st.me().signing.Public}}
		d.setNews(news)
		return nil
	}))
	require.False(t, Due(m.space, n.now).Send)
	m.send("text")
	require.Empty(t, stateOf(m.space).news.Value().introduce)
}

// What is not retained any more is not to be tried.
func TestReadyNamesWhatIsRetained(t *testing.T) {
	n := newNetwork(t, 35)
	require.NoError(t, n.found(rules.Policy{}).edit(func(d *edit) error {
		d.retry(orphans.FrameName{1})
		require.Empty(t, d.retried())
		return nil
	}))
}

// A line that is too long for one message is carried to its end by the next ones.
func TestLongLineIsCarriedInPieces(t *testing.T) {
	n := newNetwork(t, 34)
	founder := n.found(rules.Policy{})
	from, _ := stateOf(founder.space).forest.Preferred()
	for range 30 {
		require.NoError(t, founder.edit(func(d *edit) error { d.st.rhythm.commit = true; return d.say(proto.Inner{}) }))
	}
	to, _ := stateOf(founder.space).forest.Preferred()
	n.frame = 12 << 10
	require.NoError(t, founder.edit(func(d *edit) error {
		d.setLines(d.st.lines.Value().with(line{from.ID(), to.ID(), 1}))
		return nil
	}))
	carried := 0
	for range 5 {
		require.NoError(t, founder.edit(func(d *edit) error {
			if err := d.say(proto.Inner{Plaintext: []byte("x")}); err != nil {
				return err
			}
			env, err := proto.ParseEnvelope(d.frames[len(d.frames)-1])
			for _, w := range env.Others {
				carried += len(w)
			}
			return err
		}))
	}
	require.Equal(t, 30, carried)
	require.Empty(t, stateOf(founder.space).lines.Value().list)
}

// A deferred request whose frame was given up because of a bound is not due, and one that came while the clock was ahead is answered.
func TestDeferredRequests(t *testing.T) {
	n := newNetwork(t, 35)
	founder := n.found(rules.Policy{})
	l := founder.invite(invite.Private(0))
	x := n.join(l, "x")
	require.Len(t, founder.mailbox, 1)
	request := founder.mailbox[0]
	founder.mailbox = nil
	began := n.now
	n.now = began.Add(100 * time.Hour)
	founder.receive(request)
	require.Len(t, founder.retained, 1)
	lost := founder.space
	n.now = began
	require.NoError(t, founder.edit(func(d *edit) error { d.caughtUp(); return nil }))
	n.now = began.Add(2 * time.Minute)
	require.True(t, Due(founder.space, n.now).Answer)
	founder.receive(request)
	require.NotEmpty(t, x.mailbox, "a ticket")

	founder.space = lost.WithState(lost.State().Forget(request.name))
	require.False(t, Due(founder.space, began.Add(101*time.Hour)).Answer)
}

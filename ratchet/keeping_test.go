package ratchet

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/internal/orphans"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
	"github.com/trefoil-im/trefoil/state"
)

// maintain does what is due, and reads what became ready.
func (p *peer) maintain() {
	require.NoError(p, p.update(Maintain(p.options())))
	_, err := p.vault.Retry(p.Context(), p.id, Opener(p.options()))
	require.NoError(p, err)
	p.drain()
}

// caughtUp says that a peer reached the end of its mailbox.
func (p *peer) caughtUp() { require.NoError(p, p.update(CaughtUp(p.options()))) }

// hours lets time go by, hour by hour or day by day: mailboxes are read to their end, and what is due is done and delivered.
func (g *group) hours(n int) { g.steps(n, time.Hour) }
func (g *group) days(n int)  { g.steps(n, 24*time.Hour) }

func (g *group) steps(n int, step time.Duration) {
	for range n {
		g.pass(step)
		for _, p := range g.peers {
			p.caughtUp()
			p.maintain()
			for _, f := range p.take() {
				g.all(p, f)
			}
		}
	}
}

// A member that only reads commits all the same, and once more if nobody was read below it within an hour (§5).
func TestSilentMemberHeals(t *testing.T) {
	g := newGroup(t, 2, rules.Policy{})
	silent := g.peers[1]
	own := func() (n int) {
		for e := range silent.state().forest.All() {
			if e.Maker() == silent.state().me().maker() {
				n++
			}
		}
		return n
	}
	for range 6 {
		g.hours(24)
		g.say(g.peers[0], "daily")
	}
	require.Zero(t, own(), "not before the interval is over")
	g.hours(3 * 24)
	require.NotZero(t, own())
	g.agree()
}

func TestSilentMemberCommitsOnceMore(t *testing.T) {
	g := newGroup(t, 2, rules.Policy{})
	silent := g.peers[1]
	var frames int
	for range 10 * 24 { // nobody hears it
		g.pass(time.Hour)
		silent.caughtUp()
		silent.maintain()
		frames += len(silent.take())
	}
	require.Equal(t, 2, frames, "a commit, and one more an hour later")
}

// What one member writes is held up by no bound as long as others send what is due (D16, D48).
func TestOneWriterIsNotHeldUp(t *testing.T) {
	g := newGroup(t, 2, rules.Policy{})
	writer, read := g.peers[0].space(), g.peers[1].space()
	const all, most = 258, 256
	var frames [][]byte
	for k := range all {
		next, f, err := Encrypt(due(writer), g.now, fmt.Append(nil, k))
		require.NoError(t, err)
		if writer = next; k < most {
			read, _, err = Decrypt(read, g.now, f[0])
			require.NoError(t, err)
		}
		frames = append(frames, f[0])
	}
	reader := g.newPeer(read)
	for _, f := range frames[most:] {
		require.Equal(t, state.Retain, reader.receive(f, "1").Verdict)
	}
	g.pass(15 * time.Minute)
	reader.maintain()
	require.Equal(t, []string{"256", "257"}, reader.texts())
}

// A restored member reads its backlog first, asks for a ticket, sends below a commit of its own, and says that it is itself (§8).
func TestRestoreGoesOn(t *testing.T) {
	g := newGroup(t, 3, rules.Policy{})
	p := g.peers[1]
	g.say(p, "one")
	backup := p.space()
	g.say(p, "two")
	lost := p.send("three, which the others have")
	g.all(p, lost)
	g.say(g.peers[0], "read by the lost state")

	restored, err := Restore(backup, g.now)
	require.NoError(t, err)
	require.True(t, Due(restored, g.now).Fetch)
	g.peers[1] = g.newPeer(restored)
	q := g.peers[1]
	require.ErrorIs(t, q.update(Send(q.options(), []byte("too early"))), ErrPhase)
	require.ErrorIs(t, q.update(Do(q.options(), step.SetTitle([]byte("too early")))), ErrPhase)
	require.NoError(t, q.update(Maintain(q.options())))
	require.Empty(t, q.take())
	q.receive(lost, "")
	require.ErrorIs(t, q.update(Send(q.options(), []byte("there may be more to read"))), ErrPhase)
	require.NoError(t, q.update(CaughtUp(q.options())))
	require.Equal(t, []string{"three, which the others have"}, q.texts())
	require.True(t, q.sees(Conflict))
	require.ErrorIs(t, q.update(Send(q.options(), []byte("nobody has brought it up to date"))), ErrPhase)
	require.NoError(t, q.update(Maintain(q.options())))
	for _, f := range q.take() { // the request
		g.all(q, f)
	}
	for _, o := range []*peer{g.peers[0], g.peers[2]} {
		require.NoError(t, o.update(CaughtUp(o.options())))
		o.maintain()
		for _, f := range o.take() {
			q.receive(f, "")
		}
	}
	require.False(t, q.sees(Impersonated))
	for _, f := range q.take() {
		g.all(q, f)
	}
	g.say(q, "back again")
	for _, o := range []*peer{g.peers[0], g.peers[2]} {
		require.Contains(t, o.texts(), "back again")
		require.False(t, o.sees(Conflict))
	}
	g.say(g.peers[2], "to all")
	require.Contains(t, q.texts(), "to all")
	g.agree()
}

// A message that nothing opens waits 30 days by the pruning clock, and is then discarded as too late.
func TestRetainedFrameExpires(t *testing.T) {
	g := newGroup(t, 2, rules.Policy{})
	p, stranger := g.peers[0], newGroup(t, 2, rules.Policy{}).peers[0]
	frame := stranger.send("of another space")
	require.Equal(t, state.Retain, p.receive(frame, "").Verdict)
	hash := orphans.FrameName(state.Frame{Data: frame}.Hash())
	_, noted := p.state().orphans.Value().Get(hash)
	require.True(t, noted)
	g.days(29)
	require.ErrorIs(t, p.receive(frame, "").Reason, state.ErrRetained)
	g.days(2)
	require.ErrorIs(t, p.receive(frame, "").Reason, state.ErrSeen)
	_, noted = p.state().orphans.Value().Get(hash)
	require.False(t, noted)
}

// A frame that is given up because of a bound is forgotten by vault and space in one commit, and read when it comes again.
func TestNoGhostsOfFramesGivenUp(t *testing.T) {
	g := newGroup(t, 2, rules.Policy{})
	p := g.peers[0]
	first := untagged(0)
	require.Equal(t, state.Retain, p.receive(first, "a").Verdict)
	for k := 1; k < 65; k++ {
		require.Equal(t, state.Retain, p.receive(untagged(k), "a").Verdict)
	}
	pending, err := p.vault.Pending(t.Context(), p.id)
	require.NoError(t, err)
	frames, _ := p.state().orphans.Value().Frames()
	require.Equal(t, 64, frames)
	require.Equal(t, 64, pending.Retained)
	r := p.receive(first, "a")
	require.Equal(t, state.Retain, r.Verdict)
	require.NotErrorIs(t, r.Reason, state.ErrRetained, "it was forgotten, so it is looked at anew")
	require.NotErrorIs(t, r.Reason, state.ErrSeen)
}

// untagged returns a request under a tag that nobody knows.
func untagged(k int) []byte {
	frame := make([]byte, 1+1+16+64)
	frame[0], frame[1], frame[2], frame[3] = 0x23, 1, byte(k), byte(k>>8)
	return frame
}

// A member that was away while others made 300 commits reads on when it has the frames, in any order.
func TestPathOf300Commits(t *testing.T) {
	g := newGroup(t, 3, rules.Policy{})
	away := g.peers[2]
	var frames [][]byte
	for k := range 60 {
		p := g.peers[k%2]
		f := p.committing(fmt.Sprint(k))
		g.peers[1-k%2].receive(f, "")
		frames = append(frames, f)
	}
	for k := len(frames) - 1; k >= 0; k-- { // the last first
		away.receive(frames[k], "")
	}
	for range 5 {
		away.maintain()
	}
	require.Len(t, away.read, len(frames))
	g.agree()
}

// A frame is as long as the transport takes: a text that does not fit with what it must have is refused, the rest gives way.
func TestTextThatDoesNotFit(t *testing.T) {
	g := newGroup(t, 2, rules.Policy{})
	o := g.peers[0].options()
	o.MaxFrame = 32 << 10
	require.ErrorIs(t, g.peers[0].update(Send(o, make([]byte, 33<<10))), ErrTooLong)
	require.NoError(t, g.peers[0].update(Send(o, make([]byte, 30<<10))))
	f := g.peers[0].take()[0]
	require.LessOrEqual(t, len(f), 32<<10)
	require.Equal(t, state.Read, g.peers[1].receive(f, "").Verdict)
	require.ErrorIs(t, g.peers[0].update(Send(o, make([]byte, MaxPlaintext+1))), ErrTooLong)
}

// Padding brings messages to few lengths, and an unpadded envelope is at most 162 bytes longer than its text (SPEC §7).
func TestLengths(t *testing.T) {
	lengths := map[int]bool{}
	g := newGroup(t, 2, rules.Policy{})
	for range 9 {
		g.say(g.peers[0], "on")
	}
	for n := range 200 {
		lengths[len(encrypt(t, g.peers[0], 1000+n))] = true
	}
	require.Less(t, len(lengths), 9)
	u := newGroup(t, 2, rules.Policy{Unpadded: true})
	for range 5 {
		u.say(u.peers[0], "on")
	}
	require.Equal(t, 1024+162, len(encrypt(t, u.peers[0], 1024)))
}

func encrypt(t testing.TB, p *peer, n int) []byte {
	_, frames, err := Encrypt(p.space(), p.now, make([]byte, n))
	require.NoError(t, err)
	return frames[0]
}

// Members of one epoch export the same, and others do not.
func TestExport(t *testing.T) {
	g := newGroup(t, 2, rules.Policy{})
	export := func(p *peer, label string) []byte {
		b, epoch, err := Export(p.space(), label, []byte("context"), 32)
		require.NoError(t, err)
		require.Equal(t, p.preferred(), epoch)
		return b
	}
	first := export(g.peers[0], "call")
	require.Equal(t, first, export(g.peers[1], "call"))
	require.NotEqual(t, first, export(g.peers[1], "file"))
	g.all(g.peers[0], g.peers[0].committing("next"))
	require.NotEqual(t, first, export(g.peers[0], "call"))
	require.Equal(t, export(g.peers[0], "call"), export(g.peers[1], "call"))
	require.Equal(t, Info(g.peers[0].space()).Authenticator, Info(g.peers[1].space()).Authenticator)
}

// Time and expiry are those that the sender signed.
func TestTimeAndExpiry(t *testing.T) {
	g := newGroup(t, 2, rules.Policy{})
	require.NoError(t, g.peers[0].update(Do(g.peers[0].options(), step.Expiring([]byte("soon gone"), time.Hour))))
	g.peers[1].receive(g.peers[0].take()[0], "")
	m := g.peers[1].read[0]
	require.Equal(t, g.now.UnixMilli(), m.Sent)
	require.Equal(t, time.Hour.Milliseconds(), m.Expiry)
}

// Where nothing is due nothing changes.
func TestMaintainIsIdle(t *testing.T) {
	g := newGroup(t, 3, rules.Policy{})
	g.say(g.peers[0], "hello")
	for _, p := range g.peers {
		p.caughtUp()
	}
	g.pass(time.Minute)
	for _, p := range g.peers[1:] {
		before := p.space()
		require.Equal(t, Tasks{}, Due(before, g.now))
		p.maintain()
		require.True(t, before.Equal(p.space()))
	}
}

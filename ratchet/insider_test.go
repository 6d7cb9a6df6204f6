package ratchet

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/internal/epochs"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/state"
)

// committing returns the frame of a message below a new commit of a peer.
func (p *peer) committing(text string) []byte {
	require.NoError(p, p.update(func(tx *state.Tx[Space]) error { tx.Set(due(tx.Value())); return nil }))
	return p.send(text)
}

// backup returns a copy of a peer's state as a peer of its own, which nobody delivers to.
func (p *peer) backup() *peer { return p.newPeer(p.space()) }

// replaced returns a frame in which one commit of the own line stands instead of what there was, below a header that nothing opens:
// the sender keeps the keys for itself.
func replaced(t testing.TB, frame []byte, s proto.Sealed) []byte {
	env, err := proto.ParseEnvelope(frame)
	require.NoError(t, err)
	env.Own = proto.Way{s}
	env.Header[0] ^= 1
	return env.Frame()
}

// lastCommit returns the commit that a peer made last, and the epoch from which.
func (p *peer) lastCommit() (epochs.Epoch, proto.Shown) {
	f := p.state().forest
	e, _ := f.Preferred()
	shown, ok := e.Commit()
	require.True(p, ok)
	parent, ok := f.Epoch(e.Parent())
	require.True(p, ok)
	return parent, shown
}

// A commit whose check is false discards the frame of whose line it is, and nothing else: parent and maker are as before (§4).
func TestFalseCheckBlamesOnlyItsFrame(t *testing.T) {
	g := newGroup(t, 3, rules.Policy{})
	liar, reader := g.peers[1], g.peers[0]
	copied := liar.backup()
	frame := copied.committing("below")
	parent, shown := copied.lastCommit()
	check := shown.Commit.Check
	check[0] ^= 1
	shown.Commit = shown.Commit.Core.Sign(liar.state().me().signing, g.genesis.terms.Space(), parent.ID(), parent.Generation()+1, check)

	r := reader.receive(replaced(t, frame, parent.SealCommit(g.genesis.terms.Space(), shown)), "a")
	require.ErrorIs(t, r.Reason, ErrForged)
	require.True(t, reader.sees(Misled))
	require.Equal(t, 1, reader.state().forest.Size())
	g.all(liar, liar.committing("honest"))
	require.Equal(t, []string{"honest"}, reader.texts())
}

// One place with two checks: the second is false once the first is derived (§4 step 4).
func TestOnePlaceTwoChecks(t *testing.T) {
	g := newGroup(t, 2, rules.Policy{})
	maker, reader := g.peers[1], g.peers[0]
	frame := maker.committing("first")
	parent, shown := maker.lastCommit()
	require.Equal(t, state.Read, reader.receive(frame, "a").Verdict)
	check := shown.Commit.Check
	check[0] ^= 1
	shown.Commit = shown.Commit.Core.Sign(maker.state().me().signing, g.genesis.terms.Space(), parent.ID(), parent.Generation()+1, check)
	r := reader.receive(replaced(t, frame, parent.SealCommit(g.genesis.terms.Space(), shown)), "a")
	require.ErrorIs(t, r.Reason, ErrForged)
	require.Equal(t, state.Read, reader.receive(maker.send("second"), "a").Verdict)
}

// A pair of shares makes the proof of any member, and signs for none: what it commits for another is a false copy, which says
// nothing of anybody (§4).
func TestTwoSharesSignForNobody(t *testing.T) {
	g := newGroup(t, 4, rules.Policy{})
	thief, reader := g.peers[1], g.peers[0]
	frame := thief.backup().committing("below")
	parent, ok := thief.state().forest.Preferred()
	require.True(t, ok)
	share, err := g.genesis.poly.Share(3)
	require.NoError(t, err)
	core, _, err := proto.NewCore(g.genesis.terms.Space(), parent.ID(), g.genesis.poly.Commitment(), share)
	require.NoError(t, err)
	forged := core.Sign(thief.state().me().signing, g.genesis.terms.Space(), parent.ID(), 1, proto.Check{1})
	r := reader.receive(replaced(t, frame, parent.SealCommit(g.genesis.terms.Space(), proto.Shown{Commit: forged})), "a")
	require.Equal(t, state.Retain, r.Verdict)
	require.Equal(t, 1, reader.state().forest.Size())
	require.False(t, reader.sees(Conflict) || reader.sees(Misled))
}

// A ninth child of one maker is not entered, and what is below it waits, until another member writes below it (D13).
func TestNinthChildWaitsForAnother(t *testing.T) {
	g := newGroup(t, 3, rules.Policy{})
	maker, other, reader := g.peers[1], g.peers[2], g.peers[0]
	var ninth []byte
	for k := range 9 {
		frame := maker.backup().committing(fmt.Sprint("child ", k))
		verdict := reader.receive(frame, "a").Verdict
		if ninth = frame; k < 8 {
			require.Equal(t, state.Read, verdict)
		} else {
			require.Equal(t, state.Retain, verdict)
		}
	}
	require.Len(t, reader.texts(), 8)
	require.Equal(t, state.Read, other.receive(ninth, "a").Verdict)
	require.Equal(t, state.Read, reader.receive(other.send("below the ninth"), "b").Verdict)
	require.Equal(t, []string{"below the ninth", "child 8"}, reader.texts())
}

// A thief that holds all that a member held and only listens reads nothing below that member's next commit (docs/SECURITY.md).
func TestThiefReadsNothingBelowACommit(t *testing.T) {
	g := newGroup(t, 3, rules.Policy{})
	victim, thief := g.peers[1], g.peers[1].backup()
	f := g.peers[0].send("before")
	thief.receive(f, "")
	victim.receive(f, "")
	require.Equal(t, []string{"before"}, thief.texts())
	f = victim.committing("healed")
	g.all(victim, f)
	thief.receive(f, "")
	for _, p := range []*peer{g.peers[0], g.peers[2], victim} {
		f := p.send("after")
		g.all(p, f)
		thief.receive(f, "")
	}
	g.pass(40 * time.Hour)
	f = g.peers[0].send("a day later")
	g.all(g.peers[0], f)
	thief.receive(f, "")
	require.Empty(t, thief.texts())
	require.Equal(t, 1, thief.state().forest.Size())
}

// A thief that commits 100 times from an old epoch takes 8 places there; everybody reads on, and the member is told (D13, D16).
func TestHundredCommitsFromAnOldEpoch(t *testing.T) {
	g := newGroup(t, 3, rules.Policy{})
	victim, stolen := g.peers[1], g.peers[1].space()
	for _, p := range g.peers {
		g.all(p, p.committing("on"))
	}
	for k := range 100 {
		_, frames, err := Encrypt(due(stolen), g.now, fmt.Append(nil, "thief ", k))
		require.NoError(t, err)
		g.all(nil, frames[0])
	}
	require.True(t, victim.sees(Impersonated))
	g.say(g.peers[0], "still here")
	for _, p := range g.peers[1:] {
		require.Contains(t, p.texts(), "still here")
		require.LessOrEqual(t, p.state().forest.Size(), 4+8)
	}
	g.agree()
}

// Two bodies behind one header are two messages with two IDs (D69).
func TestMessageIDCoversTheText(t *testing.T) {
	g := newGroup(t, 3, rules.Policy{})
	d, err := newEdit(g.peers[0].space(), g.now, Options{})
	require.NoError(t, err)
	e, r, _ := d.preferred()
	l, err := d.newLetter(e, r, proto.Inner{Plaintext: []byte("one")})
	require.NoError(t, err)
	one, err := l.seal(&d)
	require.NoError(t, err)
	l.inner.Plaintext = []byte("two")
	two, err := l.seal(&d)
	require.NoError(t, err)
	require.Equal(t, state.Read, g.peers[1].receive(one, "").Verdict)
	require.Equal(t, state.Read, g.peers[2].receive(two, "").Verdict)
	require.NotEqual(t, g.peers[1].read[0].ID, g.peers[2].read[0].ID)
	require.ErrorIs(t, g.peers[1].receive(two, "").Reason, ErrStale, "a number read before")
}

// A body, a signature and a header that were changed.
func TestForgeries(t *testing.T) {
	g := newGroup(t, 3, rules.Policy{})
	honest := g.peers[0].send("text")
	env, err := proto.ParseEnvelope(honest)
	require.NoError(t, err)
	body := env
	body.Body = append([]byte(nil), env.Body...)
	body.Body[20] ^= 1
	require.ErrorIs(t, g.peers[1].receive(body.Frame(), "").Reason, ErrForged)

	// Another member seals a message of its own under the number and key of the founder.
	d, err := newEdit(g.peers[0].space(), g.now, Options{})
	require.NoError(t, err)
	e, r, _ := d.preferred()
	l, err := d.newLetter(e, r, proto.Inner{Plaintext: []byte("not the founder's")})
	require.NoError(t, err)
	me := g.peers[2].state().me()
	l.me = me
	forged, err := l.seal(&d)
	require.NoError(t, err)
	require.ErrorIs(t, g.peers[1].receive(forged, "").Reason, ErrForged)
	require.Equal(t, state.Read, g.peers[1].receive(honest, "").Verdict, "nothing of it used anything up")
}

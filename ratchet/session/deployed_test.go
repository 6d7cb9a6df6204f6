package session

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// What the deployed client holds goes on here.
func TestImport(t *testing.T) {
	alice, bob := settled(t, deployed)
	flying := bob.send("in flight")
	p := alice.s.Part()
	raw, err := p.threads[0].ratchet.JSON()
	require.NoError(t, err)
	r, err := ParseRatchetJSON(raw)
	require.NoError(t, err)
	moved, err := Import(alice.d, alice.other, DeployedSession{
		Ephemeral: p.threads[0].ephemeral, Ratchet: r, Mailbox: p.mailbox, Inbox: p.inbox,
		PeerMailbox: p.route.mailbox, PeerInbox: p.route.inbox})
	require.NoError(t, err)
	alice.s = moved
	alice.reads(flying, "in flight")
	out := alice.sendTo("moved")
	require.Equal(t, bob.s.Part().Mailbox(), out.To)
	bob.reads(out.Frame, "moved")

	_, err = Import(alice.d, alice.other, DeployedSession{Ephemeral: p.threads[0].ephemeral, Ratchet: r})
	require.ErrorIs(t, err, ErrNotReady)
}

// An unanswered session of the deployed client goes on repeating its initialization.
func TestImportUnanswered(t *testing.T) {
	alice, bob := started(t, deployed)
	first := alice.send("first")
	p := alice.s.Part()
	raw, err := p.threads[0].ratchet.JSON()
	require.NoError(t, err)
	r, err := ParseRatchetJSON(raw)
	require.NoError(t, err)
	alice.s, err = Import(alice.d, alice.other, DeployedSession{
		Ephemeral: p.threads[0].ephemeral, Ratchet: r, Mailbox: p.mailbox, Inbox: p.inbox})
	require.NoError(t, err)
	require.True(t, bob.reads(alice.send("second"), "second").Began)
	bob.reads(first, "first")
	alice.reads(bob.send("answer"), "answer")
}

// A responder tells a deployed peer once where it reads, in its first answer; what follows is the bare message.
func TestDeployedAnswers(t *testing.T) {
	alice, bob := started(t, deployed)
	bob.reads(alice.send("hello"), "hello")
	for i, says := range []string{`"type":"direct"`, `"protocol_identifier":512`, `"protocol_identifier":512`} {
		out := bob.sendTo(fmt.Sprint(i))
		require.Equal(t, alice.s.Part().Mailbox(), out.To)
		box, err := DeployedBox(out.Frame)
		require.NoError(t, err)
		plain, err := box.Open(alice.s.Part().inbox)
		require.NoError(t, err)
		require.Contains(t, string(plain), says)
		require.Equal(t, i == 0, len(plain) > 0 && string(plain[:24]) == `{"return_inbox_address":`)
		alice.reads(DeployedFrame(box), fmt.Sprint(i))
	}
	hybridAlice, _ := settled(t, hybrid)
	_, err := DeployedBox(hybridAlice.send("text"))
	require.ErrorIs(t, err, ErrMalformed)
}

// An initialization that says nothing of where to answer is answered at the device's own mailbox.
func TestNoReturnInbox(t *testing.T) {
	alice, bob := started(t, deployed)
	i, err := func() (initiation, error) {
		f, err := parseFrame(alice.send("hello"))
		require.NoError(t, err)
		plain, err := f.box.Open(bob.d.inbox)
		require.NoError(t, err)
		return f.initiation(plain)
	}()
	require.NoError(t, err)
	i.route = route{}
	th := alice.s.Part().threads[0]
	box, err := seal(th.ephemeralPrivate(), bob.d.inbox.Public(), i.jsonWith(SigningKey{}))
	require.NoError(t, err)
	bob.reads(DeployedFrame(box), "hello")
	out := bob.sendTo("answer")
	require.Equal(t, alice.d.Mailbox(), out.To)
	alice.reads(out.Frame, "answer")
}

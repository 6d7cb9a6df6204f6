package quorum_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/secret/secrettest"
	"github.com/trefoil-im/trefoil/ratchet/session"
	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
	"github.com/trefoil-im/trefoil/ratchet/session/quorum"
)

// party is one device with its slot for the other one.
type party struct {
	t    *testing.T
	d    session.Device
	peer directory.Peer
	s    session.Session
}

// newParties returns two devices that know each other's registration, so in the classic suite. Alice has initiated.
func newParties(t *testing.T) (alice, bob *party) {
	device := func() (session.Device, directory.Peer) {
		user, account := keypair.GenerateSigningKey(), keypair.GenerateKey[key.Account]()
		d, err := session.NewDevice(user.Public().Address(), time.Now())
		require.NoError(t, err)
		r, err := directory.NewRegistration(user.Public(), account.Public(), user.Sign, d.Entry())
		require.NoError(t, err)
		person, err := r.Verify(d.Person())
		require.NoError(t, err)
		peer, err := person.Peer(d.Identity())
		require.NoError(t, err)
		return d, peer
	}
	a, toAlice := device()
	b, toBob := device()
	var err error
	alice, bob = &party{t: t, d: a, peer: toBob}, &party{t: t, d: b, peer: toAlice}
	for _, p := range []*party{alice, bob} {
		p.s, err = session.New(p.d, p.peer)
		require.NoError(t, err)
	}
	alice.s, err = session.Initiate(alice.s, a, toBob)
	require.NoError(t, err)
	return alice, bob
}

func (p *party) send(text string) session.Outgoing {
	p.t.Helper()
	next, out, err := session.Encrypt(p.s, time.Now(), []byte(text))
	require.NoError(p.t, err)
	p.s = next
	return out
}

func (p *party) reads(frame []byte, text string) session.Received {
	p.t.Helper()
	next, r, err := session.Decrypt(p.s, p.d, frame)
	require.NoError(p.t, err)
	require.Equal(p.t, text, string(r.Plaintext()))
	p.s = next
	return r
}

// moves takes the session out and in again, as if the deployed client had it meanwhile.
func (p *party) moves() {
	p.t.Helper()
	held, err := quorum.Export(p.s)
	require.NoError(p.t, err)
	p.s, err = quorum.Import(p.d, p.peer, held)
	require.NoError(p.t, err)
}

// A session goes on after it was handed over in the deployed client's form.
func TestExportImport(t *testing.T) {
	alice, bob := newParties(t)
	bob.reads(alice.send("hello").Frame, "hello")
	alice.reads(bob.send("hello yourself").Frame, "hello yourself")
	bob.reads(alice.send("good").Frame, "good")
	flying := bob.send("in flight")
	alice.moves()
	alice.reads(flying.Frame, "in flight")
	out := alice.send("moved")
	require.Equal(t, bob.s.Part().Mailbox(), out.To)
	bob.reads(out.Frame, "moved")
	bob.moves()
	alice.reads(bob.send("moved, too").Frame, "moved, too")
}

// An unanswered session goes on repeating its initiation.
func TestImportUnanswered(t *testing.T) {
	alice, bob := newParties(t)
	first := alice.send("first")
	alice.moves()
	require.True(t, bob.reads(alice.send("second").Frame, "second").Began)
	bob.reads(first.Frame, "first")
	alice.reads(bob.send("answer").Frame, "answer")
}

// A session that is not whole is refused.
func TestImportRefuses(t *testing.T) {
	alice, bob := newParties(t)
	held, err := quorum.Export(alice.s)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		change func(*quorum.Session)
		want   error
	}{
		"no ephemeral key": {func(s *quorum.Session) { s.Ephemeral = key.PublicKey[key.Ephemeral]{} }, session.ErrMalformed},
		"no ratchet":       {func(s *quorum.Session) { s.Ratchet = nil }, session.ErrMalformed},
		"no mailbox":       {func(s *quorum.Session) { s.Mailbox = keypair.SigningKey{} }, session.ErrNotReady},
		"no inbox":         {func(s *quorum.Session) { s.Inbox = keypair.PrivateKey[key.Inbox]{} }, session.ErrNotReady},
	} {
		broken := held
		c.change(&broken)
		_, err := quorum.Import(alice.d, alice.peer, broken)
		require.ErrorIs(t, err, c.want, name)
	}
	_, err = quorum.Export(bob.s)
	require.ErrorIs(t, err, session.ErrNotReady, "there is no session yet")
}

// A responder tells a deployed client once where it reads, in its first answer; what follows is the bare message.
func TestAnswers(t *testing.T) {
	alice, bob := newParties(t)
	bob.reads(alice.send("hello").Frame, "hello")
	for i, says := range []string{`"type":"direct"`, `"protocol_identifier":512`, `"protocol_identifier":512`} {
		out := bob.send(fmt.Sprint(i))
		require.Equal(t, alice.s.Part().Mailbox(), out.To)
		sealed, err := quorum.FromFrame(out.Frame)
		require.NoError(t, err)
		held, err := quorum.Export(alice.s)
		require.NoError(t, err)
		plain, err := sealed.Open(held.Inbox)
		require.NoError(t, err)
		require.Contains(t, string(plain), says)
		require.Equal(t, i == 0, string(plain[:24]) == `{"return_inbox_address":`)
		back, err := sealed.Frame()
		require.NoError(t, err)
		require.Equal(t, out.Frame, back)
		alice.reads(back, fmt.Sprint(i))
	}
}

func TestSealed(t *testing.T) {
	inbox := keypair.GenerateKey[key.Inbox]()
	sealed, err := quorum.Seal(inbox.Public(), []byte("text"))
	require.NoError(t, err)
	plain, err := sealed.Open(inbox)
	require.NoError(t, err)
	require.Equal(t, "text", string(plain))
	_, err = sealed.Open(keypair.GenerateKey[key.Inbox]())
	require.ErrorIs(t, err, key.ErrForged)
	_, err = quorum.Sealed{Ephemeral: sealed.Ephemeral, Box: []byte("{}")}.Open(inbox)
	require.ErrorIs(t, err, key.ErrMalformed)
	_, err = quorum.Sealed{Box: sealed.Box}.Frame()
	require.ErrorIs(t, err, key.ErrMalformed)
	for _, bad := range [][]byte{nil, {1, 2}, {1, 3, 9}} {
		_, err = quorum.FromFrame(bad)
		require.ErrorIs(t, err, key.ErrMalformed)
	}
}

// G6: what is handed over shows no key when it is printed. Its Ratchet field is the keys themselves, and is not printed.
func TestG6NothingLeaks(t *testing.T) {
	alice, _ := newParties(t)
	held, err := quorum.Export(alice.s)
	require.NoError(t, err)
	secrets := [][]byte{held.Inbox.Bytes(), held.Mailbox.Seed()}
	require.NotContains(t, fmt.Sprintf("%v %+v %#v %s", held, held, held, held), string(held.Ratchet[:40]))
	held.Ratchet = nil
	secrettest.Check(t, held, secrets...)
}

package session

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/secret/secrettest"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
)

// G6: no type that holds a secret shows it, alone or inside of others.
func TestG6NothingLeaks(t *testing.T) {
	t.Parallel()
	h := newHuman(t, 1)
	d, _, err := h.devices[0].Issue(1)
	require.NoError(t, err)
	own, published := d.oneTime[0], d.preKeys.current()
	deviceSecrets := [][]byte{d.identity.Bytes(), d.preKey.Bytes(), d.inbox.Bytes(), d.mailbox.Seed(),
		published.mlkem.Expose().Bytes(), published.kem.Seed(), published.preKey.Bytes(), own.key.Bytes(), own.mlkem.Expose().Bytes()}
	secrettest.Check(t, d, deviceSecrets...)
	secrettest.Check(t, keypair.DeviceKeys{Identity: d.identity, PreKey: d.preKey, Mailbox: d.mailbox, Inbox: d.inbox}, deviceSecrets[:4]...)
	secrettest.Check(t, published.kem, deviceSecrets[5:6]...)

	secrettest.Check(t, h.person(), h.user.Seed(), h.account.Bytes())

	alice, bob := started(t, hybrid)
	for range 3 {
		alice.send("words of Alice")
	}
	bob.reads(alice.send("text"), "text")
	text := "for Bob alone"
	_, received, err := Decrypt(bob.s, bob.d, alice.send(text))
	require.NoError(t, err)
	require.Equal(t, text, string(received.Plaintext()))
	secrettest.Check(t, received, []byte(text))
	for _, p := range []*party{alice, bob} {
		pair := p.s.Part()
		r := pair.sessions.list[0].ratchet
		secrets := [][]byte{r.Own().Bytes(), pair.inbox.Bytes(), pair.mailbox.Seed(), []byte("words of Alice")}
		secrettest.Check(t, p.s, secrets...)
		secrettest.Check(t, Classic{Ratchet: r, Mailbox: pair.mailbox, Inbox: pair.inbox}, secrets...)

		// Errors say nothing either.
		_, err := parsePair(pair.marshal()[:300])
		secrettest.Check(t, err, secrets...)
		_, _, err = Decrypt(p.s, p.d, []byte("nonsense"))
		secrettest.Check(t, err, secrets...)
	}
}

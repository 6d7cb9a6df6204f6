package session

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/secret/secrettest"
)

// G6: no type that holds a secret shows it, alone or inside of others.
func TestG6NothingLeaks(t *testing.T) {
	t.Parallel()
	h := newHuman(t, 1)
	d, _, err := h.devices[0].Issue(1)
	require.NoError(t, err)
	own := d.oneTime[0]
	deviceSecrets := [][]byte{d.identity.scalar.Bytes(), d.preKey.scalar.Bytes(), d.inbox.scalar.Bytes(), d.mailbox.seed(),
		d.mlkem.Expose().Bytes(), d.kem.seed().Expose(), own.key.scalar.Bytes(), own.mlkem.Expose().Bytes()}
	secrettest.Check(t, d, deviceSecrets...)
	secrettest.Check(t, DeviceKeys{d.identity, d.preKey, d.mailbox, d.inbox}, deviceSecrets[:4]...)
	secrettest.Check(t, d.Bundle().mlkem, deviceSecrets[4:5]...)
	secrettest.Check(t, d.kem, deviceSecrets[5:6]...)

	alice, bob := started(t, hybrid)
	for range 3 {
		alice.send("skipped")
	}
	bob.reads(alice.send("text"), "text")
	for _, p := range []*party{alice, bob} {
		pair := p.s.Part()
		r := pair.threads[0].ratchet
		secrets := [][]byte{r.root.Expose(), r.own.Bytes(), r.nextReceivingHeader.key.Expose(), pair.inbox.scalar.Bytes(),
			pair.mailbox.seed(), r.sendingHeader.key.Expose()}
		if !r.sending.isZero() {
			secrets = append(secrets, r.sending.key.Expose(), r.nextSendingHeader.key.Expose())
		}
		if !r.receiving.isZero() {
			secrets = append(secrets, r.receiving.key.Expose(), r.receivingHeader.key.Expose(),
				r.skipped.buckets[0].keys[0].keys.both.Expose())
		}
		secrettest.Check(t, p.s, secrets...)
		secrettest.Check(t, r, secrets...)
		secrettest.Check(t, DeployedSession{Ratchet: r, Mailbox: pair.mailbox, Inbox: pair.inbox}, secrets...)

		// Errors say nothing either.
		raw, err := r.JSON()
		require.NoError(t, err)
		for _, bad := range [][]byte{raw[:len(raw)-1], append([]byte{'['}, raw...), raw[:90]} {
			_, err := ParseRatchetJSON(bad)
			secrettest.Check(t, err, secrets...)
		}
		_, err = parsePair(pair.marshal()[:300])
		secrettest.Check(t, err, secrets...)
		_, _, err = Decrypt(p.s, p.d, []byte("nonsense"))
		secrettest.Check(t, err, secrets...)
	}
}

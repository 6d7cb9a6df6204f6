package session

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

// What a device, or a slot, states to a server is known by its mailbox key, and by that one only.
func TestStatements(t *testing.T) {
	a, b := newHuman(t, 1), newHuman(t, 1)
	d := a.devices[0]
	s, err := New(d, b.peer(t, 0, hybrid))
	require.NoError(t, err)
	pair := s.Part()
	require.Equal(t, pair.Mailbox(), pair.MailboxKey().Address())
	statement := []byte("example/challenge\x00 at this server")
	for _, c := range []struct {
		key       key.VerifyKey
		signature []byte
	}{{d.Bundle().Mailbox(), d.Sign(statement)}, {pair.MailboxKey(), pair.Sign(statement)}} {
		require.NoError(t, c.key.VerifyStatement(statement, c.signature))
		require.NoError(t, c.key.Verify(append([]byte("trefoil/session statement\x00"), statement...), c.signature), "SPEC §18.1")
		require.ErrorIs(t, c.key.VerifyStatement(flip(statement, 0), c.signature), key.ErrUnverified)
		require.ErrorIs(t, c.key.VerifyStatement(statement, flip(c.signature, 0)), key.ErrUnverified)
		require.ErrorIs(t, c.key.Verify(statement, c.signature), key.ErrUnverified)
		require.ErrorIs(t, b.devices[0].Bundle().Mailbox().VerifyStatement(statement, c.signature), key.ErrUnverified)
	}
	require.ErrorIs(t, d.Bundle().Mailbox().VerifyStatement(statement, pair.Sign(statement)), key.ErrUnverified)
	require.ErrorIs(t, key.VerifyKey{}.VerifyStatement(statement, d.Sign(statement)), key.ErrUnverified)
}

// No statement is anything else that a mailbox key signs, whoever chose it, and nothing else is a statement.
func TestStatementsAreNothingElse(t *testing.T) {
	a, b := newHuman(t, 1), newHuman(t, 1)
	d, keys := a.devices[0], a.devices[0].preKeys.current()
	signed := map[string][2][]byte{}
	sign := func(name string) func([]byte) []byte {
		return func(message []byte) []byte {
			signature := d.mailbox.Sign(message)
			signed[name] = [2][]byte{message, signature}
			return signature
		}
	}
	directory.NewBundle(d.Identity(), d.mailbox.Public(), directory.BundleKeys{Number: keys.number, PreKey: keys.preKey.Public(),
		MLKEM: keys.mlkem.Expose().EncapsulationKey(), KEM: keys.kem.Public()}, sign("bundle"))
	d, _, err := d.Issue(1)
	require.NoError(t, err)
	directory.NewOneTimePreKey(d.Identity(), 1, d.oneTime[0].key.Public(), d.oneTime[0].mlkem.Expose().EncapsulationKey(), sign("one-time"))
	n := notice{number: 1, person: d.person, identity: d.Identity(), mailbox: d.mailbox.Public()}
	sign("notice")(n.said(b.address(), b.devices[0].Identity()))
	require.Len(t, signed, 3)
	for name, s := range signed {
		message, signature := s[0], s[1]
		require.NoError(t, d.mailbox.Public().Verify(message, signature), name)
		require.ErrorIs(t, d.mailbox.Public().VerifyStatement(message, signature), key.ErrUnverified, name)
		for cut := range message { // what stands before is the label, or a part of it
			require.NotEqual(t, message, key.Statement(message[cut:]), name)
		}
		require.ErrorIs(t, d.mailbox.Public().Verify(message, d.Sign(message)), key.ErrUnverified, name)
	}
}

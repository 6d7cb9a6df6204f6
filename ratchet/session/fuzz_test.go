package session

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/wire/wiretest"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/box"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/frame"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/quorumtest"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
	"github.com/trefoil-im/trefoil/state"
)

func FuzzContent(f *testing.F) {
	alice, _ := newPair(f, hybrid)
	p := alice.s.Part()
	type content struct {
		route route
		text  []byte
	}
	wiretest.Fuzz(f, func(b []byte) (c content, err error) {
		c.route, c.text, err = parseContent(b)
		return c, err
	}, func(c content) []byte {
		p := p
		if c.route.isZero() {
			return p.content(false, c.text)
		}
		out := append([]byte{contentRoute}, c.route.mailbox[:]...)
		return append(append(out, c.route.inbox.Bytes()...), c.text...)
	}, p.content(true, []byte("text")), p.content(false, []byte("text")))
}

func FuzzInitiation(f *testing.F) {
	e := keypair.GenerateKey[key.Ephemeral]().Public()
	alice, bob := started(f, hybrid)
	in, err := frame.Parse(alice.send("text"))
	require.NoError(f, err)
	plain, err := in.Box.Open(bob.d.inbox)
	require.NoError(f, err)
	wiretest.Fuzz(f, func(b []byte) (initiation, error) { return parseInitiation(e, b) }, initiation.marshal, plain)
}

func FuzzStoredPair(f *testing.F) {
	var seeds [][]byte
	for _, suite := range []suite{classic, hybrid} {
		alice, bob := started(f, suite)
		seeds = append(seeds, alice.s.Part().marshal(), bob.s.Part().marshal())
		bob.reads(alice.send("text"), "text")
		bob.initiate()
		seeds = append(seeds, bob.s.Part().marshal())
	}
	wiretest.Fuzz(f, parsePair, Pair.marshal, seeds...)
}

func FuzzStoredDevice(f *testing.F) {
	d, _, err := newHuman(f, 1).devices[0].Issue(2)
	require.NoError(f, err)
	wiretest.Fuzz(f, parseDevice, Device.marshal, d.marshal())
}

func FuzzInitiationJSON(f *testing.F) {
	e := keypair.GenerateKey[key.Ephemeral]().Public()
	mailbox := keypair.GenerateSigningKey()
	alice, bob := started(f, classic)
	in, err := frame.Parse(alice.send("text"))
	require.NoError(f, err)
	plain, err := in.Box.Open(bob.d.inbox)
	require.NoError(f, err)
	quorumtest.FuzzJSON(f, func(in []byte) (initiation, error) { return parseInitiationJSON(e, in) },
		func(i initiation) []byte { return i.jsonWith(mailbox) }, plain)
}

// FuzzDecrypt gives any bytes to a session with the device's keys: no panic, no change, and a verdict.
func FuzzDecrypt(f *testing.F) {
	_, bob := settled(f, hybrid)
	_, weak := settled(f, classic)
	f.Add([]byte{1, frame.Message})
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, p := range []*party{bob, weak} {
			next, _, err := Decrypt(p.s, p.d, in)
			require.Error(t, err)
			require.NotEqual(t, state.Stop, state.VerdictOf(err))
			require.True(t, next.Equal(p.s))
			_, err = p.d.Claim(in)
			require.Error(t, err)
		}
	})
}

// FuzzDecryptContent gives any bytes to a session inside a box that opens: from a peer that is hostile.
func FuzzDecryptContent(f *testing.F) {
	_, bob := settled(f, hybrid)
	_, weak := settled(f, classic)
	f.Add([]byte(`{"type":"direct","message":""}`), true)
	f.Add([]byte(`{"protocol_identifier":512}`), true)
	f.Add([]byte{hybridVersion}, false)
	f.Fuzz(func(t *testing.T, in []byte, asJSON bool) {
		for _, p := range []*party{bob, weak} {
			fr := frame.Frame{Kind: frame.Initiation}
			if asJSON {
				fr.Kind = frame.Classic
			}
			var err error
			if fr.Box, err = box.Seal(p.d.inbox.Public(), in); err != nil {
				return
			}
			next, _, err := Decrypt(p.s, p.d, fr.Marshal())
			require.Error(t, err)
			require.NotEqual(t, state.Stop, state.VerdictOf(err))
			require.True(t, next.Equal(p.s))
			_, _ = p.d.Claim(fr.Marshal())
		}
	})
}

package session

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/wire/wiretest"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/box"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/frame"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/gaps"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/quorumtest"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
	"github.com/trefoil-im/trefoil/state"
)

func FuzzContent(f *testing.F) {
	alice, _ := newPair(f, hybrid)
	wiretest.Fuzz(f, parseContent, content.marshal, content{number: 1, text: []byte("text")}.marshal(),
		content{number: 2, read: 3, givenUp: 1, isCopy: true, route: alice.s.Part().home()}.marshal())
}

func FuzzNotice(f *testing.F) {
	alice, bob := settled(f, hybrid)
	n := notice{number: 1, person: alice.d.person, identity: alice.d.Identity(), mailbox: alice.d.mailbox.Public(),
		sessions: [][seenNameSize]byte{{1}}, above: 9, missing: []gaps.Range{{From: 1, To: 2}, {From: 4, To: 4}}}
	wiretest.Fuzz(f, parseNotice, notice.marshal, n.sign(bob.d.person, bob.d.Entry(), alice.d.mailbox).marshal())
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

func FuzzStoredPerson(f *testing.F) {
	wiretest.Fuzz(f, parsePerson, Person.marshal, newHuman(f, 1).person().marshal())
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
			_, err = claimIn(in, p.d)
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
		kinds := []uint8{frame.Initiation, frame.Notice}
		if asJSON {
			kinds = []uint8{frame.Classic}
		}
		for i, p := range []*party{bob, weak, bob, weak} {
			fr := frame.Frame{Kind: kinds[i/2%len(kinds)]}
			var err error
			if fr.Box, err = box.Seal(p.d.inbox.Public(), in); err != nil {
				return
			}
			next, _, err := Decrypt(p.s, p.d, fr.Marshal())
			require.Error(t, err)
			require.NotEqual(t, state.Stop, state.VerdictOf(err))
			require.True(t, next.Equal(p.s))
			_, _ = claimIn(fr.Marshal(), p.d)
		}
	})
}

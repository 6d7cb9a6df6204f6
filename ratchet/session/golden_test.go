package session

import (
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/double"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/gaps"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/quorumtest"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden returns the pinned sample of a format, after writing it anew if that was asked for.
func golden(t *testing.T, name string, sample []byte) []byte {
	path := filepath.Join("testdata", name+".golden")
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(hex.EncodeToString(sample)+"\n"), 0o644))
	}
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	b, err := hex.DecodeString(strings.TrimSpace(string(text)))
	require.NoError(t, err)
	require.NotEmpty(t, b)
	return b
}

// G28: what was stored and sent in the formats of 2026-11 is read and means the same: a device and its session, with an old
// one beside it and skipped keys, read the frames that were in flight.
func TestG28GoldenFormats(t *testing.T) {
	a, b := newHuman(t, 1), newHuman(t, 1)
	device, keys, err := b.devices[0].Issue(2)
	require.NoError(t, err)
	b.devices[0] = device
	alice, bob := &party{t: t, d: a.devices[0]}, &party{t: t, d: device, other: a.peer(t, 0, hybrid)}
	alice.other, err = b.peer(t, 0, hybrid).WithOneTime(keys[0])
	require.NoError(t, err)
	alice.s, err = New(alice.d, alice.other)
	require.NoError(t, err)
	bob.s, err = New(bob.d, bob.other)
	require.NoError(t, err)
	alice.initiate()
	skipped := alice.send("skipped")
	bob.reads(alice.send("first"), "first")
	alice.reads(bob.send("answer"), "answer")
	message := alice.send("message")
	alice.other = b.peer(t, 0, hybrid)
	alice.initiate()
	renewed := alice.send("renewed")

	weakAlice, weakBob := started(t, classic)
	classicFrame := weakAlice.send("deployed")

	bundle, err := device.Bundle().MarshalBinary()
	require.NoError(t, err)
	oneTime, err := keys[1].MarshalBinary()
	require.NoError(t, err)

	pinned, err := parseDevice(golden(t, "device", device.marshal()))
	require.NoError(t, err)
	pair, err := parsePair(golden(t, "pair", bob.s.Part().marshal()))
	require.NoError(t, err)
	bob.d, bob.s = pinned, bob.s.With(pair)
	bob.reads(golden(t, "frame-message", message), "message")
	bob.reads(golden(t, "frame-initiation", skipped), "skipped")
	require.True(t, bob.reads(golden(t, "frame-initiation-renewed", renewed), "renewed").Began)

	weakDevice, err := parseDevice(golden(t, "device-classic", weakBob.d.marshal()))
	require.NoError(t, err)
	weakPair, err := parsePair(golden(t, "pair-classic", weakBob.s.Part().marshal()))
	require.NoError(t, err)
	weakBob.d, weakBob.s = weakDevice, weakBob.s.With(weakPair)
	weakBob.reads(golden(t, "frame-classic", classicFrame), "deployed")

	n := notice{number: 7, person: bob.d.person, identity: bob.d.Identity(), mailbox: bob.d.mailbox.Public(),
		sessions: [][seenNameSize]byte{{1}, {2}}, above: 9, missing: []gaps.Range{{From: 2, To: 3}}}
	told, err := parseNotice(golden(t, "notice", n.sign(alice.d.person, alice.d.Entry(), bob.d.mailbox).marshal()))
	require.NoError(t, err)
	require.Equal(t, []any{n.number, n.sessions, n.above, n.missing}, []any{told.number, told.sessions, told.above, told.missing})

	preKeys, err := directory.NewPreKeys(device.Bundle()).Add(keys...)
	require.NoError(t, err)
	stored, err := preKeys.MarshalBinary()
	require.NoError(t, err)
	preKeys, err = directory.ParsePreKeys(golden(t, "pre-keys", stored))
	require.NoError(t, err)
	require.Equal(t, 2, preKeys.Len())

	// The bundle and the one-time pre-key are those of the pinned device.
	vouching := &human{user: keypair.GenerateSigningKey(), account: keypair.GenerateKey[key.Account](), devices: []Device{pinned}}
	shown, err := directory.ParseBundle(golden(t, "bundle", bundle))
	require.NoError(t, err)
	peer, err := vouching.verified(t).WithBundle(shown)
	require.NoError(t, err)
	claimed, err := directory.ParseOneTimePreKey(golden(t, "one-time", oneTime))
	require.NoError(t, err)
	_, err = peer.WithOneTime(claimed)
	require.NoError(t, err)
	require.Equal(t, uint32(2), claimed.ID())
}

// The sizes that the documentation names.
func TestSizes(t *testing.T) {
	_, keys, err := newHuman(t, 1).devices[0].Issue(1)
	require.NoError(t, err)
	require.Len(t, quorumtest.Must(keys[0].MarshalBinary()), 1417)
	require.Len(t, quorumtest.Must(newHuman(t, 1).devices[0].Bundle().MarshalBinary()), 2690)
	require.Equal(t, 241, double.MessageOverhead)
	alice, bob := settled(t, hybrid)
	require.Len(t, alice.send(""), 260)
	require.Less(t, len(bob.s.Part().marshal()), 2<<10)
	alice.initiate()
	require.Len(t, alice.send(""), 1688)
}

package double

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha512"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/quorumtest"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
)

func TestQuorumDouble(t *testing.T) {
	type step struct {
		Receiver      string
		StateBefore   string `json:"state_before"`
		Envelope      string
		Plaintext     string
		StateAfter    string `json:"state_after"`
		UpstreamError string `json:"upstream_error"`
	}
	file := quorumtest.Load[struct {
		About    string
		Sessions []struct {
			SenderIdentity   quorumtest.Pair `json:"sender_identity"`
			SenderEphemeral  quorumtest.Pair `json:"sender_ephemeral"`
			ReceiverIdentity quorumtest.Pair `json:"receiver_identity"`
			ReceiverPreKey   quorumtest.Pair `json:"receiver_prekey"`
			StateSender      string          `json:"initial_state_sender"`
			StateReceiver    string          `json:"initial_state_receiver"`
			Steps            []step
		}
	}](t, "double.json")
	steps, unread := 0, 0
	for _, v := range quorumtest.All(t, file.Sessions) {
		a, e := quorumtest.Private[key.Identity](t, v.SenderIdentity), quorumtest.Private[key.Ephemeral](t, v.SenderEphemeral)
		b, s := quorumtest.Private[key.Identity](t, v.ReceiverIdentity), quorumtest.Private[key.PreKey](t, v.ReceiverPreKey)
		agreed := agreedWith(t, a, e, b.Public(), s.Public())
		sender, err := StartSending(Classic, agreed, e, s.Public())
		require.NoError(t, err)
		requireState(t, v.StateSender, sender)
		requireState(t, v.StateReceiver, StartReceiving(Classic, agreed, s, e.Public()))

		for i, v := range quorumtest.All(t, v.Steps) {
			before, err := ParseJSON([]byte(v.StateBefore))
			require.NoError(t, err)
			requireState(t, v.StateBefore, before)
			m, err := ParseMessageJSON([]byte(v.Envelope))
			require.NoError(t, err)
			require.JSONEq(t, v.Envelope, string(m.JSON()))

			after, plaintext, err := before.Decrypt(m)
			require.NoError(t, err, "step %d", i)
			require.Equal(t, v.Plaintext, string(plaintext))
			requireState(t, v.StateBefore, before)
			_, _, err = after.Decrypt(m)
			require.Error(t, err, "G16: step %d is read twice", i)
			steps++
			if v.UpstreamError != "" {
				unread++
				continue
			}
			requireAfter(t, v.StateAfter, before, after, m)
		}
	}
	t.Logf("%d messages, of which the peer could not read %d", steps, unread)
}

// agreedWith is X3DH as the initiator computes it, written here once more so that the vectors judge the ratchet alone.
func agreedWith(t testing.TB, a keypair.PrivateKey[key.Identity], e keypair.PrivateKey[key.Ephemeral],
	identity key.PublicKey[key.Identity], preKey key.PublicKey[key.PreKey]) secret.Bytes {
	ikm := bytes.Repeat([]byte{0xff}, 57)
	add := func(dh secret.Bytes, err error) {
		require.NoError(t, err)
		ikm = append(ikm, dh.Expose()...)
	}
	add(keypair.Agree(a, preKey))
	add(keypair.Agree(e, identity))
	add(keypair.Agree(e, preKey))
	b, err := hkdf.Key(sha512.New, ikm, make([]byte, AgreedSize), "quilibrium-x3dh", AgreedSize)
	require.NoError(t, err)
	return secret.Own(b)
}

// requireState checks that a ratchet is written as it was recorded.
func requireState(t testing.TB, recorded string, r Ratchet) {
	t.Helper()
	ours, err := r.JSON()
	require.NoError(t, err)
	require.JSONEq(t, recorded, string(ours))
}

// requireAfter compares the state after a message with what was recorded, down to what follows from the key that the peer
// drew: that key is put in place of ours. The one skipped key that the message used is erased here and kept there.
func requireAfter(t testing.TB, recorded string, before, after Ratchet, m Message) {
	t.Helper()
	peer, err := ParseJSON([]byte(recorded))
	require.NoError(t, err)
	if after.stepPending {
		after.own = peer.own
	}
	h, opened, err := before.openHeader(m)
	require.NoError(t, err)
	if _, _, used := before.skipped.find(opened, h.n); used {
		b, i, ok := peer.skipped.find(opened, h.n)
		require.True(t, ok)
		peer.skipped = peer.skipped.without(b, i)
	}
	want, err := peer.JSON()
	require.NoError(t, err)
	got, err := after.JSON()
	require.NoError(t, err)
	require.JSONEq(t, string(want), string(got))
}

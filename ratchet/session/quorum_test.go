package session

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The tests in this file read transcripts of a deployed peer: those in testdata/quorum, or in the folder that the variable
// TREFOIL_VECTORS names.

// loadQuorum reads one file of transcripts; a field that is not known is fatal.
func loadQuorum[T any](t testing.TB, name string) (v T) {
	dir := os.Getenv("TREFOIL_VECTORS")
	if dir == "" {
		dir = filepath.Join("testdata", "quorum")
	}
	b, err := os.ReadFile(filepath.Join(dir, name))
	require.NoError(t, err, "no vectors")
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(&v))
	_, err = d.Token()
	require.ErrorIs(t, err, io.EOF)
	return v
}

// vectors fails the test if a file holds none.
func vectors[T any](t testing.TB, all []T) []T {
	require.NotEmpty(t, all, "no vectors")
	t.Logf("%d vectors", len(all))
	return all
}

type pairVector struct {
	Private []byte `json:"private_key"`
	Public  []byte `json:"public_key"`
}

// private reads a key pair and checks that its halves belong together.
func private[R Role](t testing.TB, v pairVector) PrivateKey[R] {
	k, err := ParsePrivateKey[R](v.Private)
	require.NoError(t, err)
	public, err := ParsePublicKey[R](v.Public)
	require.NoError(t, err)
	require.True(t, k.Public().Equal(public))
	return k
}

func signing(t testing.TB, v pairVector) SigningKey {
	k, err := ParseSigningKey(v.Private)
	require.NoError(t, err)
	require.Equal(t, v.Public, k.Public().Bytes())
	return k
}

func TestQuorumKeys(t *testing.T) {
	file := loadQuorum[struct {
		About string
		X     []pairVector
		Ed448 []struct {
			pairVector
			Message   []byte
			Signature []byte
			Inbox     struct {
				Key     []byte `json:"ed448_public_key"`
				Address string
			}
		}
	}](t, "keys.json")
	for _, v := range vectors(t, file.X) {
		k := private[Identity](t, v)
		require.Equal(t, v.Private, k.scalar.Bytes())
		require.Equal(t, v.Public, k.Public().Bytes())
	}
	for _, v := range vectors(t, file.Ed448) {
		k := signing(t, v.pairVector)
		require.Equal(t, v.Private, k.Seed())
		require.Equal(t, v.Signature, k.Sign(v.Message))
		require.NoError(t, k.Public().Verify(v.Message, v.Signature))
		require.ErrorIs(t, k.Public().Verify(append(v.Message, 0), v.Signature), ErrUnverified)

		inbox, err := ParseVerifyKey(v.Inbox.Key)
		require.NoError(t, err)
		require.Equal(t, v.Inbox.Address, inbox.Address().String())
		address, err := ParseAddress(v.Inbox.Address)
		require.NoError(t, err)
		require.Equal(t, inbox.Address(), address)
	}
}

func TestQuorumRegistration(t *testing.T) {
	v := loadQuorum[struct {
		Registration json.RawMessage
		User         pairVector `json:"user_key"`
		Peer         pairVector `json:"peer_key"`
		Identity     pairVector `json:"identity_key"`
		PreKey       pairVector `json:"pre_key"`
		InboxAddress string     `json:"inbox_address"`
		Mailbox      pairVector `json:"inbox_key"`
		Inbox        pairVector `json:"inbox_encryption_key"`
	}](t, "registration.json")
	require.NotEmpty(t, v.Registration, "no vectors")
	user := signing(t, v.User)
	d, err := ImportDevice(user.Public().Address(), DeviceKeys{
		private[Identity](t, v.Identity), private[PreKey](t, v.PreKey), signing(t, v.Mailbox), private[Inbox](t, v.Inbox)})
	require.NoError(t, err)
	require.Equal(t, v.InboxAddress, d.Mailbox().String())

	recorded, err := ParseRegistration(v.Registration)
	require.NoError(t, err)
	person, err := recorded.Verify(user.Public().Address())
	require.NoError(t, err)
	peer, err := person.Peer(d.Identity())
	require.NoError(t, err)
	require.Equal(t, d.Mailbox(), peer.Mailbox())

	ours, err := NewRegistration(user, private[Account](t, v.Peer).Public(), d.Entry())
	require.NoError(t, err)
	if len(person.Entries()) == 1 {
		require.Equal(t, recorded.signature, ours.signature)
		require.JSONEq(t, string(v.Registration), string(ours.JSON()))
	}
	require.JSONEq(t, string(v.Registration), string(recorded.JSON()))
}

func TestQuorumX3DH(t *testing.T) {
	file := loadQuorum[struct {
		Cases []struct {
			SenderIdentity   pairVector `json:"sender_identity"`
			SenderEphemeral  pairVector `json:"sender_ephemeral"`
			ReceiverIdentity pairVector `json:"receiver_identity"`
			ReceiverPreKey   pairVector `json:"receiver_prekey"`
			Length           int
			SessionKey       []byte `json:"session_key"`
		}
	}](t, "x3dh.json")
	for _, v := range vectors(t, file.Cases) {
		a, e := private[Identity](t, v.SenderIdentity), private[Ephemeral](t, v.SenderEphemeral)
		b, s := private[Identity](t, v.ReceiverIdentity), private[PreKey](t, v.ReceiverPreKey)
		sender, err := x3dhInitiate(a, e, b.Public(), s.Public()).key(labelX3DH, v.Length)
		require.NoError(t, err)
		receiver, err := x3dhAccept(b, s, a.Public(), e.Public()).key(labelX3DH, v.Length)
		require.NoError(t, err)
		require.Equal(t, v.SessionKey, sender.Expose())
		require.Equal(t, v.SessionKey, receiver.Expose())
	}
}

func TestQuorumSealed(t *testing.T) {
	file := loadQuorum[struct {
		Cases []struct {
			Inbox      pairVector
			Public     []byte `json:"ephemeral_public_key"`
			Private    []byte `json:"ephemeral_private_key"`
			Ciphertext json.RawMessage
			Plaintext  []byte
		}
	}](t, "sealed.json")
	for _, v := range vectors(t, file.Cases) {
		inbox, e := private[Inbox](t, v.Inbox), private[Ephemeral](t, pairVector{v.Private, v.Public})
		box, err := ParseBoxJSON(e.Public(), v.Ciphertext)
		require.NoError(t, err)
		plain, err := box.Open(inbox)
		require.NoError(t, err)
		require.Equal(t, string(v.Plaintext), string(plain))
		require.JSONEq(t, string(v.Ciphertext), string(box.JSON()))

		// The same box is made from the same random bytes.
		key, err := boxKey(agree(e, inbox.Public()))
		require.NoError(t, err)
		require.Equal(t, box.ciphertext, key.seal(nil, box.nonce[:], v.Plaintext, box.associated))
	}
}

func TestQuorumDouble(t *testing.T) {
	type step struct {
		Receiver      string
		StateBefore   string `json:"state_before"`
		Envelope      string
		Plaintext     string
		StateAfter    string `json:"state_after"`
		UpstreamError string `json:"upstream_error"`
	}
	file := loadQuorum[struct {
		About    string
		Sessions []struct {
			SenderIdentity   pairVector `json:"sender_identity"`
			SenderEphemeral  pairVector `json:"sender_ephemeral"`
			ReceiverIdentity pairVector `json:"receiver_identity"`
			ReceiverPreKey   pairVector `json:"receiver_prekey"`
			StateSender      string     `json:"initial_state_sender"`
			StateReceiver    string     `json:"initial_state_receiver"`
			Steps            []step
		}
	}](t, "double.json")
	steps, unread := 0, 0
	for _, v := range vectors(t, file.Sessions) {
		a, e := private[Identity](t, v.SenderIdentity), private[Ephemeral](t, v.SenderEphemeral)
		b, s := private[Identity](t, v.ReceiverIdentity), private[PreKey](t, v.ReceiverPreKey)
		key, err := x3dhInitiate(a, e, b.Public(), s.Public()).key(labelX3DH, agreedSize)
		require.NoError(t, err)
		sender, err := startSending(key, e, s.Public())
		require.NoError(t, err)
		requireState(t, v.StateSender, sender)
		key, err = x3dhAccept(b, s, a.Public(), e.Public()).key(labelX3DH, agreedSize)
		require.NoError(t, err)
		requireState(t, v.StateReceiver, startReceiving(key, s, e.Public()))

		for i, v := range vectors(t, v.Steps) {
			before, err := ParseRatchetJSON([]byte(v.StateBefore))
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
	peer, err := ParseRatchetJSON([]byte(recorded))
	require.NoError(t, err)
	if after.turnOwed {
		after.own = peer.own
	}
	h, key, ok := before.openHeader(m)
	require.True(t, ok)
	if _, _, used := before.skipped.find(key.key, h.n); used {
		b, i, ok := peer.skipped.find(key.key, h.n)
		require.True(t, ok)
		peer.skipped = peer.skipped.without(b, i)
	}
	want, err := peer.JSON()
	require.NoError(t, err)
	got, err := after.JSON()
	require.NoError(t, err)
	require.JSONEq(t, string(want), string(got))
}

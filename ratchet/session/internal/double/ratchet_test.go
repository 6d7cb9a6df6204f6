package double

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/ed448/ed448test"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/aead"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
)

func agreedForTest() secret.Bytes { return secret.Random(AgreedSize) }

// forms runs a test in both forms.
func forms(t *testing.T, f func(t *testing.T, f Form)) {
	t.Run("classic", func(t *testing.T) { f(t, Classic) })
	t.Run("braided", func(t *testing.T) { f(t, Braided) })
}

// freshRatchets returns both ends of a new Double Ratchet.
func freshRatchets(t require.TestingT, f Form) (alice, bob Ratchet) {
	agreed, e, s := agreedForTest(), keypair.GenerateKey[key.Ephemeral](), keypair.GenerateKey[key.PreKey]()
	alice, err := StartSending(f, agreed, e, s.Public())
	require.NoError(t, err)
	return alice, StartReceiving(f, agreed, s, e.Public())
}

// settledRatchets returns both ends after each has read the other, with the next message from alice.
func settledRatchets(t testing.TB, f Form) (alice, bob Ratchet) {
	alice, bob = freshRatchets(t, f)
	alice, bob = pass(t, alice, bob, "one")
	bob, alice = pass(t, bob, alice, "two")
	alice, bob = pass(t, alice, bob, "three")
	return alice, bob
}

// pass sends one message.
func pass(t testing.TB, from, to Ratchet, text string) (Ratchet, Ratchet) {
	t.Helper()
	from, m := encrypt(t, from, text)
	return from, decrypt(t, to, m, text)
}

func encrypt(t testing.TB, r Ratchet, text string) (Ratchet, Message) {
	t.Helper()
	r, m, err := r.Encrypt([]byte(text))
	require.NoError(t, err)
	return r, m
}

func decrypt(t testing.TB, r Ratchet, m Message, text string) Ratchet {
	t.Helper()
	next, plain, err := r.Decrypt(m)
	require.NoError(t, err)
	require.Equal(t, text, string(plain))
	return next
}

// refuse checks that a message is refused and changes nothing.
func refuse(t testing.TB, r Ratchet, m Message, want error) {
	t.Helper()
	next, plain, err := r.Decrypt(m)
	require.ErrorIs(t, err, want)
	require.Nil(t, plain)
	require.True(t, next.Equal(r))
}

// G13: a skipped key is found by its own header key. Message 2 of the next chain, with message 2 of this one skipped, is the
// message that the deployed client loses.
func TestG13SkippedKeysByHeaderKey(t *testing.T) {
	forms(t, func(t *testing.T, f Form) {
		alice, bob := settledRatchets(t, f)
		var old [4]Message
		for i := range old {
			alice, old[i] = encrypt(t, alice, fmt.Sprint("old ", i))
		}
		bob = decrypt(t, bob, old[3], "old 3")
		bob, alice = pass(t, bob, alice, "turn")
		var fresh [4]Message
		for i := range fresh {
			alice, fresh[i] = encrypt(t, alice, fmt.Sprint("new ", i))
		}
		for _, i := range []int{2, 0, 3, 1} {
			bob = decrypt(t, bob, fresh[i], fmt.Sprint("new ", i))
		}
		for i := range 3 {
			bob = decrypt(t, bob, old[i], fmt.Sprint("old ", i))
		}
		require.Zero(t, bob.skipped.count, "G16: used keys are erased")
		require.Empty(t, bob.skipped.buckets)
	})
}

// G14: a message whose body does not authenticate leaves the state as it was, wherever it stands.
func TestG14ForgedBodiesChangeNothing(t *testing.T) {
	forms(t, func(t *testing.T, f Form) {
		alice, bob := settledRatchets(t, f)
		alice, first := encrypt(t, alice, "first")
		alice, second := encrypt(t, alice, "second")
		bob = decrypt(t, bob, second, "second")
		turned, _ := settledTurn(t, alice, bob)
		_, afterTurn := encrypt(t, turned, "after turn")
		for name, m := range map[string]Message{"skipped": first, "turn": afterTurn} {
			for what, change := range map[string]func(*Message){
				"body":         func(m *Message) { m.body = flipped(m.body) },
				"body nonce":   func(m *Message) { m.bodyNonce[0] ^= 1 },
				"header":       func(m *Message) { m.header = flipped(m.header) },
				"header nonce": func(m *Message) { m.headerNonce[0] ^= 1 },
				"header data":  func(m *Message) { m.headerAssociated = flipped(m.headerAssociated) },
				"empty":        func(m *Message) { *m = Message{} },
				"short":        func(m *Message) { m.body = m.body[:3] },
			} {
				forged := m
				change(&forged)
				next, plain, err := bob.Decrypt(forged)
				require.Error(t, err, name+" "+what)
				require.Nil(t, plain)
				require.True(t, next.Equal(bob), name+" "+what)
			}
		}
		next := decrypt(t, bob, first, "first")
		refuse(t, next, first, ErrReplayed)
		refuse(t, next, second, ErrReplayed)
	})
}

// settledTurn lets bob answer and alice read it, and returns both.
func settledTurn(t testing.TB, alice, bob Ratchet) (Ratchet, Ratchet) {
	bob, alice = pass(t, bob, alice, "answer")
	return alice, bob
}

func flipped(b []byte) []byte {
	b = bytes.Clone(b)
	b[len(b)/2] ^= 0x10
	return b
}

// The body's associated data in the envelope is not believed: a receiver computes its own.
func TestAssociatedDataInTheEnvelopeIsIgnored(t *testing.T) {
	alice, bob := settledRatchets(t, Classic)
	_, m := encrypt(t, alice, "text")
	m.bodyAssociated = []byte("anything")
	in, err := ParseMessageJSON(m.JSON())
	require.NoError(t, err)
	decrypt(t, bob, in, "text")
}

// G13, G25: limits evict the oldest and never stop the conversation.
func TestG13Limits(t *testing.T) {
	forms(t, func(t *testing.T, f Form) {
		alice, bob := settledRatchets(t, f)
		var late Message
		first := make([]Message, MaxSkip+2)
		for i := range first {
			alice, first[i] = encrypt(t, alice, fmt.Sprint(i))
		}
		// More than MaxSkip ahead is retained, and read when the chain has moved.
		late = first[MaxSkip+1]
		refuse(t, bob, late, ErrAhead)
		bob = decrypt(t, bob, first[MaxSkip], fmt.Sprint(MaxSkip))
		require.Equal(t, MaxSkip, bob.skipped.count)
		bob = decrypt(t, bob, late, fmt.Sprint(MaxSkip+1))

		// At most as many are held; the oldest go first.
		alice, _ = encrypt(t, alice, "lost")
		alice, bob = pass(t, alice, bob, "pushes the oldest out")
		require.Equal(t, MaxSkip, bob.skipped.count)
		refuse(t, bob, first[0], ErrReplayed)
		decrypt(t, bob, first[1], "1")

		// The end of a chain that is lost altogether does not keep the next one from being read.
		for range 2 * MaxSkip {
			alice, _ = encrypt(t, alice, "lost")
		}
		bob, alice = pass(t, bob, alice, "turn")
		alice, bob = pass(t, alice, bob, "still here")
		require.Equal(t, MaxSkip, bob.skipped.count)

		// Nor do many chains of which a part is lost.
		for range MaxSkip/100 + 1 {
			for range 100 {
				alice, _ = encrypt(t, alice, "lost")
			}
			alice, bob = pass(t, alice, bob, "next")
			bob, alice = pass(t, bob, alice, "turn")
		}
		require.Equal(t, MaxSkip, bob.skipped.count)
		require.Greater(t, len(bob.skipped.buckets), 10)
		refuse(t, bob, first[1], ErrNoKey)
		require.LessOrEqual(t, len(bob.marshal()), MaxStored)
		back, err := parseRatchet(bob.marshal())
		require.NoError(t, err)
		require.True(t, back.Equal(bob))
	})
}

// G16: from the state after reading a message nothing opens that message, not even the part that opened it.
func TestG16NothingIsLeft(t *testing.T) {
	forms(t, func(t *testing.T, f Form) {
		alice, bob := settledRatchets(t, f)
		alice, skip := encrypt(t, alice, "skip")
		alice, m := encrypt(t, alice, "text")
		after := decrypt(t, bob, m, "text")
		_, keys := bob.receiving.skipTo(bob.receiving.n+2, 2)
		used := keys[1].keys
		var state []byte
		if f == Classic {
			var err error
			state, err = after.JSON()
			require.NoError(t, err)
		}
		for _, b := range [][]byte{used.both.Expose()[:aead.KeySize], bob.receiving.key.Expose()} {
			require.NotContains(t, string(after.marshal()), string(b))
			require.NotContains(t, string(state), string(b))
		}
		after = decrypt(t, after, skip, "skip")
		require.NotContains(t, string(after.marshal()), string(keys[0].keys.both.Expose()))
		// Nor does the sender hold what opens its own messages.
		require.NotContains(t, string(alice.marshal()), string(used.both.Expose()[:aead.KeySize]))
	})
}

// A pending step gives the same result whenever it is made, and is not made for reading alone.
func TestPendingStep(t *testing.T) {
	alice, bob := settledRatchets(t, Classic)
	require.True(t, bob.stepPending)
	a, err := bob.JSON()
	require.NoError(t, err)
	b, err := bob.JSON()
	require.NoError(t, err)
	require.Equal(t, string(a), string(b))
	stored, err := parseRatchet(bob.marshal())
	require.NoError(t, err)
	c, err := stored.JSON()
	require.NoError(t, err)
	require.Equal(t, string(a), string(c))
	moved, err := ParseJSON(a)
	require.NoError(t, err)
	require.False(t, moved.stepPending)
	pass(t, moved, alice, "from the moved state")
	pass(t, bob, alice, "from the kept one")
}

func TestResponderReadsFirst(t *testing.T) {
	forms(t, func(t *testing.T, f Form) {
		_, bob := freshRatchets(t, f)
		next, _, err := bob.Encrypt([]byte("text"))
		require.ErrorIs(t, err, ErrNotReady)
		require.True(t, next.Equal(bob))
		alice, _ := settledRatchets(t, f)
		next, _, err = alice.Encrypt(make([]byte, maxBody))
		require.ErrorIs(t, err, ErrNotReady)
		require.True(t, next.Equal(alice))
		alice.sending.n = ^uint32(0)
		_, _, err = alice.Encrypt(nil)
		require.ErrorIs(t, err, ErrNotReady)
	})
}

func TestMessageForms(t *testing.T) {
	alice, bob := settledRatchets(t, Braided)
	oldAlice, oldBob := settledRatchets(t, Classic)
	for _, text := range []string{"", "text", strings.Repeat("long ", 1000)} {
		var m Message
		alice, m = encrypt(t, alice, text)
		raw, err := m.MarshalBinary()
		require.NoError(t, err)
		require.Len(t, raw, MessageOverhead+len(text))
		in, err := ParseMessage(raw)
		require.NoError(t, err)
		bob = decrypt(t, bob, in, text)
		refuse(t, oldBob, in, ErrNoKey)
		_, err = ParseMessageJSON(m.JSON())
		require.ErrorIs(t, err, key.ErrMalformed)

		oldAlice, m = encrypt(t, oldAlice, text)
		in, err = ParseMessageJSON(m.JSON())
		require.NoError(t, err)
		oldBob = decrypt(t, oldBob, in, text)
		refuse(t, bob, in, ErrNoKey)
		_, err = m.MarshalBinary()
		require.ErrorIs(t, err, key.ErrArgument)
		raw = m.AppendBinary(nil)
		raw[0] = 1 // as a message without a braid had been
		_, err = ParseMessage(raw)
		require.ErrorIs(t, err, key.ErrMalformed)
	}
	_, err := Message{}.MarshalBinary()
	require.ErrorIs(t, err, key.ErrArgument)
	_, err = alice.JSON()
	require.ErrorIs(t, err, key.ErrArgument)
}

// An authenticated header with a hostile ratchet key is refused, and changes nothing.
func TestHostilePointInHeader(t *testing.T) {
	forms(t, func(t *testing.T, f Form) {
		alice, bob := settledRatchets(t, f)
		for name, bad := range ed448test.BadPoints(t) {
			if len(bad) != key.PublicKeySize {
				continue
			}
			hostile := alice
			hostile.public = key.Stored[key.Step](bad)
			// A header under the next key, as after a turn.
			hostile.sendingHeader = bob.nextReceivingHeader
			_, m, err := hostile.Encrypt([]byte("text"))
			require.NoError(t, err)
			next, _, err := bob.Decrypt(m)
			require.ErrorIs(t, err, key.ErrMalformed, name)
			require.True(t, next.Equal(bob))
		}
	})
}

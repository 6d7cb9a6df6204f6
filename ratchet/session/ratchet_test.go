package session

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/secret"
)

func agreedForTest() secret.Bytes { return secret.Random(agreedSize) }

// freshRatchets returns both ends of a new Double Ratchet.
func freshRatchets(t testing.TB) (alice, bob Ratchet) {
	agreed, e, s := agreedForTest(), GenerateKey[Ephemeral](), GenerateKey[PreKey]()
	alice, err := startSending(agreed, e, s.Public())
	require.NoError(t, err)
	return alice, startReceiving(agreed, s, e.Public())
}

// settledRatchets returns both ends after each has read the other, with the next message from alice.
func settledRatchets(t testing.TB) (alice, bob Ratchet) {
	alice, bob = freshRatchets(t)
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

// G12: whatever is delivered, in any order, with any others lost or repeated, is read exactly once. All orders of up to 6
// messages over up to 3 turns: chains of messages in turn, each begun after some message of the one before was read, and
// what is left of them in every order.
func TestG12AllOrders(t *testing.T) {
	read := 0
	var chains func(sizes []int, left int)
	chains = func(sizes []int, left int) {
		if len(sizes) > 0 {
			read += allTriggers(t, sizes)
		}
		for n := 1; n <= left && len(sizes) < 4; n++ {
			chains(append(sizes[:len(sizes):len(sizes)], n), left-n)
		}
	}
	chains(nil, 6)
	t.Logf("%d messages read", read)
}

// sent is a message on its way to one of the two ends.
type sent struct {
	to   int
	text string
	m    Message
}

// allTriggers runs the chains with each choice of which message of a chain is read before the answer.
func allTriggers(t *testing.T, sizes []int) (read int) {
	var run func(ends [2]Ratchet, chain int, waiting []sent)
	run = func(ends [2]Ratchet, chain int, waiting []sent) {
		from := chain % 2
		var fresh []sent
		for i := range sizes[chain] {
			text := fmt.Sprintf("%d.%d", chain, i)
			var m Message
			ends[from], m = encrypt(t, ends[from], text)
			fresh = append(fresh, sent{1 - from, text, m})
		}
		if chain == len(sizes)-1 {
			read += allPermutations(t, ends, append(waiting, fresh...), nil)
			return
		}
		for i, f := range fresh {
			next := ends
			next[f.to] = decrypt(t, ends[f.to], f.m, f.text)
			read++
			rest := append(append(waiting[:len(waiting):len(waiting)], fresh[:i]...), fresh[i+1:]...)
			run(next, chain+1, rest)
		}
	}
	alice, bob := freshRatchets(t)
	run([2]Ratchet{alice, bob}, 0, nil)
	return read
}

// allPermutations delivers what is waiting in every order; every prefix of an order is a case in which the rest is lost.
func allPermutations(t *testing.T, ends [2]Ratchet, waiting, done []sent) (read int) {
	for _, d := range done {
		if _, _, err := ends[d.to].Decrypt(d.m); err == nil {
			t.Fatalf("%s is read twice", d.text)
		}
	}
	for i, w := range waiting {
		next := ends
		next[w.to] = decrypt(t, ends[w.to], w.m, w.text)
		rest := append(waiting[:i:i], waiting[i+1:]...)
		read += 1 + allPermutations(t, next, rest, append(done[:len(done):len(done)], w))
	}
	return read
}

// G13: a skipped key is found by its own header key. Message 2 of the next chain, with message 2 of this one skipped, is the
// message that the deployed peer loses.
func TestG13SkippedKeysByHeaderKey(t *testing.T) {
	alice, bob := settledRatchets(t)
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
}

// A state in which the deployed peer left keys under numbers that it has not reached, or keys that do not fit, goes on.
func TestDamagedBucketsGoOn(t *testing.T) {
	alice, bob := settledRatchets(t)
	wrong := messageKeys{secret.Random(2 * keySize)}
	n := bob.receiving.n
	bob.skipped = bob.skipped.
		with(bob.receivingHeader, []skippedKey{{n, wrong}, {n + 1, wrong}, {n + 3, wrong}}).
		with(bob.nextReceivingHeader, []skippedKey{{0, wrong}})
	in, err := bob.JSON()
	require.NoError(t, err)
	bob, err = ParseRatchetJSON(in)
	require.NoError(t, err)
	var m [4]Message
	for i := range m {
		alice, m[i] = encrypt(t, alice, fmt.Sprint(i))
	}
	bob = decrypt(t, bob, m[0], "0")
	bob = decrypt(t, bob, m[3], "3")
	bob = decrypt(t, bob, m[1], "1")
	bob = decrypt(t, bob, m[2], "2")
	bob, alice = pass(t, bob, alice, "turn")
	_, bob = pass(t, alice, bob, "turned")
	_, err = parseRatchet(bob.marshal())
	require.NoError(t, err)
}

// G14: a message whose body does not authenticate leaves the state as it was, wherever it stands.
func TestG14ForgedBodiesChangeNothing(t *testing.T) {
	alice, bob := settledRatchets(t)
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
	alice, bob := settledRatchets(t)
	_, m := encrypt(t, alice, "text")
	m.bodyAssociated = []byte("anything")
	in, err := ParseMessageJSON(m.JSON())
	require.NoError(t, err)
	decrypt(t, bob, in, "text")
}

// G13, G25: limits evict the oldest and never stop the conversation.
func TestG13Limits(t *testing.T) {
	alice, bob := settledRatchets(t)
	var late Message
	first := make([]Message, MaxSkip+2)
	for i := range first {
		alice, first[i] = encrypt(t, alice, fmt.Sprint(i))
	}
	// More than MaxSkip ahead is retained, and read when the chain has moved.
	late = first[MaxSkip+1]
	refuse(t, bob, late, ErrNotYet)
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
	refuse(t, bob, first[1], ErrNotYet)
	require.LessOrEqual(t, len(bob.marshal()), maxRatchet)
	back, err := parseRatchet(bob.marshal())
	require.NoError(t, err)
	require.True(t, back.Equal(bob))
}

// G16: from the state after reading a message nothing opens that message, not even the part that opened it.
func TestG16NothingIsLeft(t *testing.T) {
	alice, bob := settledRatchets(t)
	alice, skip := encrypt(t, alice, "skip")
	alice, m := encrypt(t, alice, "text")
	after := decrypt(t, bob, m, "text")
	_, keys := bob.receiving.skipTo(bob.receiving.n+2, 2)
	used := keys[1].keys
	state, err := after.JSON()
	require.NoError(t, err)
	for _, b := range [][]byte{used.both.Expose()[:keySize], bob.receiving.key.Expose()} {
		require.NotContains(t, string(after.marshal()), string(b))
		require.NotContains(t, string(state), string(b))
	}
	after = decrypt(t, after, skip, "skip")
	require.NotContains(t, string(after.marshal()), string(keys[0].keys.both.Expose()))
	// Nor does the sender hold what opens its own messages.
	require.NotContains(t, string(alice.marshal()), string(used.both.Expose()[:keySize]))
}

// A turn that is owed is the same turn whenever it is made, and is not made for reading alone.
func TestTurnOwed(t *testing.T) {
	alice, bob := settledRatchets(t)
	require.True(t, bob.turnOwed)
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
	moved, err := ParseRatchetJSON(a)
	require.NoError(t, err)
	require.False(t, moved.turnOwed)
	pass(t, moved, alice, "from the moved state")
	pass(t, bob, alice, "from the kept one")
}

func TestResponderReadsFirst(t *testing.T) {
	_, bob := freshRatchets(t)
	next, _, err := bob.Encrypt([]byte("text"))
	require.ErrorIs(t, err, ErrNotReady)
	require.True(t, next.Equal(bob))
	alice, _ := settledRatchets(t)
	next, _, err = alice.Encrypt(make([]byte, maxBody))
	require.ErrorIs(t, err, ErrNotReady)
	require.True(t, next.Equal(alice))
	alice.sending.n = ^uint32(0)
	_, _, err = alice.Encrypt(nil)
	require.ErrorIs(t, err, ErrNotReady)
}

func TestMessageForms(t *testing.T) {
	alice, bob := settledRatchets(t)
	for _, text := range []string{"", "text", strings.Repeat("long ", 1000)} {
		var m Message
		alice, m = encrypt(t, alice, text)
		raw, err := m.MarshalBinary()
		require.NoError(t, err)
		require.Len(t, raw, messageOverhead+len(text))
		short, err := ParseMessage(raw)
		require.NoError(t, err)
		decrypt(t, bob, short, text)
		long, err := ParseMessageJSON(m.JSON())
		require.NoError(t, err)
		bob = decrypt(t, bob, long, text)
	}
	_, err := Message{}.MarshalBinary()
	require.ErrorIs(t, err, ErrNotReady)
}

// Every field of a state has to be there, none twice as long, none unknown.
func TestRatchetJSONIsExact(t *testing.T) {
	alice, bob := settledRatchets(t)
	alice, _ = encrypt(t, alice, "skipped")
	_, bob = pass(t, alice, bob, "text")
	good, err := bob.JSON()
	require.NoError(t, err)
	var fields map[string]any
	require.NoError(t, json.Unmarshal(good, &fields))
	require.Len(t, fields, 14)
	for name, value := range fields {
		for _, other := range []any{nil, "AA==", []int{1}, -1, strings.Repeat("A", 44) + "\n", map[string]any{"x": 1},
			map[string]any{"AA==": map[string]string{}}, 1 << 33} {
			changed := map[string]any{}
			for n, v := range fields {
				changed[n] = v
			}
			changed[name] = other
			in, err := json.Marshal(changed)
			require.NoError(t, err)
			_, err = ParseRatchetJSON(in)
			require.ErrorIs(t, err, ErrMalformed, "%s %v", name, other)
		}
		_ = value
		changed := map[string]any{}
		for n, v := range fields {
			if n != name {
				changed[n] = v
			}
		}
		in, err := json.Marshal(changed)
		require.NoError(t, err)
		_, err = ParseRatchetJSON(in)
		require.ErrorIs(t, err, ErrMalformed, "without %s", name)
		changed["another"] = 1
		in, err = json.Marshal(changed)
		require.NoError(t, err)
		_, err = ParseRatchetJSON(in)
		require.ErrorIs(t, err, ErrMalformed)
	}
}

// A state of the deployed peer may hold any number of keys that it did not erase, in any order of chains. What is over the
// limit is taken from older chains than the current one.
func TestImportedKeysAreBounded(t *testing.T) {
	alice, bob := settledRatchets(t)
	alice, late := encrypt(t, alice, "late")
	_, bob = pass(t, alice, bob, "text")
	var old []skippedKey
	for i := range MaxSkip + 100 {
		old = append(old, skippedKey{uint32(i), messageKeys{secret.Random(2 * keySize)}})
	}
	bob.skipped.buckets = append(bob.skipped.buckets, bucket{newAEAD(secret.Random(keySize)), old})
	raw, err := bob.JSON()
	require.NoError(t, err)
	bob, err = ParseRatchetJSON(raw)
	require.NoError(t, err)
	require.Equal(t, MaxSkip, bob.skipped.count)
	decrypt(t, bob, late, "late")
}

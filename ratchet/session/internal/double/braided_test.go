package double

import (
	"crypto/hkdf"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/braid"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
)

// talk lets two ends in the braided form speak in turn, alice first, until bob has come to an epoch.
func talk(t testing.TB, alice, bob Ratchet, epoch uint32) (Ratchet, Ratchet) {
	for n := 0; bob.braid.Epoch() < epoch; n++ {
		require.Less(t, n, 200, "no progress")
		alice, bob = pass(t, alice, bob, "from alice")
		bob, alice = pass(t, bob, alice, "from bob")
	}
	return alice, bob
}

// thief knows the root key and all of both braids at one time, sees all that is sent since, and computes every Diffie-Hellman
// result.
type thief struct {
	root    secret.Bytes
	chains  map[string]chain // by ratchet key
	offered braid.Braid      // the initiator's, with the key pair of the exchange that was under way
	secrets []secret.Bytes   // of the braid
}

func newThief(t testing.TB, alice, bob Ratchet) *thief {
	th := &thief{root: alice.root, chains: map[string]chain{}, offered: alice.braid}
	if bob.Form() == Braided { // what bob mixes in when alice does so next
		begins := binary.BigEndian.AppendUint32(nil, bob.braid.Epoch()+1)
		begins = append(append(begins, 0xff, 0x80, 0), make([]byte, braid.ChunkSize-7)...)
		c, err := bob.braid.ParseChunk(begins)
		require.NoError(t, err)
		if _, mixed, err := bob.braid.Follow(c); err == nil {
			th.secrets = append(th.secrets, mixed)
		}
	}
	return th
}

// reads reports whether the thief reads a message that a ratchet, as it was afterwards, sent to another. Answers is set for the
// side that answers in the braid.
func (th *thief) reads(t testing.TB, from, to Ratchet, answers bool, m Message) bool {
	h, _, err := to.openHeader(m)
	require.NoError(t, err)
	if answers {
		th.offered = th.offered.Receive(h.chunk)
	}
	if next, mixed := th.offered.Begin(); !mixed.IsZero() {
		th.offered, th.secrets = next, append(th.secrets, mixed)
	}
	dh, err := keypair.Agree(from.own, from.remote)
	require.NoError(t, err)
	at := string(h.key[:])
	if c, ok := th.chains[at]; ok {
		c, keys := c.step()
		th.chains[at] = c
		_, ok := open(m, keys)
		return ok
	}
	for _, mixed := range append([]secret.Bytes{{}}, th.secrets...) {
		root, c, _, err := rootStep(th.root, dh, mixed)
		require.NoError(t, err)
		c, keys := c.step()
		if _, ok := open(m, keys); ok {
			th.root, th.chains[at] = root, c
			return true
		}
	}
	return false
}

// G17: a thief that copied both ends, records all that is sent and computes every Diffie-Hellman result reads on until an exchange
// that began after the theft is complete, and nothing after it. In the classic form it reads on for ever; so it would in one
// that exchanges keys and does not mix them in.
func TestQuantumThiefIsShutOut(t *testing.T) {
	forms(t, func(t *testing.T, f Form) {
		alice, bob := settledRatchets(t, f)
		for range 4 { // places of an exchange
			for range 7 {
				bob, alice = pass(t, bob, alice, "before")
				alice, bob = pass(t, alice, bob, "before")
			}
			quantumThief(t, alice, bob)
		}
	})
}

func quantumThief(t *testing.T, alice, bob Ratchet) {
	f, before, th := alice.Form(), alice.braid.Epoch(), newThief(t, alice, bob)
	closed := 0
	one := func(from, to *Ratchet) {
		after, m := encrypt(t, *from, "after")
		read := th.reads(t, after, *to, from == &bob, m)
		*from, *to = after, decrypt(t, *to, m, "after")
		switch epoch := alice.braid.Epoch(); {
		case epoch <= before+1: // exchange before + 1 was under way
			require.True(t, read)
		default:
			require.False(t, read)
			closed++
		}
	}
	for range 60 {
		one(&bob, &alice)
		one(&alice, &bob)
	}
	require.Equal(t, f == Braided, closed > 0)
}

// A root step takes the root key, the Diffie-Hellman result and the secret of the braid, as SPEC §19.3 says.
func TestRootStep(t *testing.T) {
	root, dh, mixed := secret.Random(32), secret.Random(57), secret.Random(32)
	for _, step := range []struct {
		mixed secret.Bytes
		ikm   []byte
		info  string
	}{
		{secret.Bytes{}, dh.Expose(), "quilibrium-double-ratchet"},
		{mixed, slices.Concat(dh.Expose(), mixed.Expose()), "trefoil/session braid root"},
	} {
		next, c, header, err := rootStep(root, dh, step.mixed)
		require.NoError(t, err)
		want, err := hkdf.Key(sha512.New, step.ikm, root.Expose(), step.info, 96)
		require.NoError(t, err)
		require.Equal(t, want, slices.Concat(next.Expose(), c.key.Expose(), header.Expose()))
	}
}

// A header that begins a chain of an epoch that cannot be is malformed, and changes nothing; so is one with a chunk that is
// none.
func TestHostileChunk(t *testing.T) {
	alice, bob := settledRatchets(t, Braided)
	alice, bob = talk(t, alice, bob, 1)
	for _, spoil := range map[string]func(chunk []byte){
		"epoch below":        func(chunk []byte) { chunk[3] = 0 },
		"epoch above":        func(chunk []byte) { chunk[3], chunk[5] = 2, chunk[5]|0x80 },
		"epoch two above":    func(chunk []byte) { chunk[3] = 3 },
		"epoch far above":    func(chunk []byte) { chunk[0] = 0xff },
		"index":              func(chunk []byte) { chunk[4] = 15 },
		"data without index": func(chunk []byte) { chunk[4], chunk[7] = 0xff, 1 },
		"held":               func(chunk []byte) { chunk[5] |= 0x40 },
	} {
		next, m := encrypt(t, alice, "text") // begins a chain
		plain, ok := next.sendingHeader.Open(nil, m.headerNonce[:], m.header, m.headerAssociated)
		require.True(t, ok)
		spoil(plain[headerSize:])
		m.header = next.sendingHeader.Seal(nil, m.headerNonce[:], plain, m.headerAssociated)
		refuse(t, bob, m, key.ErrMalformed)
	}
	pass(t, alice, bob, "goes on")
}

// Late messages of epochs before are read, as all late messages.
func TestLateMessagesOfOldEpochs(t *testing.T) {
	alice, bob := settledRatchets(t, Braided)
	var toAlice, toBob []Message
	for epoch := range uint32(3) {
		for i := range 3 {
			var m Message
			alice, m = encrypt(t, alice, fmt.Sprint(epoch, i))
			toBob = append(toBob, m)
			bob, m = encrypt(t, bob, fmt.Sprint(epoch, i))
			toAlice = append(toAlice, m)
		}
		alice, bob = talk(t, alice, bob, epoch+1)
	}
	require.Equal(t, uint32(3), bob.braid.Epoch())
	for i := range toBob {
		i := len(toBob) - 1 - i
		text := fmt.Sprint(uint32(i/3), i%3)
		bob = decrypt(t, bob, toBob[i], text)
		alice = decrypt(t, alice, toAlice[i], text)
	}
	talk(t, alice, bob, 4)
}

// A message of an older chain, of which the key was kept, brings no chunk: who stole the keys of that chain and was shut out since
// writes into no exchange, although it may still write messages.
func TestLateMessagesBringNoChunk(t *testing.T) {
	for _, name := range []string{"of the offer", "of the answer"} {
		t.Run(name, func(t *testing.T) {
			alice, bob := settledRatchets(t, Braided)
			alice, bob = talk(t, alice, bob, 1)
			from, to := &alice, &bob
			if name == "of the answer" {
				from, to = to, from
			}
			*from, *to = pass(t, *from, *to, "begins a chain")
			stolen := *from
			*from, _ = encrypt(t, *from, "lost")
			*from, *to = pass(t, *from, *to, "passes it over")
			alice, bob = talk(t, alice, bob, 2)
			alice, bob = pass(t, alice, bob, "begins an exchange")
			bob, alice = pass(t, bob, alice, "goes on")

			h := header{key: [key.PublicKeySize]byte(stolen.public.Bytes()), previous: stolen.previousSending, n: stolen.sending.n}
			for index := range byte(14) {
				chunk := append([]byte{0, 0, 0, 2, index, 0, 0}, make([]byte, braid.ChunkSize-7)...)
				var err error
				h.chunk, err = to.braid.ParseChunk(chunk)
				require.NoError(t, err)
				_, keys := stolen.sending.step()
				m := Message{headerAssociated: make([]byte, 32)}
				m.header = stolen.sendingHeader.Seal(nil, m.headerNonce[:], h.append(nil, Braided), m.headerAssociated)
				m.body = keys.key().Seal(nil, m.bodyNonce[:], []byte("late"), keys.associated(m.header))
				require.True(t, decrypt(t, *to, m, "late").braid.Equal(to.braid), "chunk %d", index)
			}
		})
	}
}

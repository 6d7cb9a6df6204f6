package session

import (
	"crypto/hkdf"
	"crypto/sha512"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/session/directory"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/box"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/double"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/frame"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
)

// epoch returns how many exchanges are mixed into the session that a side sends on.
func (p *party) epoch() uint32 { return p.s.Part().sessions.list[0].ratchet.Epoch() }

// Between devices that run trefoil exchanges complete although a fifth of all frames is lost and every side begins again with
// what it stored after every step. In the classic suite there are none.
func TestExchangesComplete(t *testing.T) {
	t.Parallel()
	suites(t, func(t *testing.T, f suite) {
		const seed = 19
		r := rand.New(rand.NewPCG(seed, 0))
		alice, bob := settled(t, f)
		for range 80 {
			for _, p := range [][2]*party{{bob, alice}, {alice, bob}} {
				frame := p[0].send("text")
				if r.IntN(5) > 0 {
					p[1].reads(frame, "text")
				}
				for _, p := range p {
					part, err := parsePair(p.s.Part().marshal())
					require.NoError(t, err)
					p.s = p.s.With(part)
				}
			}
		}
		if f == classic {
			require.Zero(t, alice.epoch())
			return
		}
		require.GreaterOrEqual(t, bob.epoch(), uint32(2), "seed %d", seed)
	})
}

// exchange lets a pair speak in turns until an exchange completes: it does, whatever became of the session's frames before.
func (s *simulation) exchange(x *slot) {
	before := x.epoch()
	for n := 0; x.epoch() == before; n++ {
		require.Less(s.t, n, 30, "seed %d: an exchange stands still", s.seed)
		for _, from := range []*slot{x, x.other} {
			s.send(from)
			s.arrive(len(s.sent) - 1)
			require.True(s.t, s.sent[len(s.sent)-1].read, "seed %d", s.seed)
		}
	}
	s.counts["exchanges"]++
}

// No device is led into a hybrid session without a braid: not by frames or a bundle of version 1, and not by a stored session.
func TestNoSessionWithoutBraid(t *testing.T) {
	alice, bob := started(t, hybrid)
	in, err := frame.Parse(alice.send("text"))
	require.NoError(t, err)
	content, err := in.Box.Open(bob.d.inbox)
	require.NoError(t, err)
	e, err := alice.s.Part().sessions.list[0].ephemeralPrivate()
	require.NoError(t, err)
	for version, want := range map[byte]error{1: ErrMalformed, 3: ErrNotYet} {
		content := slices.Clone(content)
		content[0] = version
		resealed, err := box.SealWith(e, bob.d.inbox.Public(), content)
		require.NoError(t, err)
		bob.refuses(frame.Frame{Kind: frame.Initiation, Box: resealed}.Marshal(), want)
	}
	bob.reads(in.Marshal(), "text")
	alice.reads(bob.send("answer"), "answer")
	message := alice.send("message")
	for version, want := range map[byte]error{1: ErrMalformed, 3: ErrNotYet} {
		changed := slices.Clone(message)
		changed[2] = version
		bob.refuses(changed, want)
	}

	bundle, err := bob.d.Bundle().MarshalBinary()
	require.NoError(t, err)
	bundle[0] = 1
	_, err = directory.ParseBundle(bundle)
	require.ErrorIs(t, err, key.ErrMalformed)

	without := bob.s.Part()
	without.sessions.list = slices.Clone(without.sessions.list)
	without.sessions.list[0].ratchet = double.StartReceiving(double.Classic, secret.Random(double.AgreedSize), bob.d.preKey,
		keypair.GenerateKey[key.Ephemeral]().Public())
	_, err = parsePair(without.marshal())
	require.Error(t, err)
}

// The key of the hybrid suite is what SPEC §18.4 says, and a different one with another version in the transcript.
func TestVersionIsBoundIntoTheKey(t *testing.T) {
	a, b := newHuman(t, 1), newHuman(t, 1)
	d, e, peer := a.devices[0], keypair.GenerateKey[key.Ephemeral](), b.peer(t, 0, hybrid)
	_, o, agreed, err := agreeInitiate(d, e, peer, 7, 5)
	require.NoError(t, err)
	shared, err := b.devices[0].preKeys.current().mlkem.Expose().Decapsulate(o.ciphertext[:])
	require.NoError(t, err)
	x := x3dhInitiate(d.identity, e, peer.Identity(), peer.PreKey())
	require.NoError(t, x.err)
	bundle, _ := peer.Bundle()
	initiator, responder, mailbox := a.address(), b.address(), peer.Entry().Mailbox()
	expected := func(version byte) secret.Bytes {
		w := binary.BigEndian.AppendUint64([]byte{version}, 7)
		w = binary.BigEndian.AppendUint64(w, 5)
		w = slices.Concat(w, initiator[:], responder[:], d.Identity().Bytes(), peer.Identity().Bytes(), mailbox[:],
			peer.Entry().Inbox().Bytes())
		w = slices.Concat(binary.BigEndian.AppendUint32(w, bundle.Number()), peer.PreKey().Bytes(), e.Public().Bytes())
		w = slices.Concat(binary.BigEndian.AppendUint32(w, 0), o.ciphertext[:], make([]byte, key.PublicKeySize), bundle.MLKEM().Bytes())
		hash := sha512.Sum512(w)
		out, err := hkdf.Key(sha512.New, append(x.ikm, shared...), make([]byte, 96), "trefoil/session agreement\x00"+string(hash[:]), 96)
		require.NoError(t, err)
		return secret.Own(out)
	}
	require.True(t, agreed.Equal(expected(2)))
	require.False(t, agreed.Equal(expected(1)))
}

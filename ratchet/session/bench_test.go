package session

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/mlkem"
	"crypto/rand"
	"crypto/sha512"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/ed448"
)

// What an operation costs is to be compared with the primitives that it consists of, measured in the same run:
//
//	X3DHInitiate    3 ScalarMult + 1 BaseMult + 1 HKDF        X3DHAccept   3 ScalarMult + 1 HKDF
//	SessionEncrypt  AEAD65 + AEADKey1K + 3 HMAC + Random      SessionDecrypt  AEAD65 + AEADKey1K + 3 HMAC
//	SessionPingPong 2 Encrypt + 2 Decrypt + 2 turns, each 2 ScalarMult + 1 BaseMult + 1 ParsePoint + 2 HKDF
//	Seal1K          1 ScalarMult + 1 BaseMult + 1 HKDF + AEADKey1K     Open1K  1 ScalarMult + 1 HKDF + AEADKey1K

var kilobyte = make([]byte, 1024)

func bench(b *testing.B, f func()) {
	b.ReportAllocs()
	for b.Loop() {
		f()
	}
}

func BenchmarkScalarMult(b *testing.B) {
	s, p := ed448.RandomScalar(), ed448.BaseMult(ed448.RandomScalar())
	bench(b, func() { ed448.SharedSecret(s, p) })
}

func BenchmarkBaseMult(b *testing.B) { bench(b, func() { ed448.BaseMult(ed448.RandomScalar()) }) }

func BenchmarkParsePoint(b *testing.B) {
	in := ed448.BaseMult(ed448.RandomScalar()).Bytes()
	bench(b, func() { ed448.ParsePoint(in) })
}

func BenchmarkHKDF(b *testing.B) {
	bench(b, func() { hkdf.Key(sha512.New, kilobyte[:228], kilobyte[:32], labelRoot, 96) })
}

func BenchmarkHMAC(b *testing.B) {
	bench(b, func() {
		m := hmac.New(sha512.New, kilobyte[:32])
		m.Write(kilobyte[:1])
		m.Sum(nil)
	})
}

func BenchmarkAEADKey1K(b *testing.B) {
	bench(b, func() {
		block, _ := aes.NewCipher(kilobyte[:32])
		gcm, _ := cipher.NewGCM(block)
		gcm.Seal(nil, kilobyte[:12], kilobyte, kilobyte[:113])
	})
}

func BenchmarkAEAD65(b *testing.B) {
	block, _ := aes.NewCipher(kilobyte[:32])
	gcm, _ := cipher.NewGCM(block)
	bench(b, func() { gcm.Seal(nil, kilobyte[:12], kilobyte[:65], kilobyte[:32]) })
}

func BenchmarkRandom56(b *testing.B) {
	var space [56]byte
	bench(b, func() { rand.Read(space[:]) })
}

func BenchmarkEncapsulate(b *testing.B) {
	k, err := mlkem.GenerateKey768()
	require.NoError(b, err)
	e := k.EncapsulationKey()
	bench(b, func() { e.Encapsulate() })
}

func BenchmarkX3DHInitiate(b *testing.B) {
	a, peer := GenerateKey[Identity](), newHuman(b, 1).devices[0].Entry()
	bench(b, func() {
		_, err := x3dhInitiate(a, GenerateKey[Ephemeral](), peer.identity, peer.preKey).key(labelX3DH, agreedSize)
		require.NoError(b, err)
	})
}

func BenchmarkX3DHAccept(b *testing.B) {
	d, a, e := newHuman(b, 1).devices[0], GenerateKey[Identity]().Public(), GenerateKey[Ephemeral]().Public()
	bench(b, func() {
		_, err := x3dhAccept(d.identity, d.preKey, a, e).key(labelX3DH, agreedSize)
		require.NoError(b, err)
	})
}

func BenchmarkHybridInitiate(b *testing.B) {
	a, h := newHuman(b, 1), newHuman(b, 1)
	peer := h.peer(b, 0, hybrid)
	bench(b, func() {
		_, _, _, err := agreeInitiate(a.devices[0], GenerateKey[Ephemeral](), peer, 1)
		require.NoError(b, err)
	})
}

func BenchmarkSessionEncrypt1K(b *testing.B) {
	alice, _ := settledRatchets(b)
	bench(b, func() {
		var err error
		alice, _, err = alice.Encrypt(kilobyte)
		require.NoError(b, err)
	})
}

func BenchmarkSessionDecrypt1K(b *testing.B) {
	alice, bob := settledRatchets(b)
	messages := make([]Message, 1024)
	for i := range messages {
		alice, messages[i], _ = alice.Encrypt(kilobyte)
	}
	first, i := bob, 0
	bench(b, func() {
		if i == len(messages) {
			bob, i = first, 0
		}
		var err error
		bob, _, err = bob.Decrypt(messages[i])
		require.NoError(b, err)
		i++
	})
}

func BenchmarkSessionPingPong1K(b *testing.B) {
	alice, bob := settledRatchets(b)
	one := func(from, to *Ratchet) {
		next, m, err := from.Encrypt(kilobyte)
		require.NoError(b, err)
		*from = next
		*to, _, err = to.Decrypt(m)
		require.NoError(b, err)
	}
	bench(b, func() {
		one(&bob, &alice)
		one(&alice, &bob)
	})
}

func BenchmarkSeal1K(b *testing.B) {
	k := GenerateKey[Inbox]().Public()
	bench(b, func() {
		_, err := Seal(k, kilobyte)
		require.NoError(b, err)
	})
}

func BenchmarkOpen1K(b *testing.B) {
	k := GenerateKey[Inbox]()
	box, err := Seal(k.Public(), kilobyte)
	require.NoError(b, err)
	bench(b, func() {
		_, err := box.Open(k)
		require.NoError(b, err)
	})
}

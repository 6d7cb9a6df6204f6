package double

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha512"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/ed448"
)

// Compare what an operation costs with the primitives that it consists of, measured in the same run (the first three are in
// package session):
//
//	SessionEncrypt  AEAD65 + AEADKey1K + 3 HMAC + Random      SessionDecrypt  AEAD65 + AEADKey1K + 3 HMAC
//	SessionPingPong 2 Encrypt + 2 Decrypt + 2 steps, each 2 ScalarMult + 1 BaseMult + 1 ParsePoint + 2 HKDF
//
// A message with a braid may cost one and a half times as much as one without. An exchange, that is 56 messages of a
// conversation by turns, adds a key generation, an encapsulation, a decapsulation with its key, and 3 SHA-512 of 2 KB.

var kilobyte = make([]byte, 1024)

func BenchmarkParsePoint(b *testing.B) {
	in := ed448.BaseMult(ed448.RandomScalar()).Bytes()
	b.ReportAllocs()
	for b.Loop() {
		ed448.ParsePoint(in)
	}
}

func BenchmarkHMAC(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		m := hmac.New(sha512.New, kilobyte[:32])
		m.Write(kilobyte[:1])
		m.Sum(nil)
	}
}

func BenchmarkAEADKey1K(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		block, _ := aes.NewCipher(kilobyte[:32])
		gcm, _ := cipher.NewGCM(block)
		gcm.Seal(nil, kilobyte[:12], kilobyte, kilobyte[:113])
	}
}

func BenchmarkAEAD65(b *testing.B) {
	block, _ := aes.NewCipher(kilobyte[:32])
	gcm, _ := cipher.NewGCM(block)
	b.ReportAllocs()
	for b.Loop() {
		gcm.Seal(nil, kilobyte[:12], kilobyte[:65], kilobyte[:32])
	}
}

func BenchmarkRandom56(b *testing.B) {
	var space [56]byte
	b.ReportAllocs()
	for b.Loop() {
		rand.Read(space[:])
	}
}

func benchForms(b *testing.B, f func(b *testing.B, f Form)) {
	b.Run("classic", func(b *testing.B) { f(b, Classic) })
	b.Run("braided", func(b *testing.B) { f(b, Braided) })
}

func BenchmarkSessionEncrypt1K(b *testing.B) {
	benchForms(b, func(b *testing.B, f Form) {
		alice, _ := settledRatchets(b, f)
		b.ReportAllocs()
		for b.Loop() {
			var err error
			alice, _, err = alice.Encrypt(kilobyte)
			require.NoError(b, err)
		}
	})
}

func BenchmarkSessionDecrypt1K(b *testing.B) {
	benchForms(b, func(b *testing.B, f Form) {
		alice, bob := settledRatchets(b, f)
		messages := make([]Message, 1024)
		for i := range messages {
			alice, messages[i], _ = alice.Encrypt(kilobyte)
		}
		first, i := bob, 0
		b.ReportAllocs()
		for b.Loop() {
			if i == len(messages) {
				bob, i = first, 0
			}
			var err error
			bob, _, err = bob.Decrypt(messages[i])
			require.NoError(b, err)
			i++
		}
	})
}

func BenchmarkSessionPingPong1K(b *testing.B) {
	benchForms(b, func(b *testing.B, f Form) {
		alice, bob := settledRatchets(b, f)
		one := func(from, to *Ratchet) {
			next, m, err := from.Encrypt(kilobyte)
			require.NoError(b, err)
			*from = next
			*to, _, err = to.Decrypt(m)
			require.NoError(b, err)
		}
		b.ReportAllocs()
		for b.Loop() {
			one(&bob, &alice)
			one(&alice, &bob)
		}
	})
}

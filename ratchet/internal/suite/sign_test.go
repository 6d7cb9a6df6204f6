package suite

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"testing"

	circl "github.com/cloudflare/circl/sign/ed448"
	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/secret"
)

// TestSignatures: a signature holds for its key, label and parts, and for nothing else (G21).
func TestSignatures(t *testing.T) {
	for _, s := range []Scheme{Ed25519, Ed448} {
		t.Run(string(s), func(t *testing.T) {
			k, other := NewSigningKey(s), NewSigningKey(s)
			sig := k.Sign(SignMessage, []byte("a"), []byte("b"))
			require.NoError(t, k.Public.Verify(sig, SignMessage, []byte("a"), []byte("b")))
			for name, err := range map[string]error{
				"label":  k.Public.Verify(sig, SignTicket, []byte("a"), []byte("b")),
				"body":   k.Public.Verify(sig, SignMessage, []byte("a"), []byte("c")),
				"key":    other.Public.Verify(sig, SignMessage, []byte("a"), []byte("b")),
				"short":  k.Public.Verify(sig[1:], SignMessage, []byte("a"), []byte("b")),
				"none":   k.Public.Verify(nil, SignMessage, []byte("a"), []byte("b")),
				"no key": PublicKey{}.Verify(sig, SignMessage, []byte("a"), []byte("b")),
			} {
				require.ErrorIs(t, err, ErrInvalid, name)
			}
			again, err := ParseSigningKey(s, k.Seed)
			require.NoError(t, err)
			require.Equal(t, k.Public, again.Public)
			parsed, err := ParsePublicKey(k.Public.Bytes())
			require.NoError(t, err)
			require.Equal(t, k.Public, parsed)
			_, err = ParseSigningKey(s, secret.Random(31))
			typed(t, err)
			require.NotContains(t, fmt.Sprintf("%v %+v %#v", k, k, k), fmt.Sprintf("%x", k.Seed.Expose()))
		})
	}
}

// zeroS forges a signature with S = 0, which fits if R = -k·A. It needs no private key if A has small order: then k·A is
// one of few points.
func zeroS(a []byte, candidates [][]byte, size int, verify func(msg, sig []byte) bool) bool {
	for n := range uint32(64) {
		msg := binary.BigEndian.AppendUint32(nil, n)
		for _, r := range candidates {
			sig := make([]byte, size)
			copy(sig, r)
			if verify(msg, sig) {
				return true
			}
		}
	}
	return false
}

// TestSmallOrderKeys: under each listed key a signature can be forged, and each is refused (G18).
func TestSmallOrderKeys(t *testing.T) {
	var list [][]byte
	for _, y := range ed25519SmallOrder {
		for _, sign := range []byte{0, 0x80} {
			k := y
			k[31] |= sign
			list = append(list, k[:])
		}
	}
	for _, k := range list {
		require.True(t, zeroS(k, list, 64, func(msg, sig []byte) bool { return ed25519.Verify(k, msg, sig) }), "%x is listed", k)
		_, err := ParsePublicKey(k)
		require.ErrorIs(t, err, ErrInvalid, "%x", k)
	}

	p := make([]byte, 56) // 2^448 - 2^224 - 1
	for i := range p {
		p[i] = 0xff
	}
	p[28] = 0xfe
	minusOne := append(append([]byte{0xfe}, p[1:]...), 0)
	var small [][]byte
	for _, y := range [][]byte{append([]byte{1}, make([]byte, 56)...), minusOne, make([]byte, 57)} {
		for _, sign := range []byte{0, 0x80} {
			k := append([]byte(nil), y...)
			k[56] |= sign
			small = append(small, k)
			_, err := ParsePublicKey(k)
			require.ErrorIs(t, err, ErrInvalid, "%x", k)
		}
	}
	require.True(t, zeroS(small[0], small, 114, func(msg, sig []byte) bool { return circl.Verify(small[0], msg, sig, "") }),
		"the identity key fits any message")
}

// TestNonCanonicalKeys: a key has one encoding.
func TestNonCanonicalKeys(t *testing.T) {
	for low := range 19 { // y = low + p
		k := ed25519P
		k[0] += byte(low)
		for _, sign := range []byte{0, 0x80} {
			b := k
			b[31] |= sign
			_, err := ParsePublicKey(b[:])
			require.ErrorIs(t, err, ErrInvalid, "p + %d", low)
		}
	}
	for _, n := range []int{0, 1, 31, 33, 56, 58} {
		_, err := ParsePublicKey(make([]byte, n))
		typed(t, err)
	}
}

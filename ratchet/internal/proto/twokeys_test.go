package proto

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// field is an element of GF(2^128) as GCM has it (NIST SP 800-38D): the first bit is the coefficient of 1.
type field struct{ hi, lo uint64 }

func toField(b []byte) field {
	return field{hi: binary.BigEndian.Uint64(b), lo: binary.BigEndian.Uint64(b[8:])}
}

func (a field) bytes() []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, a.hi), a.lo)
}

func (a field) add(b field) field {
	return field{hi: a.hi ^ b.hi, lo: a.lo ^ b.lo}
}

func (a field) mul(b field) (z field) {
	for i := range 128 {
		word := a.hi
		if i >= 64 {
			word = a.lo
		}
		if word>>(63-i%64)&1 == 1 {
			z = z.add(b)
		}
		carry := b.lo & 1
		b.lo = b.lo>>1 | b.hi<<63
		b.hi = b.hi>>1 ^ carry*(0xe1<<56)
	}
	return z
}

// inverse is a^(2^128 - 2).
func (a field) inverse() field {
	out := field{hi: 1 << 63, lo: 0}
	for range 127 {
		a = a.mul(a)
		out = out.mul(a)
	}
	return out
}

// gcm is what an attacker knows of AES-GCM under a key of its own choice.
type gcm struct {
	block cipher.Block
	h     field
}

func newGCM(key secret.Bytes) gcm {
	block, err := aes.NewCipher(key.Expose())
	if err != nil {
		panic(err)
	}
	var zero [16]byte
	block.Encrypt(zero[:], zero[:])
	return gcm{block: block, h: toField(zero[:])}
}

// mask is what is added to the hash to make the tag.
func (g gcm) mask(nonce []byte) field {
	out := make([]byte, 16)
	g.block.Encrypt(out, append(append([]byte(nil), nonce...), 0, 0, 0, 1))
	return toField(out)
}

// ghash hashes additional data of whole blocks and a ciphertext of 24 bytes.
func (g gcm) ghash(aad, ciphertext []byte) (y field) {
	var lengths [16]byte
	binary.BigEndian.PutUint64(lengths[:], uint64(8*len(aad)))
	binary.BigEndian.PutUint64(lengths[8:], uint64(8*len(ciphertext)))
	padded := append(append([]byte(nil), ciphertext...), make([]byte, 8)...)
	for _, part := range [][]byte{aad, padded, lengths[:]} {
		for ; len(part) > 0; part = part[16:] {
			y = y.add(toField(part)).mul(g.h)
		}
	}
	return y
}

// Scenario 12: AES-GCM commits to no key. Whoever knows two keys makes one ciphertext that opens under both, and a headerCT
// made so would tell two halves of a space different things. Its zeros refuse it, under both.
func TestScenario12HeaderForTwoKeys(t *testing.T) {
	space, ids := state.ID{1}, [2]EpochID{{2}, {3}}
	keys := [2]secret.Bytes{secret.Random(suite.KeySize), secret.Random(suite.KeySize)}
	g := [2]gcm{newGCM(keys[0]), newGCM(keys[1])}
	nonce := secret.Random(suite.NonceSize).Expose()

	// The tags are equal if the sum of both hashes and masks is zero. The first block of the ciphertext goes into each hash
	// times h^3 (a second block and the lengths follow), so one linear equation yields it.
	ciphertext := make([]byte, headerSize)
	var sum, factor field
	var aads [2][64]byte
	for i := range g {
		aads[i] = epochAAD(space, ids[i])
		sum = sum.add(g[i].ghash(aads[i][:], ciphertext)).add(g[i].mask(nonce))
		factor = factor.add(g[i].h.mul(g[i].h).mul(g[i].h))
	}
	copy(ciphertext, sum.mul(factor.inverse()).bytes())
	tag := g[0].ghash(aads[0][:], ciphertext).add(g[0].mask(nonce))
	sealed := SealedHeader(append(append(append([]byte(nil), nonce...), ciphertext...), tag.bytes()...))

	for i := range keys {
		plain, err := suite.NewAEAD(keys[i]).Open(nil, sealed[:], aads[i][:])
		require.NoError(t, err, "the forgery opens under key %d, as an AEAD has it", i)
		require.Len(t, plain, headerSize)
		_, err = OpenHeader(suite.NewAEAD(keys[i]), space, ids[i], 14, sealed)
		require.ErrorIs(t, err, suite.ErrNotOpened, "and is no header under key %d", i)
	}
}

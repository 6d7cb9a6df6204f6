package suite

import (
	"crypto/sha3"
	"crypto/sha512"
	"encoding/binary"

	"github.com/trefoil-im/trefoil/internal/ed448"
)

// Digest is a whole SHA-512 hash.
type Digest [HashSize]byte

// Hash returns SHA-512 of the parts, one after the other: H of the specification.
func Hash(parts ...[]byte) (d Digest) {
	h := sha512.New()
	for _, p := range parts {
		h.Write(p)
	}
	h.Sum(d[:0])
	return d
}

// HashID returns the first 32 bytes of H.
func HashID(label string, parts ...[]byte) [32]byte {
	d := HashLabel(label, parts...)
	return [32]byte(d[:32])
}

// HashLabel returns H of a label of the protocol and the parts behind it.
func HashLabel(label string, parts ...[]byte) (d Digest) {
	h := sha512.New()
	h.Write([]byte(label))
	for _, p := range parts {
		h.Write(p)
	}
	h.Sum(d[:0])
	return d
}

// shake fills out with SHAKE256 of a label and the parts, each behind its length.
func shake(out []byte, label string, parts [][]byte) {
	h := sha3.NewSHAKE256()
	h.Write([]byte(protocol))
	h.Write([]byte(label))
	h.Write([]byte{0})
	var n [4]byte
	for _, p := range parts {
		binary.BigEndian.PutUint32(n[:], uint32(len(p)))
		h.Write(n[:])
		h.Write(p)
	}
	h.Read(out)
}

// HashToScalar hashes to a scalar. Its bias is below 2^-220.
func HashToScalar(label string, parts ...[]byte) ed448.Scalar {
	var wide [ed448.WideSize]byte
	shake(wide[:], label, parts)
	return ed448.ReduceScalar(wide[:])
}

// HashTo32 hashes to 32 bytes.
func HashTo32(label string, parts ...[]byte) (out [32]byte) {
	shake(out[:], label, parts)
	return out
}

// U32 returns the encoding of an integer in four bytes.
func U32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }

// U64 returns the encoding of an integer in eight bytes.
func U64(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

// HashSize is the length of SHA-512.
const HashSize = 64

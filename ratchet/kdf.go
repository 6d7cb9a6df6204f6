package ratchet

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha3"
	"crypto/sha512"
	"encoding/binary"

	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/secret"
)

// digest is a whole SHA-512 hash.
type digest [hashSize]byte

// hash returns SHA-512 of the parts, one after the other: H of the specification.
func hash(parts ...[]byte) (d digest) {
	h := sha512.New()
	for _, p := range parts {
		h.Write(p)
	}
	h.Sum(d[:0])
	return d
}

// id32 returns the first 32 bytes of H.
func id32(label string, parts ...[]byte) (id [32]byte) {
	h := sha512.New()
	h.Write([]byte(label))
	for _, p := range parts {
		h.Write(p)
	}
	var d digest
	copy(id[:], h.Sum(d[:0]))
	return id
}

// expand is HKDF-Expand under a label of the protocol (§2). It returns n bytes.
func expand(key secret.Bytes, label string, ctx []byte, n int) secret.Bytes {
	out, err := hkdf.Expand(sha512.New, key.Expose(), protocol+label+"\x00"+string(ctx), n)
	if err != nil {
		panic("ratchet: " + err.Error()) // n is a constant far below the limit
	}
	return secret.Own(out)
}

// extract is HKDF-Extract. It returns 64 bytes.
func extract(salt, ikm secret.Bytes) secret.Bytes {
	out, err := hkdf.Extract(sha512.New, ikm.Expose(), salt.Expose())
	if err != nil {
		panic("ratchet: " + err.Error()) // only of hashes that FIPS mode refuses
	}
	return secret.Own(out)
}

// mac is HMAC-SHA-512.
func mac(key []byte, parts ...string) (d digest) {
	h := hmac.New(sha512.New, key)
	for _, p := range parts {
		h.Write([]byte(p))
	}
	h.Sum(d[:0])
	return d
}

// step advances a sender chain by one message (§7).
func step(chain secret.Bytes) (next, message secret.Bytes) {
	d := mac(chain.Expose(), macStep)
	return secret.New(d[:keySize]), secret.New(d[keySize:])
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

// h2s hashes to a scalar. Its bias is below 2^-220.
func h2s(label string, parts ...[]byte) ed448.Scalar {
	var wide [ed448.WideSize]byte
	shake(wide[:], label, parts)
	return ed448.ReduceScalar(wide[:])
}

// h32 hashes to 32 bytes.
func h32(label string, parts ...[]byte) (out [32]byte) {
	shake(out[:], label, parts)
	return out
}

// u32 and u64 are the encodings of integers.
func u32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }
func u64(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

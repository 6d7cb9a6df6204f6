package frost

import (
	"crypto/sha3"

	"github.com/trefoil-im/trefoil/internal/ed448"
)

// The ciphersuite of RFC 9591, section 6.3. Labels are part of it.
const (
	contextString  = "FROST-ED448-SHAKE256-v1"
	edwardsContext = "SigEd448\x00\x00" // dom4 of RFC 8032 without pre-hashing and with an empty context
	hashSize       = 114
)

func hash(parts ...[]byte) []byte {
	h := sha3.NewSHAKE256()
	for _, p := range parts {
		h.Write(p)
	}
	out := make([]byte, hashSize)
	h.Read(out)
	return out
}

// h1 is the hash to a binding factor, h2 to a challenge, h3 to a nonce, h4 of a message and h5 of commitments.
func h1(m []byte) ed448.Scalar { return ed448.ReduceScalar(hash([]byte(contextString+"rho"), m)) }

func h2(m ...[]byte) ed448.Scalar {
	return ed448.ReduceScalar(hash(append([][]byte{[]byte(edwardsContext)}, m...)...))
}

func h3(m ...[]byte) ed448.Scalar {
	return ed448.ReduceScalar(hash(append([][]byte{[]byte(contextString + "nonce")}, m...)...))
}

func h4(m []byte) []byte { return hash([]byte(contextString+"msg"), m) }
func h5(m []byte) []byte { return hash([]byte(contextString+"com"), m) }

// scalarSize is the size of a scalar in this suite: that of RFC 8032, of which the last byte is always 0.
const scalarSize = ed448.ScalarSize + 1

func scalarBytes(s ed448.Scalar) []byte { return append(s.Bytes(), 0) }

func identifier(i uint8) []byte { return scalarBytes(ed448.ScalarFromUint32(uint32(i))) }

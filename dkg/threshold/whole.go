package threshold

import (
	"crypto/sha3"
	"fmt"

	"github.com/trefoil-im/trefoil/internal/ed448"
)

// SeedSize is the size of an Ed448 private key in bytes (RFC 8032).
const SeedSize = 57

// Whole returns an Ed448 signing key that one party holds, as the share of index 1 of a key with threshold 1 and no other
// holder: what ceremony.NewResharing makes shares for others of. It returns ErrShare unless seed has SeedSize bytes. Whoever
// keeps the seed, or the whole, signs alone as before, whatever shares there are.
func Whole(seed []byte) (Share, error) {
	if len(seed) != SeedSize {
		return Share{}, fmt.Errorf("%w: length of a private key", ErrShare)
	}
	h := make([]byte, 2*SeedSize)
	defer clear(h)
	shake := sha3.NewSHAKE256()
	shake.Write(seed)
	shake.Read(h)
	wide := make([]byte, ed448.WideSize) // RFC 8032, section 5.2.5: the scalar is the first half, clamped
	defer clear(wide)
	copy(wide, h[:SeedSize])
	wide[0] &= 0xfc
	wide[SeedSize-2] |= 0x80
	wide[SeedSize-1] = 0
	value := ed448.ReduceScalar(wide)
	k, err := NewKey(Terms{Holders: []Index{1}}, []ed448.Point{ed448.BaseMult(value)})
	if err != nil {
		return Share{}, err
	}
	return NewShare(k, 1, value)
}

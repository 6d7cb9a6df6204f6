package pprf

import (
	"bytes"
	"cmp"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// Spent is a value of a leaf that was used up. A told tree has words that give other values for the leaf: which of them is the true one
// is not known, so that each is used up by itself (§6).
type Spent struct {
	Leaf []byte
	Seed [32]byte // SeedHash of the value
}

// SeedHash tells later whether a value of a leaf is the one that was used. It says nothing of the value.
func SeedHash(leaf []byte, value secret.Bytes) [32]byte {
	d := suite.Hash(leaf, value.Expose())
	return [32]byte(d[:32])
}

func (s Spent) compare(o Spent) int {
	return cmp.Or(bytes.Compare(s.Leaf, o.Leaf), bytes.Compare(s.Seed[:], o.Seed[:]))
}

// UseUp returns the frontier without some leaves, and without those for which it gives values that were used up. It is not ok if that
// could not be stored.
func (f Frontier) UseUp(leaves [][]byte, values []Spent) (_ Frontier, ok bool) {
	for _, leaf := range leaves {
		if f, ok = f.without(leaf, func(secret.Bytes) bool { return true }); !ok {
			return f, false
		}
	}
	for _, s := range values {
		if f, ok = f.without(s.Leaf, func(v secret.Bytes) bool { return SeedHash(s.Leaf, v) == s.Seed }); !ok {
			return f, false
		}
	}
	return f, true
}

// without returns the frontier without a leaf, if its value is such. It is not ok if that could not be stored.
func (f Frontier) without(leaf []byte, such func(secret.Bytes) bool) (Frontier, bool) {
	v, next, err := f.Eval(leaf)
	if err == ErrPunctured || !such(v) {
		return f, true
	}
	return next, err == nil
}

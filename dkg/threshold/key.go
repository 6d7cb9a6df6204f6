package threshold

import (
	"bytes"
	"fmt"
	"slices"

	circl "github.com/cloudflare/circl/sign/ed448"

	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/wire"
)

// Index names a party, from 1 to 255. A party keeps its index as long as it holds a share of a key.
type Index uint8

// Limits. They are part of the format.
const (
	// MinThreshold is the least threshold of a key that several parties hold: with one, a single party could sign. A key that one
	// party holds has threshold 1 (Whole).
	MinThreshold = 2
	// MaxParties is the number of indices.
	MaxParties = 255
	// MaxKeySize is the size of the largest encoded key in bytes.
	MaxKeySize = 1 + 32 + 4 + 1 + 1 + MaxParties + MaxParties*ed448.PointSize
)

const keyVersion = 1

// Key is the public half of a shared key. The zero Key is none, and is refused everywhere.
type Key struct{ *key }

type key struct {
	transcript  [32]byte
	generation  uint32
	holders     []Index
	commitments []ed448.Point
}

// Terms is what a Key says beside its commitments.
type Terms struct {
	// Transcript is the digest of the ceremony that made the shares.
	Transcript [32]byte
	// Generation counts the times that the shares were made anew, from 0.
	Generation uint32
	// Holders are the indices of all shares, ascending.
	Holders []Index
}

// NewKey returns a key with these commitments to the coefficients of its polynomial. Most programs do not call it: a
// ceremony does. It returns ErrKey unless holders ascend from at least 1, there are not more commitments than holders, at least
// 2, or 1 for one holder, and none is the identity.
func NewKey(terms Terms, commitments []ed448.Point) (Key, error) {
	k := &key{terms.Transcript, terms.Generation, slices.Clone(terms.Holders), slices.Clone(commitments)}
	switch {
	case len(commitments) < min(MinThreshold, max(len(k.holders), 1)) || len(commitments) > len(k.holders):
		return Key{}, fmt.Errorf("%w: threshold %d of %d", ErrKey, len(commitments), len(k.holders))
	case !ascending(k.holders):
		return Key{}, fmt.Errorf("%w: holders do not ascend from 1", ErrKey)
	case slices.ContainsFunc(commitments, ed448.Point.IsIdentity):
		return Key{}, fmt.Errorf("%w: identity", ErrKey)
	}
	return Key{k}, nil
}

// ascending reports whether indices ascend strictly from at least 1, so that there is no 0 and none twice.
func ascending(indices []Index) bool {
	last := Index(0)
	for _, i := range indices {
		if i <= last {
			return false
		}
		last = i
	}
	return true
}

// ParseKey reads what Bytes returns, or returns ErrKey.
func ParseKey(b []byte) (Key, error) {
	r := wire.NewReader(b)
	r.Version8(keyVersion, keyVersion)
	var terms Terms
	r.Into(terms.Transcript[:])
	terms.Generation = r.U32()
	for _, i := range r.Fixed(int(r.U8())) {
		terms.Holders = append(terms.Holders, Index(i))
	}
	raw := r.Fixed(int(r.U8()) * ed448.PointSize)
	if err := r.Done(); err != nil {
		return Key{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	var commitments []ed448.Point
	for c := range slices.Chunk(raw, ed448.PointSize) {
		p, err := ed448.ParsePoint(c)
		if err != nil {
			return Key{}, fmt.Errorf("%w: %w", ErrKey, err)
		}
		commitments = append(commitments, p)
	}
	return NewKey(terms, commitments)
}

// Bytes returns u8 version ‖ 32 transcript ‖ u32 generation ‖ vec8 holders ‖ u8 t ‖ t × 57 commitment, or nil for the zero
// Key.
func (k Key) Bytes() []byte {
	if k.IsZero() {
		return nil
	}
	w := wire.NewWriter(0)
	w.U8(keyVersion)
	w.Fixed(k.transcript[:])
	w.U32(k.generation)
	holders := make([]byte, len(k.holders))
	for i, h := range k.holders {
		holders[i] = byte(h)
	}
	w.Vec8(holders)
	w.U8(uint8(len(k.commitments)))
	for _, c := range k.commitments {
		w.Fixed(c.Bytes())
	}
	return w.Bytes()
}

// IsZero reports whether this is the zero Key.
func (k Key) IsZero() bool { return k.key == nil }

// Equal reports whether both are the same key of the same generation.
func (k Key) Equal(o Key) bool { return bytes.Equal(k.Bytes(), o.Bytes()) }

// Threshold returns t, how many shares make a signature.
func (k Key) Threshold() int {
	if k.IsZero() {
		return 0
	}
	return len(k.commitments)
}

// Terms returns what the key says beside its commitments.
func (k Key) Terms() Terms {
	if k.IsZero() {
		return Terms{}
	}
	return Terms{k.transcript, k.generation, slices.Clone(k.holders)}
}

// Holds reports whether there is a share of index i.
func (k Key) Holds(i Index) bool {
	return !k.IsZero() && slices.Contains(k.holders, i)
}

// Point returns the public key as a point, the identity for the zero Key.
func (k Key) Point() ed448.Point {
	if k.IsZero() {
		return ed448.Point{}
	}
	return k.commitments[0]
}

// Public returns the 57 bytes of the Ed448 public key (RFC 8032), which no ceremony but a new generation changes.
func (k Key) Public() []byte { return k.Point().Bytes() }

// Verify reports whether sig is an Ed448 signature of message under this key, with an empty context (RFC 8032).
func (k Key) Verify(message, sig []byte) bool {
	return !k.IsZero() && circl.Verify(circl.PublicKey(k.Public()), message, sig, "")
}

// PublicShare returns the public half of the share of index i, or ErrIndex if there is none.
func (k Key) PublicShare(i Index) (ed448.Point, error) {
	if !k.Holds(i) {
		return ed448.Point{}, fmt.Errorf("%w: %d holds no share", ErrIndex, i)
	}
	return ed448.VarTimeEvaluate(k.commitments, uint32(i)), nil
}

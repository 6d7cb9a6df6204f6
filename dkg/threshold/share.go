package threshold

import (
	"fmt"

	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/state"
)

const shareVersion = 1

// Share is what one party holds of a key. It shows nothing when printed. It is stored as a state.Part, and a vault never
// lets a share of an older generation replace it. The zero Share holds nothing and is refused everywhere.
type Share struct {
	key   Key
	index Index
	value ed448.Scalar
}

// NewShare returns the share of index i. Most programs do not call it: a ceremony does. It returns ErrIndex if i holds no
// share of the key, and ErrShare if value is not that share.
func NewShare(k Key, i Index, value ed448.Scalar) (Share, error) {
	want, err := k.PublicShare(i)
	if err != nil {
		return Share{}, err
	}
	if value.IsZero() || !ed448.BaseMult(value).Equal(want) {
		return Share{}, fmt.Errorf("%w: not the share of index %d", ErrShare, i)
	}
	return Share{k, i, value}, nil
}

// IsZero reports whether this is the zero Share.
func (s Share) IsZero() bool { return s.key.IsZero() }

// Key returns the public half of the key.
func (s Share) Key() Key { return s.key }

// Index returns the index of the party that holds the share.
func (s Share) Index() Index { return s.index }

// Scalar returns the secret.
func (s Share) Scalar() ed448.Scalar { return s.value }

// Equal reports whether both are the same share of the same generation.
func (s Share) Equal(o Share) bool {
	return s.index == o.index && s.value.Equal(o.value) && s.key.Equal(o.key)
}

// Encode implements state.Part.
func (s Share) Encode(e *state.Encoder) {
	e.Version(shareVersion)
	e.Bytes(s.key.Bytes())
	e.Uint8(uint8(s.index))
	e.Fixed(s.value.Bytes())
}

// Decode implements state.Part. It verifies the share, so that a key and a share never part.
func (Share) Decode(d *state.Decoder) (Share, error) {
	d.Version(shareVersion, shareVersion)
	rawKey, i, raw := d.Bytes(MaxKeySize), Index(d.Uint8()), d.Fixed(ed448.ScalarSize)
	if err := d.Err(); err != nil {
		return Share{}, err
	}
	k, err := ParseKey(rawKey)
	if err != nil {
		return Share{}, err
	}
	value, err := ed448.ParseScalar(raw)
	if err != nil {
		return Share{}, fmt.Errorf("%w: %w", ErrShare, err)
	}
	return NewShare(k, i, value)
}

// Succeeds implements state.Part. It returns ErrStale unless the share is that of prev, or one of a later generation of
// the same public key and the same index.
func (s Share) Succeeds(prev Share) error {
	switch {
	case s.Equal(prev):
		return nil
	case s.IsZero() || prev.IsZero() || s.index != prev.index || !s.key.Point().Equal(prev.key.Point()):
		return fmt.Errorf("%w: another key or party", ErrStale)
	case s.key.generation <= prev.key.generation:
		return fmt.Errorf("%w: generation %d after %d", ErrStale, s.key.generation, prev.key.generation)
	}
	return nil
}

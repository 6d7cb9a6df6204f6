package state_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// shaft is a part that is nested so many segments deep.
type shaft struct {
	deep  uint8
	below state.Segment[shaft]
}

func newShaft(deep int) shaft {
	s := shaft{}
	for n := range deep {
		s = shaft{uint8(n + 1), state.NewSegment(s)}
	}
	return s
}

func (s shaft) Encode(e *state.Encoder) {
	if e.Uint8(s.deep); s.deep > 0 {
		s.below.Encode(e, "a")
	}
}

func (shaft) Decode(d *state.Decoder) (s shaft, err error) {
	if s.deep = d.Uint8(); s.deep > 0 {
		s.below, err = state.DecodeSegment[shaft](d, "a")
	}
	return s, err
}

func (shaft) Succeeds(shaft) error { return nil }

// Segments nest as deep as their paths are long.
func TestSegmentsNestAsDeepAsPaths(t *testing.T) {
	ctx := t.Context()
	deepest := (255 - len("session")) / len("/a")
	backend := store.NewMemory()
	open := func(first byte) *state.Vault[state.One[shaft]] {
		v, err := state.Open[state.One[shaft]](ctx, backend, testKey(t, first), state.Options{})
		require.NoError(t, err)
		return v
	}
	v := open(1)
	for n, deep := range []int{1, deepest, deepest / 2, deepest} {
		one, err := state.NewOne(id(1), newShaft(deep))
		require.NoError(t, err)
		if n == 0 {
			require.NoError(t, v.Create(ctx, one, nil))
		} else {
			require.NoError(t, v.Update(ctx, id(1), func(tx *state.Tx[state.One[shaft]]) error { tx.Set(one); return nil }))
		}
		loaded, err := open(1).Load(ctx, id(1))
		require.NoError(t, err)
		require.True(t, one.Equal(loaded))
	}
	require.NoError(t, v.Forget(ctx))
	_, err := open(1).Load(ctx, id(1))
	require.NoError(t, err)

	one, err := state.NewOne(id(2), newShaft(deepest+1))
	require.NoError(t, err)
	require.PanicsWithValue(t, `state: no name for a segment: "a" below "session`+strings.Repeat("/a", deepest)+`"`, func() {
		_ = v.Create(ctx, one, nil)
	})
}

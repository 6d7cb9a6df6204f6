package pprf

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
)

// A tree that is split and joined is the same tree, its branches are pieces of it, and those that the next tree does not change are the
// same in both.
func TestPieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const depth = 6
		f := New(secret.Own(make([]byte, 32)), depth+ChildBits)
		cut := rapid.IntRange(1, depth).Draw(t, "cut")
		for k := range rapid.IntRange(0, 20).Draw(t, "children") {
			place := make([]byte, ChildBits/8)
			binary.BigEndian.PutUint32(place, rapid.Uint32().Draw(t, "place"))
			i := dkg.Index(rapid.IntRange(0, 1<<depth-1).Draw(t, "index"))
			before := f
			_, f, _ = f.Eval(Path(i, depth, place))
			top, below := f.Piece().Split(cut)
			joined, err := Join(top, f.bits-cut, below)
			require.NoError(t, err)
			require.Equal(t, f.Encode(), joined.Frontier().Encode())
			_, old := before.Piece().Split(cut)
			changed := 0
			for _, b := range below {
				for _, o := range old {
					if b.Path == o.Path && b.Same(o.Piece) {
						changed--
					}
				}
				changed++
			}
			require.LessOrEqual(t, changed, 1, "child %d", k)
		}
		f = f.Less([]dkg.Index{dkg.Index(rapid.IntRange(0, 1<<depth-1).Draw(t, "gone"))})
		top, below := f.Piece().Split(cut)
		joined, err := Join(top, f.bits-cut, below)
		require.NoError(t, err)
		require.Equal(t, f.Encode(), joined.Frontier().Encode())
	})
}

// Pieces that no tree was split into are refused.
func TestPiecesOfNoTree(t *testing.T) {
	const depth = 6
	f := New(secret.Own(make([]byte, 32)), depth+ChildBits)
	for _, i := range []dkg.Index{5, 9} {
		_, f, _ = f.Eval(Path(i, depth, make([]byte, ChildBits/8)))
	}
	top, below := f.Piece().Split(depth)
	require.Len(t, below, 2)
	whole := Branch{7, New(secret.Own(make([]byte, 32)), ChildBits).Piece()}
	for name, bad := range map[string][]Branch{
		"twice": {below[0], below[0]}, "order": {below[1], below[0]}, "outside": {{1 << depth, below[0].Piece}},
		"a key": {whole}, "nothing": {{5, Piece{bits: ChildBits}}}, "where a key is": {{6, below[0].Piece}}, "other bits": {{5, f.Piece()}},
	} {
		_, err := Join(top, ChildBits, bad)
		require.ErrorIs(t, err, ErrPieces, name)
	}
}

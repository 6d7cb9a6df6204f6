package pprf

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// The union of two punctured copies of a tree has what either has, and nothing else; it survives the store. Copies of
// different trees do not agree.
func TestUnion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const depth = smallDepth
		var places [][]byte
		for range 12 {
			child := rapid.Byte().Draw(t, "child")
			places = append(places, childPath(dkg.Index(rapid.Uint32Range(1, 1<<depth-1).Draw(t, "index")), depth, child))
		}
		whole := New(secret.Random(suite.KeySize), depth+ChildBits)
		punctured := func() Frontier {
			tree := whole
			for _, p := range places {
				if rapid.Bool().Draw(t, "used") {
					if _, next, err := tree.Eval(p); err == nil {
						tree = next
					}
				}
			}
			return tree
		}
		a, b := punctured(), punctured()
		u, agree := a.Unite(b)
		require.True(t, agree)
		decoded, err := Decode(u.Encode(), depth+ChildBits)
		require.NoError(t, err)
		for _, p := range places {
			want, _, err := whole.Eval(p)
			require.NoError(t, err)
			_, _, errA := a.Eval(p)
			_, _, errB := b.Eval(p)
			got, _, err := decoded.Eval(p)
			if errA != nil && errB != nil {
				require.ErrorIs(t, err, ErrPunctured)
				continue
			}
			require.NoError(t, err)
			require.True(t, want.Equal(got))
		}
		_, agree = a.Unite(New(secret.Random(suite.KeySize), depth+ChildBits))
		require.False(t, agree)
		same, agree := a.Unite(UsedUp(a.bits))
		require.True(t, agree)
		require.Equal(t, a.Encode(), same.Encode())
	})
}

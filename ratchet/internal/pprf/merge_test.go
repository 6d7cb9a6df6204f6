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
		type place struct {
			index dkg.Index
			child [32]byte
		}
		var places []place
		for range 12 {
			var id [32]byte
			id[0] = rapid.Byte().Draw(t, "child")
			places = append(places, place{dkg.Index(rapid.Uint32Range(1, 1<<depth-1).Draw(t, "index")), id})
		}
		whole := NewCommitTree(secret.Random(suite.KeySize), depth)
		punctured := func() CommitTree {
			tree := whole
			for _, p := range places {
				if rapid.Bool().Draw(t, "used") {
					if _, next, err := tree.Eval(p.index, p.child); err == nil {
						tree = next
					}
				}
			}
			return tree
		}
		a, b := punctured(), punctured()
		u, agree := a.Merge(b)
		require.True(t, agree)
		decoded, err := DecodeCommitTree(u.Encode(), depth)
		require.NoError(t, err)
		for _, p := range places {
			want, _, err := whole.Eval(p.index, p.child)
			require.NoError(t, err)
			_, _, errA := a.Eval(p.index, p.child)
			_, _, errB := b.Eval(p.index, p.child)
			got, _, err := decoded.Eval(p.index, p.child)
			if errA != nil && errB != nil {
				require.ErrorIs(t, err, ErrPunctured)
				continue
			}
			require.NoError(t, err)
			require.True(t, want.Equal(got))
		}
		_, agree = a.Merge(NewCommitTree(secret.Random(suite.KeySize), depth))
		require.False(t, agree)
		same, agree := a.Merge(CommitTree{Frontier{bits: a.f.bits}})
		require.True(t, agree)
		require.Equal(t, a.Encode(), same.Encode())
	})
}

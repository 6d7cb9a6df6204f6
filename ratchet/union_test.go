package ratchet

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
)

// The union of two punctured copies of a tree has what either has, and nothing else; it survives the store. Copies of
// different trees do not agree.
func TestUnion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const depth = minDepth
		type place struct {
			index dkg.Index
			child epochID
		}
		var places []place
		for range 12 {
			var id epochID
			id[0] = rapid.Byte().Draw(t, "child")
			places = append(places, place{dkg.Index(rapid.Uint32Range(1, 1<<depth-1).Draw(t, "index")), id})
		}
		whole := newCommitTree(secret.Random(keySize), depth)
		punctured := func() commitTree {
			tree := whole
			for _, p := range places {
				if rapid.Bool().Draw(t, "used") {
					if _, next, err := tree.eval(p.index, p.child); err == nil {
						tree = next
					}
				}
			}
			if rapid.Bool().Draw(t, "erased") {
				tree = tree.eraseUsed()
			}
			return tree
		}
		a, b := punctured(), punctured()
		u, agree := a.union(b)
		require.True(t, agree)
		decoded, err := decodeCommitTree(u.encode(), depth)
		require.NoError(t, err)
		for _, p := range places {
			want, _, err := whole.eval(p.index, p.child)
			require.NoError(t, err)
			_, _, errA := a.eval(p.index, p.child)
			_, _, errB := b.eval(p.index, p.child)
			got, _, err := decoded.eval(p.index, p.child)
			if errA != nil && errB != nil {
				require.ErrorIs(t, err, errPunctured)
				continue
			}
			require.NoError(t, err)
			require.True(t, want.Equal(got))
		}
		_, agree = a.union(newCommitTree(secret.Random(keySize), depth))
		require.False(t, agree)
		same, agree := a.union(commitTree{frontier{bits: a.f.bits}})
		require.True(t, agree)
		require.Equal(t, a.encode(), same.encode())
	})
}

package orphans

import (
	"cmp"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

type digit int

func (d digit) compare(o digit) int { return cmp.Compare(d, o) }

// A sorted map holds what a built-in map holds, in order, stays balanced, and leaves the versions before as they were.
func TestSortedIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s sorted[digit, int]
		model := map[digit]int{}
		for n := range rapid.IntRange(1, 60).Draw(t, "steps") {
			k := digit(rapid.IntRange(0, 40).Draw(t, "key"))
			before, kept := s, slices.Collect(maps.Keys(maps.Collect(s.up())))
			if rapid.Bool().Draw(t, "put") {
				s, model[k] = s.put(k, n), n
			} else {
				s = s.drop(k)
				delete(model, k)
			}
			require.Len(t, kept, before.size, "an older version changed")
			require.Equal(t, model, maps.Collect(s.up()))
			require.Equal(t, len(model), s.size)
			var keys, down, from []digit
			for k := range s.up() {
				keys = append(keys, k)
			}
			require.True(t, slices.IsSorted(keys))
			for k := range s.below(20) {
				down = append(down, k)
			}
			for k := range s.from(20) {
				from = append(from, k)
			}
			slices.Reverse(down)
			require.Equal(t, keys, append(down, from...))
			requireBalanced(t, s.root)
		}
	})
}

func requireBalanced(t *rapid.T, b *branch[digit, int]) {
	if b == nil {
		return
	}
	require.Equal(t, 1+max(b.left.tall(), b.right.tall()), b.height)
	require.LessOrEqual(t, max(b.left.tall(), b.right.tall())-min(b.left.tall(), b.right.tall()), int8(1))
	requireBalanced(t, b.left)
	requireBalanced(t, b.right)
}

package ratchet

import (
	"bytes"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
)

// naive returns the keys along the path to a leaf, from the root to the value.
func naive(root []byte, path []byte, bits int) (keys [][]byte) {
	keys = [][]byte{root}
	for i := range bits {
		d := mac(keys[i], macPPRF)
		half := d[:keySize]
		if bit(path, i) == 1 {
			half = d[keySize:]
		}
		keys = append(keys, bytes.Clone(half))
	}
	return keys
}

// TestFrontierModel evaluates leaves in any order and compares with the tree written out: each value is right, is had
// once (G9), and nothing that is left in the frontier leads to it (G16).
func TestFrontierModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const bits = 8
		root := rapid.SliceOfN(rapid.Byte(), keySize, keySize).Draw(t, "root")
		f := newFrontier(secret.New(root), bits)
		used := map[byte]bool{}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			leaf := rapid.Byte().Draw(t, "leaf")
			before := f.encode()
			value, next, err := f.eval([]byte{leaf})
			require.Equal(t, before, f.encode(), "eval changed its receiver")
			if used[leaf] {
				require.ErrorIs(t, err, errPunctured)
				require.Equal(t, before, next.encode())
				continue
			}
			require.NoError(t, err)
			used[leaf] = true
			keys := naive(root, []byte{leaf}, bits)
			require.True(t, value.Equal(secret.New(keys[bits])))
			for _, k := range keys {
				require.False(t, bytes.Contains(next.encode(), k), "a key on the path is still held")
			}
			if f, err = decodeFrontier(next.encode(), bits); err != nil {
				t.Fatal(err)
			}
			require.Equal(t, next.encode(), f.encode())
		}
		for leaf := range 256 {
			value, _, err := f.eval([]byte{byte(leaf)})
			if used[byte(leaf)] {
				require.ErrorIs(t, err, errPunctured)
				continue
			}
			require.NoError(t, err)
			require.True(t, value.Equal(secret.New(naive(root, []byte{byte(leaf)}, bits)[bits])))
		}
	})
}

// TestFrontierUsedUp: a tree of which every leaf was evaluated holds nothing, in one byte.
func TestFrontierUsedUp(t *testing.T) {
	f := newFrontier(secret.Random(keySize), 4)
	for i := range 16 {
		var err error
		_, f, err = f.eval([]byte{byte(i * 5 % 16 << 4)})
		require.NoError(t, err)
	}
	require.Equal(t, []byte{shapeUsed}, f.encode())
	require.True(t, f.root.IsZero())
	f, err := decodeFrontier([]byte{shapeUsed}, 4)
	require.NoError(t, err)
	_, _, err = f.eval([]byte{0})
	require.ErrorIs(t, err, errPunctured)
}

// TestCommitTree: a place is an index and the child's id; erasing leaves unused indices and index 0 alone (§5, §6).
func TestCommitTree(t *testing.T) {
	root := secret.Random(keySize)
	whole := newCommitTree(root, piecesDepth)
	a, b := epochID{1}, epochID{2}
	seedA, tree, err := whole.eval(3, a)
	require.NoError(t, err)
	_, _, err = tree.eval(3, a)
	require.ErrorIs(t, err, errPunctured)
	seedB, tree, err := tree.eval(3, b)
	require.NoError(t, err, "a second child of one member from one parent")
	require.False(t, seedA.Equal(seedB))
	_, tree, err = tree.eval(0, a)
	require.NoError(t, err)

	path := append(u32(3<<(32-piecesDepth)), make([]byte, 16)...)
	for i := range a[:16] { // the id follows the bits of the index
		for k := range 8 {
			at := piecesDepth + 8*i + k
			path[at/8] |= byte(bit(a[:], 8*i+k)) << (7 - at%8)
		}
	}
	keys := naive(root.Expose(), path, piecesDepth+childBits)
	require.True(t, seedA.Equal(secret.New(keys[piecesDepth+childBits])))

	erased := tree.eraseUsed()
	_, _, err = erased.eval(3, epochID{9})
	require.ErrorIs(t, err, errPunctured)
	for _, i := range []dkg.Index{0, 1, 2, 4, 1<<piecesDepth - 1} {
		want, _, err := whole.eval(i, epochID{9})
		require.NoError(t, err)
		got, _, err := erased.eval(i, epochID{9})
		require.NoError(t, err, "index %d", i)
		require.True(t, want.Equal(got))
	}
	_, _, err = erased.eval(0, a)
	require.ErrorIs(t, err, errPunctured)
	require.Less(t, len(erased.encode()), len(tree.encode()))
	_, _, err = whole.eval(1<<piecesDepth, a)
	require.ErrorIs(t, err, errPunctured, "an index outside of the tree")
}

// TestTreePathProperty compares treePath with bits written one by one.
func TestTreePathProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		depth := rapid.IntRange(minDepth, dkg.MaxDepth).Draw(t, "depth")
		i := dkg.Index(rapid.Uint32Range(0, 1<<depth-1).Draw(t, "index"))
		child := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "child")
		path := treePath(i, depth, child)
		for k := range depth {
			require.Equal(t, int(i>>(depth-1-k)&1), bit(path, k))
		}
		for k := range childBits {
			require.Equal(t, bit(child, k), bit(path, depth+k))
		}
		require.Nil(t, treePath(1<<depth, depth, child))
	})
}

// TestFrontierRefused: shapes that no sequence of evaluations leaves behind.
func TestFrontierRefused(t *testing.T) {
	key := make([]byte, keySize)
	for name, b := range map[string][]byte{
		"nothing":              {},
		"no such shape":        {3 << 6},
		"padding":              append([]byte{shapeKey<<6 | 1}, key...),
		"key missing":          {shapeKey << 6},
		"key too many":         append([]byte{shapeUsed}, key...),
		"both children used":   {shapeInner << 6},
		"beyond a leaf":        append([]byte{0b10_10_10_01, 0}, key...),
		"shape without end":    {0b10_10_10_10},
		"a node after the end": append([]byte{0b10_01_00_01}, append(key, key...)...),
	} {
		_, err := decodeFrontier(b, 2)
		typed(t, err)
		require.Error(t, err, name)
	}
	_, err := decodeFrontier(append([]byte{0b10_01_00_00}, key...), 2)
	require.NoError(t, err)
}

// TestFrontierSize: the size that bounds a frontier is that of its encoding, whatever was evaluated and erased.
func TestFrontierSize(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree := newCommitTree(secret.Random(keySize), minDepth)
		for range rapid.IntRange(0, 20).Draw(t, "steps") {
			var id epochID
			id[15] = rapid.ByteMax(7).Draw(t, "id")
			if _, next, err := tree.eval(dkg.Index(rapid.IntRange(0, 1<<minDepth-1).Draw(t, "index")), id); err == nil {
				tree = next
			}
			if rapid.IntRange(0, 9).Draw(t, "erase") == 0 {
				tree = tree.eraseUsed()
			}
			require.Equal(t, len(tree.encode()), tree.f.size())
			read, err := decodeCommitTree(tree.encode(), minDepth)
			require.NoError(t, err)
			require.Equal(t, tree.f.size(), read.f.size())
			require.Equal(t, tree.encode(), read.encode())
		}
	})
}

// TestFrontierAllocation: what decoding allocates is in proportion to the input, for shapes without keys, for ways down to
// one key each, and for those along which all else was used up (G25).
func TestFrontierAllocation(t *testing.T) {
	const depth = dkg.MaxDepth
	shapes := func(n int, shape func(i int) byte) []byte {
		b := make([]byte, n)
		for i := range 4 * n {
			b[i/4] |= shape(i) << (6 - 2*(i%4))
		}
		return b
	}
	full := []byte{} // a full tree down to the last level, of which every second leaf is used
	var grow func(bits int)
	grow = func(bits int) {
		if len(full) >= 4<<20 {
			return
		}
		full = append(full, shapeInner)
		if bits == 1 {
			full = append(full, shapeKey, shapeUsed)
			return
		}
		grow(bits - 1)
		grow(bits - 1)
	}
	grow(depth + childBits)
	lonely := []byte{} // ways to one key each, from a full tree above them
	grow = func(bits int) {
		if len(lonely) >= 4*(maxTicket/4) {
			return
		}
		lonely = append(lonely, shapeInner)
		if bits > childBits {
			grow(bits - 1)
			grow(bits - 1)
			return
		}
		for range bits - 1 {
			lonely = append(lonely, shapeUsed, shapeInner)
		}
		lonely = append(lonely, shapeUsed, shapeKey)
	}
	grow(depth + childBits)
	for name, b := range map[string][]byte{
		"inner nodes": shapes(maxTicket, func(int) byte { return shapeInner }),
		"full":        shapes(maxTicket, func(i int) byte { return full[i%len(full)] }),
		"lonely":      shapes(maxTicket, func(i int) byte { return lonely[min(i, len(lonely)-1)] }),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := decodeCommitTree(b, depth)
		runtime.ReadMemStats(&after)
		require.Error(t, err, name)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(32<<20), name)
	}
}

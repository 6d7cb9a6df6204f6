package pprf

import (
	"bytes"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

const (
	testDepth  = dkg.DefaultDepth
	smallDepth = 4       // one block of indices
	longest    = 1 << 20 // as long as a ticket
)

// naive returns the keys along the path to a leaf, from the root to the value.
func naive(root []byte, path []byte, bits int) (keys [][]byte) {
	keys = [][]byte{root}
	for i := range bits {
		d := suite.MAC(keys[i], suite.MACPPRF)
		half := d[:suite.KeySize]
		if bit(path, i) == 1 {
			half = d[suite.KeySize:]
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
		root := rapid.SliceOfN(rapid.Byte(), suite.KeySize, suite.KeySize).Draw(t, "root")
		f := New(secret.New(root), bits)
		used := map[byte]bool{}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			leaf := rapid.Byte().Draw(t, "leaf")
			before := f.Encode()
			value, next, err := f.Eval([]byte{leaf})
			require.Equal(t, before, f.Encode(), "eval changed its receiver")
			if used[leaf] {
				require.ErrorIs(t, err, ErrPunctured)
				require.Equal(t, before, next.Encode())
				continue
			}
			require.NoError(t, err)
			used[leaf] = true
			keys := naive(root, []byte{leaf}, bits)
			require.True(t, value.Equal(secret.New(keys[bits])))
			for _, k := range keys {
				require.False(t, bytes.Contains(next.Encode(), k), "a key on the path is still held")
			}
			if f, err = Decode(next.Encode(), bits); err != nil {
				t.Fatal(err)
			}
			require.Equal(t, next.Encode(), f.Encode())
		}
		for leaf := range 256 {
			value, _, err := f.Eval([]byte{byte(leaf)})
			if used[byte(leaf)] {
				require.ErrorIs(t, err, ErrPunctured)
				continue
			}
			require.NoError(t, err)
			require.True(t, value.Equal(secret.New(naive(root, []byte{byte(leaf)}, bits)[bits])))
		}
	})
}

// TestFrontierUsedUp: a tree of which every leaf was evaluated holds nothing, in one byte.
func TestFrontierUsedUp(t *testing.T) {
	f := New(secret.Random(suite.KeySize), 4)
	for i := range 16 {
		var err error
		_, f, err = f.Eval([]byte{byte(i * 5 % 16 << 4)})
		require.NoError(t, err)
	}
	require.Equal(t, []byte{shapeUsed}, f.Encode())
	require.True(t, f.root.IsZero())
	f, err := Decode([]byte{shapeUsed}, 4)
	require.NoError(t, err)
	_, _, err = f.Eval([]byte{0})
	require.ErrorIs(t, err, ErrPunctured)
}

// childPath is the path of a child whose id begins with a byte.
func childPath(i dkg.Index, depth int, id byte) []byte {
	return Path(i, depth, append([]byte{id}, make([]byte, ChildBits/8-1)...))
}

// TestCommitTree: a place is an index and the child's id; erasing leaves unused indices and index 0 alone (§5, §6).
func TestCommitTree(t *testing.T) {
	root := secret.Random(suite.KeySize)
	whole := New(root, testDepth+ChildBits)
	a := [16]byte{1}
	seedA, tree, err := whole.Eval(childPath(3, testDepth, 1))
	require.NoError(t, err)
	_, _, err = tree.Eval(childPath(3, testDepth, 1))
	require.ErrorIs(t, err, ErrPunctured)
	seedB, tree, err := tree.Eval(childPath(3, testDepth, 2))
	require.NoError(t, err, "a second child of one member from one parent")
	require.False(t, seedA.Equal(seedB))
	_, _, err = tree.Eval(childPath(0, testDepth, 1))
	require.NoError(t, err)

	path := append(suite.U32(3<<(32-testDepth)), make([]byte, 16)...)
	for i := range a { // the id follows the bits of the index
		for k := range 8 {
			at := testDepth + 8*i + k
			path[at/8] |= byte(bit(a[:], 8*i+k)) << (7 - at%8)
		}
	}
	keys := naive(root.Expose(), path, testDepth+ChildBits)
	require.True(t, seedA.Equal(secret.New(keys[testDepth+ChildBits])))
}

// TestTreePathProperty compares Path with bits written one by one.
func TestTreePathProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		depth := rapid.IntRange(smallDepth, dkg.MaxDepth).Draw(t, "depth")
		i := dkg.Index(rapid.Uint32Range(0, 1<<depth-1).Draw(t, "index"))
		child := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "child")
		path := Path(i, depth, child)
		for k := range depth {
			require.Equal(t, int(i>>(depth-1-k)&1), bit(path, k))
		}
		for k := range ChildBits {
			require.Equal(t, bit(child, k), bit(path, depth+k))
		}
		require.Nil(t, Path(1<<depth, depth, child))
	})
}

// TestFrontierRefused: shapes that no sequence of evaluations leaves behind.
func TestFrontierRefused(t *testing.T) {
	key := make([]byte, suite.KeySize)
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
		_, err := Decode(b, 2)
		require.ErrorIs(t, err, wire.ErrMalformed, name)
	}
	_, err := Decode(append([]byte{0b10_01_00_00}, key...), 2)
	require.NoError(t, err)
}

// TestFrontierSize: the size that bounds a frontier is that of its encoding, whatever was evaluated and erased.
func TestFrontierSize(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree := New(secret.Random(suite.KeySize), smallDepth+ChildBits)
		for range rapid.IntRange(0, 20).Draw(t, "steps") {
			id := make([]byte, ChildBits/8)
			id[15] = rapid.ByteMax(7).Draw(t, "id")
			if _, next, err := tree.Eval(Path(dkg.Index(rapid.IntRange(0, 1<<smallDepth-1).Draw(t, "index")), smallDepth, id)); err == nil {
				tree = next
			}
			require.Equal(t, len(tree.Encode()), tree.size())
			read, err := Decode(tree.Encode(), smallDepth+ChildBits)
			require.NoError(t, err)
			require.Equal(t, tree.size(), read.size())
			require.Equal(t, tree.Encode(), read.Encode())
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
	grow(depth + ChildBits)
	lonely := []byte{} // ways to one key each, from a full tree above them
	grow = func(bits int) {
		if len(lonely) >= 4*(longest/4) {
			return
		}
		lonely = append(lonely, shapeInner)
		if bits > ChildBits {
			grow(bits - 1)
			grow(bits - 1)
			return
		}
		for range bits - 1 {
			lonely = append(lonely, shapeUsed, shapeInner)
		}
		lonely = append(lonely, shapeUsed, shapeKey)
	}
	grow(depth + ChildBits)
	for name, b := range map[string][]byte{
		"inner nodes": shapes(longest, func(int) byte { return shapeInner }),
		"full":        shapes(longest, func(i int) byte { return full[i%len(full)] }),
		"lonely":      shapes(longest, func(i int) byte { return lonely[min(i, len(lonely)-1)] }),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Decode(b, depth+ChildBits)
		runtime.ReadMemStats(&after)
		require.Error(t, err, name)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(32<<20), name)
	}
}

// A tree that somebody hostile tells can have one leaf left in a subtree that is too large to be used up. It is read, and the leaf
// evaluated, but no tree comes of that: what was stored could not be read again (§6).
func TestNoTreeComesOfATooLargeHole(t *testing.T) {
	whole := New(secret.Random(suite.KeySize), testDepth+ChildBits)
	leaf := childPath(3, testDepth, 1)
	want, _, err := whole.Eval(leaf)
	require.NoError(t, err)
	for levels, full := range map[int]bool{maxUsedUp: false, maxUsedUp + 1: true} {
		told, err := Decode(onlyLeafOf(whole, leaf, levels).Encode(), whole.bits)
		require.NoError(t, err, levels)
		value, next, err := told.Eval(leaf)
		require.True(t, want.Equal(value), levels)
		words := Told{}.Tell(9, 1, told).Fits([]uint32{0}, 9, leaf)
		if full {
			require.ErrorIs(t, err, ErrFull, levels)
			require.Equal(t, told.Encode(), next.Encode(), levels)
			require.Empty(t, words.words, levels)
			continue
		}
		require.NoError(t, err, levels)
		again, err := Decode(next.Encode(), whole.bits)
		require.NoError(t, err, levels)
		require.Equal(t, next.Encode(), again.Encode(), levels)
		kept, err := DecodeTold(words.Encode(), whole.bits)
		require.NoError(t, err, levels)
		require.Len(t, kept.words, 1, levels)
	}
	_, err = Decode(onlyLeafOf(whole, leaf, maxUsedUp+2).Encode(), whole.bits)
	require.ErrorIs(t, err, wire.ErrMalformed)
}

// onlyLeafOf returns a tree that was whole, of which one leaf alone is left in the subtree with so many levels in which it lies.
func onlyLeafOf(f Frontier, leaf []byte, levels int) Frontier {
	var only func(n *node, depth int) *node
	only = func(n *node, depth int) *node {
		if depth == f.bits {
			return n
		}
		b := bit(leaf, depth)
		next := n.split()
		next.child[b] = only(next.child[b], depth+1)
		if f.bits-depth <= levels {
			next.child[1-b] = nil
		}
		return next
	}
	return f.shaped(only(f.root.Expose(), 0))
}

package pprf

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire/wiretest"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// leaves are all leaves of a tree of 4 bits.
func leaves() (out [][]byte) {
	for i := range 16 {
		out = append(out, []byte{byte(i << 4)})
	}
	return out
}

func newTree() Frontier { return New(secret.Random(suite.KeySize), 4) }

// puncture draws a frontier without some of its leaves.
func puncture(t *rapid.T, f Frontier) Frontier {
	for _, leaf := range leaves() {
		if rapid.IntRange(0, 3).Draw(t, "punctured") == 0 {
			f, _ = f.UseUp([][]byte{leaf}, nil)
		}
	}
	return f
}

// TestToldModel: what was punctured never comes back, whoever tells what; one issuer stands for one word; a word drops
// nothing of the same request; the stored form is exact.
func TestToldModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		trees := []Frontier{newTree(), newTree(), newTree(), newTree()}
		var told Told
		used, spent := map[int]bool{}, map[int][]secret.Bytes{}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			leaf := rapid.IntRange(0, 15).Draw(t, "leaf")
			before := told.Encode()
			next := told
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				next = told.Puncture(leaves()[leaf])
				used[leaf] = true
			case 1:
				if c := told.Candidates(leaves()[leaf]); len(c) > 0 {
					maker := dkg.Index(rapid.IntRange(1, 5).Draw(t, "maker"))
					next = told.Fits(c[0].Words, maker, leaves()[leaf])
					require.Len(t, next.Candidates(leaves()[leaf]), len(c)-1, "what other words give for the leaf stays")
					spent[leaf] = append(spent[leaf], c[0].Value)
				}
			default:
				issuer := dkg.Index(rapid.IntRange(1, 5).Draw(t, "issuer"))
				counter := rapid.Uint64Range(1, 3).Draw(t, "counter")
				f := puncture(t, rapid.SampledFrom(trees).Draw(t, "tree"))
				next = told.Tell(issuer, counter, f)
				for _, w := range told.words { // only the issuer's own word, and those of earlier requests, may go
					kept := slices.ContainsFunc(next.words, func(n word) bool { return n.no == w.no })
					require.True(t, kept || w.only(issuer) || w.counter < counter)
				}
			}
			require.Equal(t, before, told.Encode(), "the receiver changed")
			told = next
			require.LessOrEqual(t, len(told.words), MaxWords)
			for i := range dkg.Index(6) {
				stands := 0
				for _, w := range told.words {
					if slices.Contains(w.issuers, i) {
						stands++
						require.NotContains(t, w.support, i)
					}
				}
				require.LessOrEqual(t, stands, 1)
			}
			for k, leaf := range leaves() {
				if used[k] {
					require.Empty(t, told.Candidates(leaf))
				}
				for _, c := range told.Candidates(leaf) {
					require.False(t, slices.ContainsFunc(spent[k], c.Value.Equal), "a value that was used comes back")
				}
				if c := told.Candidates(leaf); len(c) > 0 {
					require.True(t, told.Covers(leaf))
				}
				if v, err := told.Supported().Value(leaf); err == nil {
					require.True(t, slices.ContainsFunc(told.Candidates(leaf), func(c Candidate) bool {
						return c.Value.Equal(v)
					}), "no word gives what is told on")
				}
			}
			read, err := DecodeTold(told.Encode(), 4)
			require.NoError(t, err)
			require.Equal(t, told.Encode(), read.Encode())
			_, err = Decode(told.Supported().Encode(), 4)
			require.NoError(t, err)
		}
	})
}

// TestFalseWordDropsNothing: a lie that fits a child of the liar's own comes first from then on, and the true word stays (D19).
func TestFalseWordDropsNothing(t *testing.T) {
	truth, lie := newTree(), newTree()
	told := Told{}.Tell(1, 7, lie).Tell(2, 7, truth)
	require.Len(t, told.words, 2)
	fitted, other := leaves()[3], leaves()[4]
	told = told.Fits(told.Candidates(fitted)[0].Words, 1, fitted)
	require.Empty(t, told.words[0].support, "an issuer supports its own word")
	told = told.Fits(told.Candidates(other)[0].Words, 9, other)
	for _, leaf := range [][]byte{fitted, other} {
		require.Len(t, told.Candidates(leaf), 1, "the place in the other word is not used up")
	}
	require.Len(t, told.Tell(3, 7, truth).Tell(1, 8, lie).Candidates(fitted), 1, "nor does what was used come back")
	c := told.Candidates(leaves()[5])
	require.Len(t, c, 2)
	v, err := truth.Value(leaves()[5])
	require.NoError(t, err)
	require.True(t, c[1].Value.Equal(v))
}

// TestFourthWord: of one request the first three words stay, and a later request makes room (D20).
func TestFourthWord(t *testing.T) {
	var told Told
	for i := range dkg.Index(4) {
		told = told.Tell(i+1, 1, newTree())
	}
	require.Len(t, told.words, MaxWords)
	require.Equal(t, []dkg.Index{1, 2, 3}, told.Issuers())
	told = told.Tell(4, 2, newTree())
	require.Equal(t, []dkg.Index{2, 3, 4}, told.Issuers())
	told = told.Tell(2, 2, newTree())
	require.Equal(t, []dkg.Index{2, 3, 4}, told.Issuers())
	require.Equal(t, told.Encode(), told.Tell(2, 1, newTree()).Encode(), "an older answer")
}

// TestCutProperty: a cut keeps what lies below its indices and nothing else, less takes away just that; both can be decoded (§6).
func TestCutProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		depth := rapid.IntRange(smallDepth, dkg.MaxDepth).Draw(t, "depth")
		top := uint32(1)<<depth - 1
		tree := New(secret.Random(suite.KeySize), depth+ChildBits)
		keep := rapid.SliceOfN(rapid.Map(rapid.Uint32Range(1, top), func(i uint32) dkg.Index { return dkg.Index(i) }), 0, 6).Draw(t, "keep")
		for _, i := range keep {
			if rapid.Bool().Draw(t, "used") {
				_, tree, _ = tree.Eval(childPath(i, depth, 1))
			}
		}
		slices.Sort(keep)
		keep = slices.Compact(keep)
		cut := tree.Cut(keep)
		for _, i := range append(slices.Clone(keep), 0, dkg.Index(top/2), dkg.Index(top)) {
			for _, child := range [][]byte{make([]byte, 16), append([]byte{1}, make([]byte, 15)...)} {
				path := Path(i, depth, child)
				want, err := tree.Value(path)
				got, errCut := cut.Value(path)
				if _, kept := slices.BinarySearch(keep, i); !kept || err != nil {
					require.ErrorIs(t, errCut, ErrPunctured)
					continue
				}
				require.True(t, want.Equal(got))
			}
		}
		less := tree.Less(keep)
		for _, i := range []dkg.Index{0, dkg.Index(top / 2), dkg.Index(top)} {
			_, errLess := less.Value(Path(i, depth, make([]byte, 16)))
			_, gone := slices.BinarySearch(keep, i)
			require.Equal(t, gone, errLess != nil)
		}
		for _, i := range keep {
			require.False(t, less.Covers(Path(i, depth, make([]byte, 16))))
		}
		for _, f := range []Frontier{cut, less} {
			read, err := Decode(f.Encode(), depth+ChildBits)
			require.NoError(t, err)
			require.Equal(t, f.Encode(), read.Encode())
		}
		senders := New(secret.Random(suite.KeySize), depth).Cut(keep)
		_, err := Decode(senders.Encode(), depth)
		require.NoError(t, err)
	})
}

// TestUniteProperty: the union of parts of one tree covers what either covers and nothing more; parts of two trees agree only
// where they have nothing in common.
func TestUniteProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		whole, other := newTree(), newTree()
		a, b := puncture(t, whole), puncture(t, whole)
		u, agree := a.Unite(b)
		require.True(t, agree)
		for _, leaf := range leaves() {
			want, err := whole.Value(leaf)
			require.NoError(t, err)
			got, err := u.Value(leaf)
			require.Equal(t, a.Covers(leaf) || b.Covers(leaf), err == nil)
			if err == nil {
				require.True(t, want.Equal(got))
			}
		}
		foreign := puncture(t, other)
		_, agree = a.Unite(foreign)
		common := slices.ContainsFunc(leaves(), func(l []byte) bool { return a.Covers(l) && foreign.Covers(l) })
		require.Equal(t, !common, agree)
		for _, leaf := range leaves() {
			if d := a.Undisputed(foreign); d.Covers(leaf) {
				require.True(t, a.Covers(leaf) && !foreign.Covers(leaf))
			}
		}
	})
}

// Disputed places below an index leave the index out, so that what is told on has an encoding.
func TestDisputeBelowAnIndex(t *testing.T) {
	tree := func() Frontier {
		_, c, err := New(secret.Random(suite.KeySize), smallDepth+ChildBits).Eval(childPath(3, smallDepth, 1))
		require.NoError(t, err)
		return c
	}
	a, b := tree(), tree()
	b = b.Cut([]dkg.Index{3})
	told := Told{}.Tell(1, 1, a).Tell(2, 1, b)
	out := told.Supported()
	require.False(t, out.Covers(Path(3, smallDepth, make([]byte, 16))))
	require.True(t, out.Covers(Path(4, smallDepth, make([]byte, 16))))
	_, err := Decode(out.Encode(), smallDepth+ChildBits)
	require.NoError(t, err)
}

func FuzzTold(f *testing.F) {
	told := Told{}.Tell(1, 7, newTree()).Tell(2, 7, newTree())
	told = told.Fits([]uint32{0}, 3, leaves()[2]).Puncture(leaves()[5])
	wiretest.Fuzz(f, func(b []byte) (Told, error) { return DecodeTold(b, 4) }, Told.Encode, told.Encode())
}

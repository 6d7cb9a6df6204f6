package epochs

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// chainKeys returns the chain keys and message keys of the first n numbers.
func chainKeys(key secret.Bytes, n int) (chains, messages []secret.Bytes) {
	for range n {
		next, m := step(key)
		chains, messages = append(chains, key), append(messages, m)
		key = next
	}
	return append(chains, key), messages
}

// gives reports whether a word still leads to the key of a number.
func (w chainWord) gives(key secret.Bytes, n int) bool {
	for _, k := range w.kept.all {
		if k.Equal(key) {
			return true
		}
	}
	_, messages := chainKeys(w.key, n)
	for _, m := range messages {
		if m.Equal(key) {
			return true
		}
	}
	return false
}

// TestChainModel: numbers of a chain are read in any order, while members tell words of it, true ones and lies, and in the end it
// is derived. Each is read once; nothing that is kept leads to what was read (D75); a lie takes no key away.
func TestChainModel(t *testing.T) {
	const numbers = 24
	rapid.Check(t, func(t *rapid.T) {
		chains, messages := chainKeys(secret.Random(suite.KeySize), numbers)
		lies, _ := chainKeys(secret.Random(suite.KeySize), numbers)
		c := chain{index: 1}
		derived := false
		if rapid.Bool().Draw(t, "derived") {
			c.derived, derived = true, true
			c.words = []chainWord{{key: chains[0]}}
		}
		read := map[int]bool{}
		told := map[dkg.Index]int{} // true words by issuer
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			n := rapid.IntRange(0, numbers-1).Draw(t, "n")
			issuer := dkg.Index(rapid.IntRange(1, 2).Draw(t, "issuer"))
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0:
				c = c.tell(issuer, 1, uint32(n), chains[n])
				if _, ok := told[issuer]; !ok || !derived {
					told[issuer] = n
				}
			case 1:
				c = c.tell(3, 1, uint32(n), lies[n]) // a lie of the same request
			case 2:
				if !derived && rapid.IntRange(0, 5).Draw(t, "derive") == 0 {
					var ok bool
					c, ok = c.derive(chains[0])
					require.True(t, ok)
					derived = true
				}
			default:
				keys, err := c.keys(uint32(n), Tag{byte(n)})
				if read[n] {
					require.Error(t, err)
					require.Empty(t, keys)
					continue
				}
				lowest := numbers
				for _, start := range told {
					lowest = min(lowest, start)
				}
				at := -1
				for i, k := range keys {
					if k.Key.Equal(messages[n]) {
						at = i
					}
				}
				if derived {
					require.NoError(t, err)
					require.Equal(t, 0, at)
				}
				if at >= 0 {
					c = c.without(uint32(n), keys[at], Tag{byte(n)})
					read[n] = true
					_, err = c.keys(uint32(n), Tag{byte(n)})
					require.ErrorIs(t, err, ErrDuplicate)
					_, err = c.keys(uint32(n), Tag{0xff})
					require.ErrorIs(t, err, ErrRolledBack)
				}
			}
			for n := range read {
				for _, w := range c.words {
					require.False(t, w.gives(messages[n], numbers), "a kept key leads to what was read")
				}
			}
		}
		c, ok := c.derive(chains[0])
		if derived {
			return
		}
		require.True(t, ok)
		for n := range numbers {
			keys, err := c.keys(uint32(n), Tag{0xee})
			require.Equal(t, !read[n], err == nil, "number %d", n)
			if err == nil {
				require.True(t, keys[0].Key.Equal(messages[n]))
			}
		}
	})
}

// TestChainLimits: a message passes over at most maxSkip numbers, at most maxKept keys are kept, and what is given up is expired.
func TestChainLimits(t *testing.T) {
	c := chain{index: 1, derived: true, words: []chainWord{{key: secret.Random(suite.KeySize)}}}
	_, err := c.keys(maxSkip+1, Tag{})
	require.ErrorIs(t, err, ErrSkips)
	_, err = c.keys(^uint32(0), Tag{})
	require.ErrorIs(t, err, ErrSkips)
	for _, n := range []uint32{maxSkip, maxSkip + 11} {
		keys, err := c.keys(n, Tag{})
		require.NoError(t, err)
		c = c.without(n, keys[0], Tag{})
	}
	require.Equal(t, maxKept, c.words[0].kept.size)
	_, err = c.keys(9, Tag{})
	require.ErrorIs(t, err, ErrExpired)
	_, err = c.keys(10, Tag{})
	require.NoError(t, err)
	for range recentNumbers + 1 {
		n := c.words[0].next
		keys, err := c.keys(n, Tag{})
		require.NoError(t, err)
		c = c.without(n, keys[0], Tag{})
	}
	_, err = c.keys(maxSkip, Tag{1})
	require.ErrorIs(t, err, ErrDuplicate, "not remembered any more")
}

// TestChainToldLate: a told chain of which much was read is derived, and one whose numbers are beyond an honest sender's is given
// up.
func TestChainToldLate(t *testing.T) {
	key := secret.Random(suite.KeySize)
	chains, messages := chainKeys(key, 5_000)
	c := chain{index: 1}.tell(2, 1, 4_500, chains[4_500])
	_, err := c.keys(4_000, Tag{})
	require.ErrorIs(t, err, ErrBelowStart)
	keys, err := c.keys(4_900, Tag{})
	require.NoError(t, err)
	c = c.without(4_900, keys[0], Tag{})
	c = c.tell(3, 1, 0, key) // too far to be seen as one, and moved past what was read all the same
	require.Len(t, c.words, 2)
	for _, w := range c.words {
		require.False(t, w.gives(messages[4_900], 100))
	}
	d, ok := c.derive(key)
	require.True(t, ok)
	_, err = d.keys(100, Tag{})
	require.ErrorIs(t, err, ErrExpired)
	_, err = d.keys(4_899, Tag{})
	require.NoError(t, err)

	far := chain{index: 1}.tell(2, 1, maxSteps, key)
	keys, err = far.keys(maxSteps+10, Tag{})
	require.NoError(t, err)
	_, ok = far.without(maxSteps+10, keys[0], Tag{}).derive(key)
	require.False(t, ok)
}

// TestIntervals: what a told chain remembers of the numbers read is exact up to its bound.
func TestIntervals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, read := chain{}, map[uint32]bool{}
		for _, n := range rapid.SliceOfN(rapid.Uint32Range(0, 30), 1, 40).Draw(t, "numbers") {
			if !read[n] {
				c = c.note(n)
			}
			read[n] = true
		}
		for n := range uint32(32) {
			require.Equal(t, read[n], c.wasRead(n))
		}
		for i, v := range c.read {
			require.Less(t, v.first, v.end)
			require.True(t, i == 0 || c.read[i-1].end < v.first)
		}
	})
	c := chain{}
	for n := range uint32(maxIntervals + 1) {
		c = c.note(2 * n)
	}
	require.Len(t, c.read, maxIntervals)
	require.EqualValues(t, 2, c.given)
	require.ErrorIs(t, c.missing(1, Tag{}), ErrExpired)
}

package gaps

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/internal/wire/wiretest"
)

func (r Read) marshal() []byte {
	w := wire.NewWriter(0)
	r.Write(w)
	return w.Bytes()
}

func parse(b []byte) (Read, error) {
	in := wire.NewReader(b)
	r := Parse(in)
	return r, in.Done()
}

// Whatever comes in which order, as often as it likes in copies, each text is new once, and what is missing is what did not come.
func TestRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r Read
		came, known := map[uint64]bool{}, map[uint64]bool{} // itself, or in any way
		highest, givenUp := uint64(0), uint64(0)
		for range rapid.IntRange(0, 60).Draw(t, "messages") {
			n, isCopy := rapid.Uint64Range(1, 40).Draw(t, "n"), rapid.Bool().Draw(t, "copy")
			if !isCopy && came[n] || n <= givenUp {
				continue // a key is erased when it is used; nothing is sent again that was given up
			}
			before := r.marshal()
			next, isNew := r.With(n, isCopy)
			require.Equal(t, before, r.marshal())
			require.Equal(t, !known[n], isNew, "message %d", n)
			r, known[n], highest = next, true, max(highest, n)
			came[n] = came[n] || !isCopy
			if rapid.IntRange(0, 9).Draw(t, "give up") == 0 {
				givenUp = rapid.Uint64Range(givenUp, highest).Draw(t, "up to")
				r = r.GivenUp(givenUp)
			}
			again, err := parse(r.marshal())
			require.NoError(t, err)
			require.Equal(t, r.marshal(), again.marshal())
			var want []uint64
			for n := givenUp + 1; n <= highest; n++ {
				if !known[n] {
					want = append(want, n)
				}
			}
			missing, above := r.Missing(Max)
			require.Equal(t, highest, above)
			var got []uint64
			for _, m := range missing {
				for n := m.From; n <= m.To; n++ {
					got = append(got, n)
				}
			}
			require.Equal(t, want, got)
			require.Equal(t, len(want) > 0, r.Misses(0))
			require.Equal(t, slices.ContainsFunc(want, func(m uint64) bool { return m > n }), r.Misses(n))
			require.Equal(t, highest, r.Highest())
			if len(want) > 0 {
				require.Equal(t, want[0]-1, r.Floor())
			} else {
				require.Equal(t, highest, r.Floor())
			}
		}
	})
}

// What is named as missing is bounded, and then what comes after counts as missing.
func TestMissingIsBounded(t *testing.T) {
	var r Read
	for _, n := range []uint64{2, 4, 6, 8} {
		r, _ = r.With(n, false)
	}
	missing, above := r.Missing(2)
	require.Equal(t, []Range{{1, 1}, {3, 3}}, missing)
	require.Equal(t, uint64(4), above)
}

// The oldest gap is forgotten for a new one: a copy of it is no longer taken, the message itself is.
func TestGapsAreBounded(t *testing.T) {
	var r Read
	for n := range uint64(Max + 1) {
		r, _ = r.With(2*n+2, false)
	}
	require.Len(t, r.gaps, Max)
	_, isNew := r.With(1, true)
	require.False(t, isNew)
	_, isNew = r.With(1, false)
	require.True(t, isNew)
	_, isNew = r.With(3, true)
	require.True(t, isNew)
	_, err := parse(r.marshal())
	require.NoError(t, err)
}

// Numbers end.
func TestHighestNumber(t *testing.T) {
	r, isNew := Read{}.With(1<<64-1, false)
	require.True(t, isNew)
	r, isNew = r.With(1<<64-2, true)
	require.True(t, isNew)
	require.Zero(t, r.Floor())
	require.Equal(t, uint64(1<<64-1), r.GivenUp(1<<64-1).Floor())
}

func FuzzStoredGaps(f *testing.F) {
	r, _ := Read{}.With(3, false)
	r, _ = r.With(7, true)
	wiretest.Fuzz(f, parse, Read.marshal, Read{}.marshal(), r.marshal())
}

package state

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/state/store"
)

// A list of retained frames is what a plain slice is after the same changes, and a list that was changed stays as it was.
func TestHeldFrames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type version struct {
			list heldFrames
			want []heldFrame
		}
		var versions []version
		now, last := version{}, uint64(0)
		draw := func(known bool) heldFrame {
			last += uint64(rapid.IntRange(1, 3).Draw(t, "gap"))
			f := heldFrame{HeldFrame: store.HeldFrame{Hash: [32]byte{byte(last), byte(last >> 8)}, Seq: last}}
			if known {
				f.framing = &framing{fmt.Sprint(last % 3), int64(last), rapid.IntRange(0, 99).Draw(t, "bytes")}
			}
			return f
		}
		for range rapid.IntRange(0, 8).Draw(t, "changes") {
			versions = append(versions, now)
			var gone []uint64
			kept := []heldFrame{}
			for _, f := range now.want {
				if rapid.IntRange(0, 3).Draw(t, "of four") == 0 {
					gone = append(gone, f.Seq)
				} else {
					kept = append(kept, f)
				}
			}
			more := make([]heldFrame, rapid.IntRange(0, 3*chunkFrames).Draw(t, "more"))
			for i := range more {
				more[i] = draw(i%5 > 0)
			}
			now = version{now.list.without(gone...).with(more...), append(kept, more...)}
			now.list = now.list.without(0, last+1)
		}
		for _, v := range append(versions, now) {
			require.True(t, slices.Equal(v.want, slices.Collect(v.list.all())))
			var all burden
			same := make(map[string]burden)
			for _, f := range v.want {
				rec, held := v.list.find(f.Hash)
				require.True(t, held)
				require.Equal(t, f.HeldFrame, rec)
				require.True(t, v.list.has(f.Hash, f.Seq))
				require.False(t, v.list.has([32]byte{31: 1}, f.Seq))
				if f.framing != nil {
					all = all.plus(burden{1, f.bytes})
					same[f.source] = same[f.source].plus(burden{1, f.bytes})
				}
			}
			require.False(t, v.list.has([32]byte{}, last+1))
			_, held := v.list.find([32]byte{31: 1})
			require.False(t, held)
			for _, source := range []string{"0", "1", "2", "none"} {
				gotAll, gotSame := v.list.burdens(source)
				require.Equal(t, all, gotAll)
				require.Equal(t, same[source], gotSame)
			}
		}
	})
}

package orphans_test

import (
	"fmt"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/internal/orphans"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
)

// counted is a forest that counts how many epochs it hands out that are not asked for as near ones.
type counted struct {
	*forest
	epochs int
}

func (c *counted) Up(first uint64) iter.Seq2[uint64, orphans.Epoch] {
	return c.count(c.forest.Up(first))
}
func (c *counted) Down(last uint64) iter.Seq2[uint64, orphans.Epoch] {
	return c.count(c.forest.Down(last))
}

func (c *counted) count(all iter.Seq2[uint64, orphans.Epoch]) iter.Seq2[uint64, orphans.Epoch] {
	return func(yield func(uint64, orphans.Epoch) bool) {
		for n, e := range all {
			if c.epochs++; !yield(n, e) {
				return
			}
		}
	}
}

// A frame that nothing opens is tried once with each epoch held, its header and each of its commits, and a few commits once more with
// the epochs that are near: the last four of its own way, and the first of each other one.
func TestTrialsOfAFrameThatNothingOpens(t *testing.T) {
	const near, ofOwn, others = 5, 4, proto.MaxWays - 1
	for _, held := range []int{10, 1_000} {
		w := newWorld(t)
		var nodes []node
		for k := range held - 1 {
			nodes = append(nodes, newNode(proto.EpochID{byte(k), byte(k >> 8), 1}, proto.EpochID{}, 1,
				proto.DeriveKeys(w.root.keys.Commit, proto.Place{byte(k), byte(k >> 8)})))
		}
		for _, ways := range [][proto.MaxWays]int{{}, {1}, {4}, {196}, {4, 1, 1, 1, 1, 1, 1, 1}, {0, 3, 3, 3, 3, 3, 3, 3}} {
			t.Run(fmt.Sprintf("%d epochs, ways of %v", held, ways), func(t *testing.T) {
				fr := w.junk("a", ways[0])
				commits := ways[0]
				for _, n := range ways[1:] {
					if commits += n; n > 0 {
						fr.Envelope.Others = append(fr.Envelope.Others, w.junk("a", n).Envelope.Own)
					}
				}
				f := &counted{forest: w.forest(nodes...)}
				orphans.Index{}.Search(fr, f, &orphans.Budget{Checks: 1}) // it tries no commit
				require.LessOrEqual(t, f.epochs, held, "each header once")

				x, spent := orphans.Index{}, 0
				for {
					b := orphans.ForFrame()
					amount := b.Trials
					x, _ = x.Note(x.Search(fr, f, b), orphans.Reading{})
					if b.Trials == amount {
						break
					}
					spent += amount - b.Trials
				}
				t.Logf("%d trials", spent)
				require.GreaterOrEqual(t, spent, held*commits)
				require.LessOrEqual(t, spent, held*commits+near*(min(ways[0], ofOwn)+len(fr.Envelope.Others)))
				require.LessOrEqual(t, spent, held*commits+near*(ofOwn+others))
			})
		}
	}
}

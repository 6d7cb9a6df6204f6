package orphans_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/internal/orphans"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
)

// epochs returns a forest of so many epochs.
func (w *world) epochs(n int) *forest {
	f := w.forest()
	for k := range n - 1 {
		place := proto.Place{byte(k), byte(k >> 8)}
		f.enter(newNode(proto.EpochID{byte(k), byte(k >> 8), 3}, w.root.ID, 1, proto.DeriveKeys(w.root.keys.Commit, place)))
	}
	return f
}

// flood returns an index that holds so many frames of junk.
func (w *world) flood(f *forest, n int) orphans.Index {
	var x orphans.Index
	for k := range n {
		x, _ = x.Note(x.Search(w.junk(fmt.Sprint("source", k/1_000), 4), f, orphans.ForFrame()), orphans.Reading{})
	}
	clear(w.frames)
	return x
}

// BenchmarkHostileFrame notes one frame that nothing opens, with 10 epochs held, in a vault. Its time and the bytes written
// are not to grow with the number of frames held.
func BenchmarkHostileFrame(b *testing.B) {
	for _, held := range []int{0, 20_000} {
		b.Run(fmt.Sprintf("held=%d", held), func(b *testing.B) {
			w := newWorld(b)
			f := w.epochs(10)
			x := w.flood(f, held)
			v := newVault(b, x)
			written, n := 0, 0
			b.ReportAllocs()
			for b.Loop() {
				_, bytes := v.update(func(x orphans.Index) orphans.Index {
					x, _ = x.Note(x.Search(w.junk("source7", 4), f, orphans.ForFrame()), orphans.Reading{})
					return x
				})
				clear(w.frames)
				if held == 0 && n%10 == 9 { // stays almost empty
					v.update(func(orphans.Index) orphans.Index { return orphans.Index{} })
				}
				written, n = written+bytes, n+1
			}
			b.ReportMetric(float64(written)/float64(n), "written/op")
		})
	}
}

// BenchmarkPlainReceive finds the epoch of a message in the preferred epoch. It is not to grow with the frames held.
func BenchmarkPlainReceive(b *testing.B) {
	for _, held := range []int{0, 20_000} {
		b.Run(fmt.Sprintf("held=%d", held), func(b *testing.B) {
			w := newWorld(b)
			f := w.epochs(10)
			last := f.held[len(f.held)-1]
			x := w.flood(f, held)
			fr := w.message(last, 1, "a", nil)
			for b.Loop() {
				r := x.Search(fr, f, orphans.ForFrame())
				x = x.Keep(fr, 1, f, orphans.ForFrame(), orphans.Reading{})
				require.True(b, r.Found)
			}
		})
	}
}

// BenchmarkJunkCommits searches a frame of 64 KiB of junk with 1,000 epochs held; "honest" is what the least honest message
// of 1 KiB costs: its search, opening and signature.
func BenchmarkJunkCommits(b *testing.B) {
	w := newWorld(b)
	f := w.epochs(1_000)
	b.Run("junk", func(b *testing.B) {
		fr := w.junk("a", 196)
		for b.Loop() {
			require.False(b, orphans.Index{}.Search(fr, f, orphans.ForFrame()).Found)
		}
	})
	b.Run("honest", func(b *testing.B) {
		last := f.held[len(f.held)-1]
		fr := w.message(last, 1, "a", nil)
		fr.Envelope.Body = w.bytes(1 << 10)
		ctx := proto.MessageContext{Space: w.space, Epoch: last.ID, Bound: fr.Envelope.Bound()}
		message := w.keys[1].Sign(suite.SignMessage, fr.Envelope.Body)
		for b.Loop() {
			require.True(b, orphans.Index{}.Search(fr, f, orphans.ForFrame()).Found)
			_, err := fr.Envelope.Open(ctx, last.keys.Commit)
			require.Error(b, err)
			require.NoError(b, w.keys[1].Public.Verify(message, suite.SignMessage, fr.Envelope.Body))
		}
	})
}

// BenchmarkEpochEntered tries the headers of all frames held with one epoch.
func BenchmarkEpochEntered(b *testing.B) {
	w := newWorld(b)
	f := w.epochs(10)
	x := w.flood(f, 20_000)
	p := f.enter(newNode(proto.EpochID{4, 4}, w.root.ID, 1, w.root.keys))
	for b.Loop() {
		_, retry := x.Advance(p, f)
		require.Empty(b, retry)
	}
}

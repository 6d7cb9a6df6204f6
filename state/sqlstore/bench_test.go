package sqlstore

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state/store"
)

// BenchmarkCommit commits what one message changes: the state, two segments, an item of the outbox and the record of a
// frame, with the given number of bytes in all. Beside it runs the least that a durable write costs on this disk.
func BenchmarkCommit(b *testing.B) {
	for _, size := range []int{512, 8 << 10, 64 << 10} {
		b.Run(fmt.Sprintf("SQLite/%d", size), func(b *testing.B) { benchmarkCommit(b, open(b, file(b)), size) })
		b.Run(fmt.Sprintf("Memory/%d", size), func(b *testing.B) { benchmarkCommit(b, store.NewMemory(), size) })
		b.Run(fmt.Sprintf("fsync/%d", size), func(b *testing.B) { benchmarkSync(b, size) })
	}
}

func benchmarkCommit(b *testing.B, s store.Store, size int) {
	id := store.NewID()
	piece := make([]byte, size/4)
	rand.Read(piece)
	change := store.Change{Kind: store.Spaces, ID: id, Next: store.Head{Version: 1, Sealed: make([]byte, 100)}, Parts: [][]byte{piece, piece, piece}}
	require.NoError(b, s.Commit(b.Context(), change))
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		n := change.Next.Version
		change.Base = change.Next
		change.Next.Version++
		change.Parts = [][]byte{piece, nil, nil}
		change.Put = map[string][]byte{"state/0": piece, "state/1": piece}
		change.Outbox = []store.Item{{Seq: n, Data: piece}}
		change.Sent = []uint64{max(n, 10) - 10} // to keep the queue at a steady length
		change.Frames = []store.FrameRecord{{Hash: sha256.Sum256(fmt.Append(nil, n)), Seq: n}}
		change.Forget = max(n, 1000) - 1000
		require.NoError(b, s.Commit(b.Context(), change))
	}
}

func benchmarkSync(b *testing.B, size int) {
	f, err := os.Create(filepath.Join(b.TempDir(), "log"))
	require.NoError(b, err)
	defer f.Close()
	data := make([]byte, size)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		_, err := f.Write(data)
		require.NoError(b, err)
		require.NoError(b, f.Sync())
	}
}

func BenchmarkLoad(b *testing.B) {
	for _, segments := range []int{0, 100} {
		b.Run(fmt.Sprint(segments), func(b *testing.B) {
			s, id := open(b, file(b)), store.NewID()
			c := store.Change{
				Kind: store.Spaces, ID: id,
				Next:  store.Head{Version: 1, Sealed: make([]byte, 100)},
				Parts: [][]byte{make([]byte, 1000), make([]byte, 1000), make([]byte, 1000)},
				Put:   map[string][]byte{},
			}
			for i := range segments {
				c.Put[fmt.Sprint("state/", i)] = make([]byte, 1000)
			}
			require.NoError(b, s.Commit(b.Context(), c))
			b.ReportAllocs()
			for b.Loop() {
				_, err := s.Load(b.Context(), store.Spaces, id)
				require.NoError(b, err)
			}
		})
	}
}

package state_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/disktest"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// sqliteDisk is sqliteFile on a disk that counts the bytes which are written to the file and its log, checkpoints included.
func sqliteDisk(b *testing.B) (s store.Store, written *atomic.Int64) {
	written = new(atomic.Int64)
	disk, err := disktest.New(func(op disktest.Op) disktest.Fault {
		if op.Kind == disktest.Write {
			written.Add(int64(len(op.Data)))
		}
		return disktest.None
	})
	require.NoError(b, err)
	return sqliteAt(b, disk.DSN(filepath.Join(b.TempDir(), "bench.db"))), written
}

// BenchmarkReceiveAll receives frames of 1 KiB into an SQLite file, one by one and 128 in one commit, and says what that takes and
// writes for each frame.
func BenchmarkReceiveAll(b *testing.B) {
	for _, batch := range []int{1, 128} {
		b.Run(fmt.Sprintf("frames=%d", batch), func(b *testing.B) {
			backend, written := sqliteDisk(b)
			v := openToys(b, backend, state.Options{Inbox: 1 << 30})
			require.NoError(b, v.Create(b.Context(), newToy(b, id(1)), nil))
			read := func(tx *state.Tx[toy], f state.Frame) error {
				tx.Set(tx.Value().WithEvals(tx.Value().Evals().next()))
				tx.Deliver(f.Data)
				return nil
			}
			n := 0
			written.Store(0)
			for b.Loop() {
				frames := make([]state.Frame, batch)
				for i := range frames {
					n++
					frames[i] = state.Frame{Source: "peer", Data: fmt.Appendf(make([]byte, 1000), "%24d", n)}
				}
				receipts, err := v.ReceiveAll(b.Context(), id(1), frames, read)
				if err != nil || receipts[0].Verdict != state.Read {
					b.Fatal(err, receipts[0].Reason)
				}
				if n%1024 == 0 { // the inbox stays short
					b.StopTimer()
					require.NoError(b, v.Drain(b.Context(), id(1), func(context.Context, state.Incoming) error { return nil }))
					b.StartTimer()
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/frame")
			b.ReportMetric(float64(written.Load())/float64(n), "file-B/frame")
		})
	}
}

// BenchmarkGroupCommit updates 64 spaces in an SQLite file, one after the other and all at once. An operation is one update of
// each.
func BenchmarkGroupCommit(b *testing.B) {
	const spaces = 64
	for _, at := range []string{"one by one", "at once"} {
		b.Run(at, func(b *testing.B) {
			v := openToys(b, sqliteFile(b), state.Options{})
			for n := range byte(spaces) {
				require.NoError(b, v.Create(b.Context(), newToy(b, id(n+1)), nil))
			}
			for b.Loop() {
				var wg sync.WaitGroup
				for n := range byte(spaces) {
					update := func() {
						if err := v.Update(b.Context(), id(n+1), func(tx *state.Tx[toy]) error {
							tx.Set(tx.Value().WithEvals(tx.Value().Evals().next()))
							return nil
						}); err != nil {
							b.Error(err)
						}
					}
					if at == "at once" {
						wg.Go(update)
					} else {
						update()
					}
				}
				wg.Wait()
			}
		})
	}
}

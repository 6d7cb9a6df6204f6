//go:build unix

package ratchet_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/trefoil-im/trefoil/internal/disktest"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/ratchettest"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/sqlstore"
)

// BenchmarkWritten receives messages of 1 KiB of a space of four in a vault on an SQLite file and hands them over, one by one and
// in batches of 64. It reports how many bytes SQLite writes to its file and log for a message, the checkpoints included.
func BenchmarkWritten(b *testing.B) {
	for _, batch := range []int{1, 64} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			var perMessage float64
			for b.Loop() {
				perMessage = written(b, 512, batch)
			}
			b.ReportMetric(perMessage, "written-B/msg")
		})
	}
}

// written returns the bytes that a message costs.
func written(b *testing.B, messages, batch int) float64 {
	bytes := 0
	disk, err := disktest.New(func(op disktest.Op) disktest.Fault {
		bytes += len(op.Data)
		return disktest.None
	})
	require.NoError(b, err)
	db, err := sql.Open("sqlite", disk.DSN(filepath.Join(b.TempDir(), "space.db")))
	require.NoError(b, err)
	defer db.Close()
	s, err := sqlstore.SQLite(b.Context(), db)
	require.NoError(b, err)
	defer s.Close()
	key, err := state.NewKey(make([]byte, 32))
	require.NoError(b, err)
	v, err := state.Open[ratchet.Space](b.Context(), s, key, state.Options{})
	require.NoError(b, err)

	c := newCrowd(b, 4)
	reader := c.Peers[0].Space
	require.NoError(b, v.Create(b.Context(), reader, nil))
	frames := make([]state.Frame, messages)
	for i := range frames {
		frames[i] = state.Frame{Source: ratchettest.Topic, Data: c.say(i%len(c.others), string(kilobyte))}
	}
	open := ratchet.Opener(ratchet.Options{})
	require.NoError(b, s.Scrub(b.Context()))
	bytes = 0
	for len(frames) > 0 {
		receipts, err := v.ReceiveAll(b.Context(), reader.ID(), frames[:batch], open)
		require.NoError(b, err)
		for _, r := range receipts {
			require.Equal(b, state.Read, r.Verdict, "%v", r.Reason)
		}
		require.NoError(b, v.Drain(b.Context(), reader.ID(), func(context.Context, state.Incoming) error { return nil }))
		frames = frames[batch:]
	}
	require.NoError(b, s.Scrub(b.Context()))
	return float64(bytes) / float64(messages)
}

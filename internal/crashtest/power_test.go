package crashtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/disktest"
)

// file is the database. Its log goes into it often, so that a crash meets that, too.
const file = "crash.db"

const checkpoints = "wal_autocheckpoint(30)"

// recording is a script that was run on a recording disk, to be interrupted afterwards.
type recording struct {
	script  script
	trace   disktest.Trace
	journal []entry
	at      []int // length of the trace at each entry of the journal
}

func record(t *testing.T, seed uint64, ops int) recording {
	disk, err := disktest.New(nil)
	require.NoError(t, err)
	disk.Record()
	rec := recording{script: newScript(seed, ops)}
	p := &program{dsn: disk.DSN(filepath.Join(t.TempDir(), file), checkpoints), note: func(e entry) {
		rec.journal, rec.at = append(rec.journal, e), append(rec.at, len(disk.Trace()))
	}}
	require.NoError(t, p.run(t.Context(), rec.script, 0), "seed %d", seed)
	rec.trace = disk.Trace()
	return rec
}

// crash checks what a power loss after n operations on the disk leaves.
func (rec recording) crash(ctx context.Context, dir string, n int, seed uint64, ignore func(disktest.Op) bool) error {
	r := rand.New(rand.NewPCG(seed, uint64(n)))
	if err := rec.trace[:n].Image(dir, r, ignore); err != nil {
		return err
	}
	if r.IntN(2) == 0 { // SQLite must not rely on the index of the log either, which is never synced
		index := make([]byte, 32<<10)
		for i := range index {
			index[i] = byte(r.Uint32())
		}
		if err := os.WriteFile(filepath.Join(dir, file+"-shm"), index, 0o600); err != nil {
			return err
		}
	}
	known := 0
	for known < len(rec.at) && rec.at[known] <= n {
		known++
	}
	if _, _, err := check(ctx, filepath.Join(dir, file), rec.script, rec.journal[:known:known]); err != nil {
		return fmt.Errorf("power loss after %d operations on the disk, seed %d: %w", n, seed, err)
	}
	return nil
}

// After a power loss at any moment the store holds everything that was acknowledged, and is whole (G4).
func TestPowerLoss(t *testing.T) {
	const scripts = 4
	images := times(12, 1000)
	for seed := range uint64(scripts) {
		rec := record(t, seed, times(60, 200))
		t.Logf("seed %d: %d operations on the disk", seed, len(rec.trace))
		for i := range images {
			n := len(rec.trace) * (i + 1) / images
			require.NoError(t, rec.crash(t.Context(), t.TempDir(), n, seed, nil))
		}
	}
}

// The tests above see a device that reports syncs done too early. If it does so for the log only, which the store relies on
// for each commit, or for all files, acknowledged operations are lost.
func TestIgnoredSyncsAreSeen(t *testing.T) {
	rec := record(t, 1, 60)
	for name, ignore := range map[string]func(disktest.Op) bool{
		"log":   func(op disktest.Op) bool { return strings.HasSuffix(op.File, "-wal") },
		"files": func(disktest.Op) bool { return true },
	} {
		const images = 20
		seen := 0
		for i := range images {
			if rec.crash(t.Context(), t.TempDir(), len(rec.trace)*(i+1)/images, uint64(i), ignore) != nil {
				seen++
			}
		}
		t.Logf("syncs of %s ignored: seen in %d of %d images", name, seen, images)
		require.Greater(t, seen, images/4, "syncs of %s ignored", name)
	}
}

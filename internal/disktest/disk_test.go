package disktest

import (
	"database/sql"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"
)

// fill makes a database on the disk and inserts rows one by one. It returns how many were inserted.
func fill(t *testing.T, d *Disk, path string, rows int) (done int, err error) {
	db, err := sql.Open("sqlite", d.DSN(path, "journal_mode(wal)", "synchronous(full)", "wal_autocheckpoint(20)"))
	require.NoError(t, err)
	defer db.Close()
	if _, err = db.Exec("CREATE TABLE IF NOT EXISTS t (x INTEGER PRIMARY KEY, y BLOB)"); err != nil {
		return 0, err
	}
	for range rows {
		if _, err = db.Exec("INSERT INTO t (y) VALUES (randomblob(3000))"); err != nil {
			return done, err
		}
		done++
	}
	return done, nil
}

// count returns the number of rows in a database that must be whole.
func count(t *testing.T, path string) (rows int) {
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	defer db.Close()
	var verdict string
	require.NoError(t, db.QueryRow("PRAGMA integrity_check").Scan(&verdict))
	require.Equal(t, "ok", verdict)
	if db.QueryRow("SELECT count(*) FROM t").Scan(&rows) != nil {
		return -1 // no table yet
	}
	return rows
}

// What the trace says is what is in the files.
func TestTraceIsComplete(t *testing.T) {
	d, err := New(nil)
	require.NoError(t, err)
	d.Record()
	path := filepath.Join(t.TempDir(), "t.db")
	_, err = fill(t, d, path, 30)
	require.NoError(t, err)
	var kinds []Kind
	var got []byte
	for _, op := range d.Trace() {
		kinds = append(kinds, op.Kind)
		if op.File == "t.db" && (op.Kind == Write || op.Kind == Truncate) {
			got = apply(got, op)
		}
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, want, got)
	for k := Create; k <= Delete; k++ {
		require.Contains(t, kinds, k)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 1, "the log is removed by the last connection")
}

// Of a database that syncs every commit a power loss at any moment leaves all of them, and if the device ignores syncs,
// it does not.
func TestImagesLoseOnlyWhatWasNotSynced(t *testing.T) {
	const rows = 12
	d, err := New(nil)
	require.NoError(t, err)
	d.Record()
	dir := t.TempDir()
	db, err := sql.Open("sqlite", d.DSN(filepath.Join(dir, "t.db"), "journal_mode(wal)", "synchronous(full)"))
	require.NoError(t, err)
	defer db.Close()
	_, err = db.Exec("CREATE TABLE t (x INTEGER PRIMARY KEY, y BLOB)")
	require.NoError(t, err)
	ends := []int{len(d.Trace())}
	for range rows {
		_, err = db.Exec("INSERT INTO t (y) VALUES (randomblob(3000))")
		require.NoError(t, err)
		ends = append(ends, len(d.Trace()))
	}
	trace := d.Trace()
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 0))
		at := ends[0] + r.IntN(len(trace)-ends[0]+1)
		dir := t.TempDir()
		require.NoError(t, trace[:at].Image(dir, r, nil))
		acknowledged, _ := slices.BinarySearch(ends, at+1)
		got := count(t, filepath.Join(dir, "t.db"))
		require.GreaterOrEqual(t, got, acknowledged-1, "seed %d", seed)
		require.LessOrEqual(t, got, acknowledged, "seed %d", seed)
	}
	lost := 0
	for seed := range uint64(40) {
		dir := t.TempDir()
		require.NoError(t, trace.Image(dir, rand.New(rand.NewPCG(seed, 0)), func(op Op) bool { return op.File == "t.db-wal" }))
		if count(t, filepath.Join(dir, "t.db")) < rows {
			lost++
		}
	}
	require.NotZero(t, lost)
}

// A name is sure to be there, or not to be, only once the directory was synced; what was synced in a file is there if its
// name is, and of what was not any sectors are.
func TestImagesOfSmallTraces(t *testing.T) {
	old, later := Op{Kind: Write, File: "f", Data: []byte("old")}, Op{Kind: Write, File: "f", Data: []byte("new")}
	long := Op{Kind: Write, File: "f", Offset: sector - 1, Data: []byte("ab")}
	for _, c := range []struct {
		trace Trace
		want  []string // each at least once, and no other; "-" is no file
	}{
		{Trace{{Kind: Create, File: "f"}, old, {Kind: Sync, File: "f"}}, []string{"-", "old"}},
		{Trace{{Kind: Create, File: "f"}, old, {Kind: Sync, File: "f", Dir: true}}, []string{"old"}},
		{Trace{{Kind: Create, File: "f"}, {Kind: Sync, File: "f", Dir: true}, old}, []string{"", "old"}},
		{Trace{{Kind: Create, File: "f"}, old, {Kind: Sync, File: "f", Dir: true}, later}, []string{"old", "new"}},
		{Trace{{Kind: Create, File: "f"}, old, {Kind: Sync, File: "f", Dir: true}, {Kind: Truncate, File: "f"}}, []string{"old", ""}},
		{Trace{{Kind: Create, File: "f"}, old, {Kind: Sync, File: "f", Dir: true}, {Kind: Delete, File: "f"}}, []string{"old", "-"}},
		{Trace{{Kind: Create, File: "f"}, old, {Kind: Sync, File: "f", Dir: true}, {Kind: Delete, File: "f", Dir: true}}, []string{"-"}},
		{Trace{{Kind: Create, File: "f"}, {Kind: Sync, File: "f", Dir: true}, long}, []string{
			"", strings.Repeat("\x00", sector-1) + "a", strings.Repeat("\x00", sector) + "b", strings.Repeat("\x00", sector-1) + "ab",
		}},
	} {
		var got []string
		for seed := range uint64(100) {
			dir := t.TempDir()
			require.NoError(t, c.trace.Image(dir, rand.New(rand.NewPCG(seed, 0)), nil))
			b, err := os.ReadFile(filepath.Join(dir, "f"))
			if err != nil {
				require.ErrorIs(t, err, os.ErrNotExist)
				b = []byte("-")
			}
			if !slices.Contains(got, string(b)) {
				got = append(got, string(b))
			}
		}
		require.ElementsMatch(t, c.want, got, "%v", c.trace)
	}
}

// Each operation that fails is reported by SQLite, and leaves what was committed before.
func TestFaultsAreReported(t *testing.T) {
	for _, fault := range []Fault{Broken, Full, Half} {
		for _, kind := range []Kind{Read, Create, Write, Sync} {
			dir := t.TempDir()
			path := filepath.Join(dir, "t.db")
			d, err := New(nil)
			require.NoError(t, err)
			_, err = fill(t, d, path, 3)
			require.NoError(t, err)
			d.Decide(func(op Op) Fault {
				if op.Kind == kind {
					return fault
				}
				return None
			})
			_, err = fill(t, d, path, 1)
			require.Error(t, err, "%s", kind)
			require.Equal(t, 3, count(t, path), "%s", kind)
			d.Decide(nil)
			_, err = fill(t, d, path, 1)
			require.NoError(t, err, "%s", kind)
			require.Equal(t, 4, count(t, path), "%s", kind)
		}
	}
}

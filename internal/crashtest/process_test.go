package crashtest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/disktest"
	"github.com/trefoil-im/trefoil/internal/pgtest"
)

// child says what a process does that is to be killed: this test program, started with this in its environment.
type child struct {
	Path   string
	Seed   uint64
	Ops    int
	Skip   int            // operations that are done
	KillAt int            // operation on the disk at which it ends, 0 for none
	Fault  disktest.Fault // how it ends then
	Early  bool           // see program
	Server bool           // its server may be killed, which ends it, too
}

const variable = "TREFOIL_CRASHTEST_CHILD"

func TestMain(m *testing.M) {
	if config := os.Getenv(variable); config != "" {
		runChild(config)
	}
	os.Exit(pgtest.Run(m))
}

// runChild runs a script and writes the journal to standard output, a line at a time.
func runChild(config string) {
	var c child
	journal := json.NewEncoder(os.Stdout)
	err := json.Unmarshal([]byte(config), &c)
	if err == nil {
		err = c.run(func(e entry) {
			if journal.Encode(e) != nil {
				os.Exit(1) // the parent is gone
			}
		})
	}
	if err != nil {
		journal.Encode(entry{Event: failed, What: err.Error()})
		os.Exit(1)
	}
	os.Exit(0)
}

func (c child) run(note func(entry)) error {
	p := &program{dsn: c.Path, note: note, early: c.Early}
	if !onServer(c.Path) {
		disk, err := c.disk()
		if err != nil {
			return err
		}
		p.dsn = disk.DSN(c.Path, checkpoints)
	}
	return p.run(context.Background(), newScript(c.Seed, c.Ops), c.Skip)
}

// disk returns the disk that ends the process.
func (c child) disk() (*disktest.Disk, error) {
	n := 0
	return disktest.New(func(op disktest.Op) disktest.Fault {
		if op.Kind != disktest.Read {
			n++
		}
		if n == c.KillAt && op.Kind != disktest.Read {
			return c.Fault
		}
		return disktest.None
	})
}

// start runs the child until it ends and returns its journal, and whether it was killed. After each entry it asks stop
// whether to kill it now.
func (c child) start(t *testing.T, stop func(entries int) bool) (journal []entry, killed bool) {
	config, err := json.Marshal(c)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), variable+"="+string(config))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := json.NewDecoder(out)
	for {
		var e entry
		if err := lines.Decode(&e); err == io.EOF || err == io.ErrUnexpectedEOF {
			break
		} else if err != nil {
			require.NoError(t, err)
		}
		if e.Event == failed && c.Server {
			continue
		}
		require.NotEqual(t, failed, e.Event, "%+v: %s", c, e.What)
		journal = append(journal, e)
		if stop != nil && stop(len(journal)) {
			cmd.Process.Kill() // it may have ended
			stop = nil
		}
	}
	err = cmd.Wait()
	return journal, err != nil
}

// crashed copies what a killed child left and checks the copy. It returns what check does.
func (c child) crashed(t *testing.T, s script, journal []entry) (at int, rest script, err error) {
	copied := ""
	if onServer(c.Path) {
		copied = copyDatabase(t, c.Path)
	} else {
		copied = copyFiles(t, c.Path)
	}
	if at, rest, err = check(t.Context(), copied, s, journal); err != nil {
		err = fmt.Errorf("after %+v: %w", c, err)
	}
	return at, rest, err
}

func copyFiles(t *testing.T, path string) string {
	copied := filepath.Join(t.TempDir(), file)
	for _, suffix := range []string{"", "-journal", "-wal", "-shm"} {
		b, err := os.ReadFile(path + suffix)
		if os.IsNotExist(err) {
			continue
		}
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(copied+suffix, b, 0o600))
	}
	return copied
}

// copyDatabase copies a database of a server, when the sessions that a killed client had are over.
func copyDatabase(t *testing.T, dsn string) string {
	server, name, _ := strings.Cut(dsn, " dbname=")
	copied := "copy_" + strings.ToLower(rand.Text())
	db, err := sql.Open("pgx", server+" dbname=template1")
	require.NoError(t, err)
	defer db.Close()
	// What is still under way there was not acknowledged.
	_, err = db.Exec("SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = $1", name)
	require.NoError(t, err)
	_, err = db.Exec("CREATE DATABASE " + copied + " TEMPLATE " + name)
	require.NoError(t, err)
	return server + " dbname=" + copied
}

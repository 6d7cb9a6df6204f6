//go:build unix

package pgtest

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { os.Exit(Run(m)) }

// A server keeps what it committed when it is killed, and two servers have nothing in common.
func TestServerIsKilledAndRestarted(t *testing.T) {
	a, b := Start(t), Start(t)
	a.sql(t, "CREATE TABLE t (x int)")
	for i := range 3 {
		a.sql(t, "INSERT INTO t VALUES (1)")
		a.Kill(t)
		a.Restart(t)
		require.Equal(t, string(rune('1'+i)), a.sql(t, "SELECT count(*) FROM t"))
	}
	require.Equal(t, "", b.sql(t, "SELECT to_regclass('t')"))
}

// Databases on the shared server have nothing in common.
func TestDatabases(t *testing.T) {
	first, second := Database(t), Database(t)
	require.NotEqual(t, first, second)
	for _, dsn := range []string{first, second} {
		out, err := command("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", dsn, "-c", "CREATE TABLE t (x int)").CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
}

//go:build unix

package pgtest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// sql runs a statement with the server's own client.
func (s *Server) sql(t *testing.T, statement string) string {
	out, err := s.command("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", s.DSN(), "-c", statement).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return strings.TrimSpace(string(out))
}

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

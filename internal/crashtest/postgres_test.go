//go:build unix

package crashtest

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/pgtest"
)

// database makes a database for a seed, and returns a child that runs in it.
func database(t *testing.T, server *pgtest.Server, seed uint64) child {
	db, err := sql.Open("pgx", server.DSN())
	require.NoError(t, err)
	defer db.Close()
	name := fmt.Sprint("crash_", seed)
	_, err = db.Exec("CREATE DATABASE " + name)
	require.NoError(t, err)
	return child{Path: strings.Replace(server.DSN(), "dbname=postgres", "dbname="+name, 1)}
}

// What holds of files holds on PostgreSQL when the program is killed at any moment (G4).
func TestKilledOnPostgres(t *testing.T) {
	server := pgtest.Start(t)
	killAtAnyMoment(t, times(10, 1000), func(seed uint64) child { return database(t, server, seed) }, nil)
}

// It also holds when the server is killed, which ends the program.
func TestPostgresIsKilled(t *testing.T) {
	server := pgtest.Start(t)
	killAtAnyMoment(t, times(10, 1000), func(seed uint64) child {
		c := database(t, server, seed)
		c.Server = true
		return c
	}, func() {
		server.Kill(t)
		server.Restart(t)
	})
}

//go:build unix

package worker_test

import (
	"testing"

	"github.com/trefoil-im/trefoil/internal/pgtest"
)

// G7, G35: workers on PostgreSQL send each frame once, and lose none when they are killed.
func TestWorkersOnPostgres(t *testing.T) {
	server := pgtest.Start(t)
	t.Run("G7 each frame once", func(t *testing.T) { eachFrameOnce(t, server.DSN()) })
	t.Run("G35 killed workers", func(t *testing.T) { killedWorkers(t, server.DSN()) })
}

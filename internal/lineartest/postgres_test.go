//go:build unix

package lineartest

import (
	"testing"

	"github.com/trefoil-im/trefoil/internal/pgtest"
)

// The same holds on PostgreSQL, where writers of one process and of several write at the same time (G3).
func TestWritersOnPostgres(t *testing.T) { testOneVault(t, pgtest.Database(t)) }

func TestWritersOnPostgresInFourProcesses(t *testing.T) { testFourProcesses(t, pgtest.Database(t)) }

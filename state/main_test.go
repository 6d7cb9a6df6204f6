package state_test

import (
	"os"
	"testing"

	"github.com/trefoil-im/trefoil/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

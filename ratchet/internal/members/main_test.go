package members

import (
	"flag"
	"os"
	"testing"
)

// TestMain lets properties try 30 cases, and 100 in the long suite.
func TestMain(m *testing.M) {
	if os.Getenv("TREFOIL_LONG") == "" {
		flag.Set("rapid.checks", "30")
	}
	os.Exit(m.Run())
}

package sqlrelay

import (
	"database/sql"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/relay/store"
)

var update = flag.Bool("update", false, "write the schemas to testdata")

// The texts of the schemas are part of the stored form.
func TestSchemaIsPinned(t *testing.T) {
	for name, ty := range map[string]types{"sqlite": sqliteTypes, "postgres": postgresTypes} {
		path, got := filepath.Join("testdata", name+".sql"), strings.Join(ty.schema(), ";\n\n")+";\n"
		if *update {
			require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
		}
		want, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, string(want), got, "%s: run with -update if the change is meant", name)
	}
}

// The database itself refuses what the schema forbids, whoever writes to it.
func TestSchemaHasNoNulls(t *testing.T) {
	h := openSQLite(t, filepath.Join(t.TempDir(), "relay.db"))
	defer h.Close()
	testConstraints(t, h.db, func(text string) string { return text }, "zeroblob(%d)")
}

// testConstraints inserts into each table rows that have a good value in every column but one, with foreign keys left aside.
func testConstraints(t *testing.T, db *sql.DB, bind func(string) string, blob string) {
	for _, tab := range store.Schema {
		for i, c := range tab.Columns {
			bad := []string{"NULL"}
			if c.IsBytes {
				bad = append(bad, fmt.Sprintf(blob, c.Max+1))
				if c.Min > 0 {
					bad = append(bad, fmt.Sprintf(blob, c.Min-1))
				}
			} else {
				bad = append(bad, fmt.Sprint(c.Min-1))
				if c.Max < math.MaxInt64 {
					bad = append(bad, fmt.Sprint(c.Max+1))
				}
			}
			for _, v := range bad {
				var values []string
				for j, other := range tab.Columns {
					switch {
					case i == j:
						values = append(values, v)
					case other.IsBytes:
						values = append(values, fmt.Sprintf(blob, other.Min))
					default:
						values = append(values, fmt.Sprint(other.Min))
					}
				}
				_, err := db.Exec(bind(fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", table(tab), list(names(tab)), strings.Join(values, ", "))))
				require.Error(t, err, "%s.%s = %s", tab.Name, c.Name, v)
				if tab.Below == nil { // or the two columns are alike
					require.ErrorContains(t, err, c.Name, "%s = %s", tab.Name, v)
				}
				require.NotContains(t, strings.ToUpper(err.Error()), "FOREIGN", "%s.%s = %s", tab.Name, c.Name, v)
			}
		}
	}
}

// Tables of a newer release, and others than this one makes, are not touched.
func TestMismatchedSchemaIsRefused(t *testing.T) {
	for change, want := range map[string]error{"version = version + 1": store.ErrTooNew, "digest = 'another'": store.ErrMismatch} {
		path := filepath.Join(t.TempDir(), "relay.db")
		h := openSQLite(t, path)
		_, err := h.db.Exec("UPDATE relay_schema SET " + change)
		require.NoError(t, err)
		require.NoError(t, h.Close())
		db, err := sql.Open("sqlite", path)
		require.NoError(t, err)
		defer db.Close()
		_, err = SQLite(t.Context(), db)
		require.ErrorIs(t, err, want)
	}
}

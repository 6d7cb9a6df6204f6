package sqlstore

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state/store"
)

func TestNumberedArguments(t *testing.T) {
	for text, want := range map[string]string{
		"SELECT 1":                                "SELECT 1",
		"a = ? AND b = ?":                         "a = $1 AND b = $2",
		"(?1, ?2, ?, ?), (?1, ?2, ?, ?)":          "($1, $2, $3, $4), ($1, $2, $5, $6)",
		"SET v = ? WHERE i = ?12 AND j = ? OR ?2": "SET v = $1 WHERE i = $12 AND j = $13 OR $2",
	} {
		require.Equal(t, want, dollars(text))
	}
}

func TestPieces(t *testing.T) {
	m := newMany("IN (", "?", ")")
	for n := range 300 {
		rows := make([]uint64, n)
		for i := range rows {
			rows[i] = uint64(i)
		}
		count, next := 0, int64(0)
		for text, args := range inPieces(m, []any{"head"}, rows, numberArg) {
			require.Equal(t, len(args)-1, strings.Count(text, "?"))
			for _, arg := range args[1:] {
				require.Equal(t, next, arg)
				next++
			}
			count++
		}
		require.EqualValues(t, n, next)
		require.Equal(t, statements(n), count)
	}
}

// A statement for many rows looks each up by its key, as one for a single row does: it reads no others of the value.
func TestRowsAreFoundByTheirKeys(t *testing.T) {
	s := open(t, file(t))
	for name, m := range map[string]many{
		"seq": s.tables[store.Spaces].items, "seq in a deletion": s.tables[store.Spaces].take,
		"hash": s.tables[store.Spaces].frames, "hash in a deletion": s.tables[store.Spaces].lose,
	} {
		column, _, _ := strings.Cut(name, " ")
		for i, text := range m {
			var plan []string
			err := s.writer.use(t.Context(), nil, func(c *conn) error {
				args := make([]any, strings.Count(text, "?"))
				return c.query(t.Context(), func(r *sql.Rows) error {
					var id, parent, unused int
					var detail string
					err := r.Scan(&id, &parent, &unused, &detail)
					plan = append(plan, detail)
					return err
				}, "EXPLAIN QUERY PLAN "+text, args...)
			})
			require.NoError(t, err)
			require.Contains(t, strings.Join(plan, "; "), " AND "+column+"=?)", "%s, %d rows", name, pieces[i])
		}
	}
}

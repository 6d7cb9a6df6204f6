package sqlrelay

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/trefoil-im/trefoil/relay/store"
)

// types is what a database calls what the schema needs.
type types struct {
	bytes, number, length string // types of columns, and the function that returns the length of bytes
	options               string // at the end of a table
	numbered              string // likewise, if its key is one number
}

var (
	// SQLite takes a key of one number for the number of the row, and invents one for NULL, unless rows have no numbers.
	sqliteTypes   = types{"BLOB", "INTEGER", "length", " STRICT", " STRICT, WITHOUT ROWID"}
	postgresTypes = types{"bytea", "bigint", "octet_length", "", ""}
)

// schema returns the statements that make the tables.
func (ty types) schema() []string {
	var out []string
	for _, t := range store.Schema {
		out = append(out, ty.table(t))
		for _, x := range t.Indexes {
			unique := ""
			if x.Unique {
				unique = "UNIQUE "
			}
			out = append(out, fmt.Sprintf("CREATE %sINDEX %s ON %s (%s)", unique,
				quote("relay_"+t.Name+"_"+x.Name), table(t), list(x.Columns)))
		}
	}
	return out
}

// table returns the statement that makes a table.
func (ty types) table(t *store.Table) string {
	var lines []string
	for _, c := range t.Columns {
		lines = append(lines, ty.column(c))
	}
	lines = append(lines, fmt.Sprintf("PRIMARY KEY (%s)", list(names(t)[:t.Keys])))
	for _, ref := range t.Refer {
		lines = append(lines, fmt.Sprintf("FOREIGN KEY (%s) REFERENCES %s (%s)", list(ref.Columns), table(ref.Table),
			list(names(ref.Table)[:ref.Table.Keys])))
	}
	if t.Below != nil {
		lines = append(lines, fmt.Sprintf("CHECK (%s < %s)", quote(t.Below[0]), quote(t.Below[1])))
	}
	options := ty.options
	if t.Keys == 1 && !t.Columns[0].IsBytes {
		options = ty.numbered
	}
	return fmt.Sprintf("CREATE TABLE %s (\n\t%s\n)%s", table(t), strings.Join(lines, ",\n\t"), options)
}

// column returns the definition of a column.
func (ty types) column(c store.Column) string {
	name, kind, value := quote(c.Name), ty.number, quote(c.Name)
	if c.IsBytes {
		kind, value = ty.bytes, fmt.Sprintf("%s(%s)", ty.length, name)
	}
	bound := fmt.Sprintf("%s BETWEEN %d AND %d", value, c.Min, c.Max)
	switch {
	case c.Min == c.Max:
		bound = fmt.Sprintf("%s = %d", value, c.Min)
	case c.Max == math.MaxInt64:
		bound = fmt.Sprintf("%s >= %d", value, c.Min)
	}
	return fmt.Sprintf("%s %s NOT NULL CHECK (%s)", name, kind, bound)
}

// quote returns a name as an identifier. Names come from the schema and have no quotation marks.
func quote(name string) string { return `"` + name + `"` }

func table(t *store.Table) string { return quote("relay_" + t.Name) }

func names(t *store.Table) []string {
	out := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		out[i] = c.Name
	}
	return out
}

func list(names []string) string {
	quoted := slices.Clone(names)
	for i, n := range names {
		quoted[i] = quote(n)
	}
	return strings.Join(quoted, ", ")
}

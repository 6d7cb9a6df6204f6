package store

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Row is the values of all columns of a row: an int64 for a number, a []byte that is not nil for bytes. Key is the values of the
// first ones, which name the row. Bytes are compared as bytes: no case, no collation.
type (
	Row []any
	Key []any
)

// Column is a column of a table. None may be absent.
type Column struct {
	Name    string
	IsBytes bool  // else a number
	Min     int64 // of the length in bytes, or of the number
	Max     int64 // likewise
}

// Fixed returns a column of exactly n bytes.
func Fixed(name string, n int64) Column { return Column{name, true, n, n} }

// Bytes returns a column of lowest to highest bytes.
func Bytes(name string, lowest, highest int64) Column { return Column{name, true, lowest, highest} }

// Number returns a column of integers from lowest on.
func Number(name string, lowest int64) Column { return Column{name, false, lowest, math.MaxInt64} }

// Choice returns a column of integers from lowest to highest.
func Choice(name string, lowest, highest int64) Column { return Column{name, false, lowest, highest} }

// Table is a table: its columns, of which the first name the row.
type Table struct {
	Name    string
	Columns []Column
	Keys    int         // how many of the columns are the key
	Refer   []Reference // to other tables
	Indexes []Index
	Below   []string // none, or two columns of which the first is below the second
}

// Reference is columns whose values are the key of a row of another table.
type Reference struct {
	Columns []string
	Table   *Table
}

// Index is an order in which rows can be scanned, or columns whose values only one row has.
type Index struct {
	Name    string
	Columns []string
	Unique  bool
}

// column returns the place of a column. A name that is not there is a fault of the program.
func (t *Table) column(name string) int {
	i := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
	if i < 0 {
		panic(fmt.Sprintf("relay/store: table %s has no column %s", t.Name, name))
	}
	return i
}

// Order returns the places of the columns by which a scan of an index is ordered: those of the index, then those of the key
// that it lacks. It returns ErrConstraint if there is no such index.
func (t *Table) Order(index string) ([]int, error) {
	var order []int
	if index != "" {
		i := slices.IndexFunc(t.Indexes, func(x Index) bool { return x.Name == index })
		if i < 0 {
			return nil, fmt.Errorf("%w: table %s has no index %s", ErrConstraint, t.Name, index)
		}
		for _, name := range t.Indexes[i].Columns {
			order = append(order, t.column(name))
		}
	}
	for i := range t.Keys {
		if !slices.Contains(order, i) {
			order = append(order, i)
		}
	}
	return order, nil
}

// Key returns the key of a row.
func (t *Table) Key(r Row) Key { return Key(r[:t.Keys]) }

// CheckRow returns ErrConstraint for a row that does not have the columns of the table.
func (t *Table) CheckRow(r Row) error {
	if len(r) != len(t.Columns) {
		return fmt.Errorf("%w: %s has %d columns, not %d", ErrConstraint, t.Name, len(t.Columns), len(r))
	}
	for i, c := range t.Columns {
		if !c.takes(r[i]) {
			return fmt.Errorf("%w: %s.%s", ErrConstraint, t.Name, c.Name)
		}
	}
	if t.Below != nil && compare(r[t.column(t.Below[0])], r[t.column(t.Below[1])]) >= 0 {
		return fmt.Errorf("%w: %s.%s is not below %s", ErrConstraint, t.Name, t.Below[0], t.Below[1])
	}
	return nil
}

// CheckKey returns ErrConstraint for a key that no row of the table can have by its form.
func (t *Table) CheckKey(k Key) error {
	if len(k) != t.Keys {
		return fmt.Errorf("%w: the key of %s has %d columns, not %d", ErrConstraint, t.Name, t.Keys, len(k))
	}
	return t.checkForm(k, slices.Collect(seq(t.Keys)))
}

// CheckQuery returns the order of a query's columns, or ErrConstraint if the table has no such index, or the values are not
// of its columns.
func (t *Table) CheckQuery(q Query) ([]int, error) {
	order, err := t.Order(q.Index)
	if err != nil {
		return nil, err
	}
	if len(q.Equal) > len(order) || q.After != nil && len(q.Equal)+len(q.After) != len(order) {
		return nil, fmt.Errorf("%w: a query of %s", ErrConstraint, t.Name)
	}
	if err := t.checkForm(q.Equal, order); err != nil {
		return nil, err
	}
	return order, t.checkForm(q.After, order[len(q.Equal):])
}

// checkForm refuses values of another form than those of the columns at these places.
func (t *Table) checkForm(values []any, order []int) error {
	for i, v := range values {
		c := t.Columns[order[i]]
		if !(Column{IsBytes: c.IsBytes, Max: math.MaxInt64, Min: math.MinInt64}).takes(v) {
			return fmt.Errorf("%w: %s.%s", ErrConstraint, t.Name, c.Name)
		}
	}
	return nil
}

// takes reports whether a value may stand in the column.
func (c Column) takes(v any) bool {
	switch v := v.(type) {
	case []byte:
		return c.IsBytes && v != nil && int64(len(v)) >= c.Min && int64(len(v)) <= c.Max
	case int64:
		return !c.IsBytes && v >= c.Min && v <= c.Max
	}
	return false
}

// seq yields 0 to n-1.
func seq(n int) func(func(int) bool) {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

// Compare returns -1, 0 or 1: values of one column are ordered as numbers or as bytes.
func Compare(a, b []any) int {
	for i := range min(len(a), len(b)) {
		if c := compare(a[i], b[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

func compare(a, b any) int {
	if x, ok := a.(int64); ok {
		return cmp.Compare(x, b.(int64))
	}
	return bytes.Compare(a.([]byte), b.([]byte))
}

// Clone returns a copy that shares no bytes with the row.
func (r Row) Clone() Row { return Row(clone(r)) }

func clone(values []any) []any {
	out := make([]any, len(values))
	for i, v := range values {
		if b, ok := v.([]byte); ok {
			v = append([]byte{}, b...)
		}
		out[i] = v
	}
	return out
}

// pick returns the values at these places.
func pick(r Row, places []int) []any {
	out := make([]any, len(places))
	for i, p := range places {
		out[i] = r[p]
	}
	return out
}

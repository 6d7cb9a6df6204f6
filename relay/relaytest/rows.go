package relaytest

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/trefoil-im/trefoil/relay/store"
)

// apart is how far the second of two rows is that one row refers to.
const apart = 1000

// row returns row n of a table: always the same, other than all others, and complete. What it refers to are rows n of the other
// tables.
func row(t *store.Table, n int) store.Row {
	r := make(store.Row, len(t.Columns))
	for i, c := range t.Columns {
		r[i] = value(t, c, n)
	}
	if t.Below != nil {
		low, high := column(t, t.Below[0]), column(t, t.Below[1])
		r[high] = value(t, t.Columns[high], n+apart)
		if store.Compare(r[low:low+1], r[high:high+1]) > 0 {
			r[low], r[high] = r[high], r[low]
		}
	}
	return r
}

// value returns what row n has in a column: what the row has that it refers to, or something of its own.
func value(t *store.Table, c store.Column, n int) any {
	for _, ref := range t.Refer {
		if i := slices.Index(ref.Columns, c.Name); i >= 0 {
			return value(ref.Table, ref.Table.Columns[i], n)
		}
	}
	if c.IsBytes {
		return data(fmt.Sprint(t.Name, ".", c.Name, n), int(c.Min))
	}
	if c.Max == math.MaxInt64 {
		return c.Min + int64(n)
	}
	return c.Min + int64(n)%(c.Max-c.Min+1)
}

// data returns n bytes, at least one if any number will do, that a label determines.
func data(label string, n int) []byte {
	var out []byte
	for i := uint32(0); len(out) < max(n, 8); i++ {
		h := sha256.Sum256(binary.BigEndian.AppendUint32([]byte(label), i))
		out = append(out, h[:]...)
	}
	if n < 8 { // a column of any length
		return out[:8]
	}
	return out[:n]
}

// column returns the place of a column.
func column(t *store.Table, name string) int {
	return slices.IndexFunc(t.Columns, func(c store.Column) bool { return c.Name == name })
}

// parents writes all that row n of a table refers to.
func parents(tx store.Tx, t *store.Table, n int) error {
	for _, ref := range t.Refer {
		for _, n := range numbers(t, n) {
			if err := parents(tx, ref.Table, n); err != nil {
				return err
			}
			if err := tx.Put(ref.Table, row(ref.Table, n)); err != nil {
				return err
			}
		}
	}
	return nil
}

// numbers returns which rows row n refers to.
func numbers(t *store.Table, n int) []int {
	if t.Below != nil {
		return []int{n, n + apart}
	}
	return []int{n}
}

// equal reports whether two rows are the same.
func equal(a, b store.Row) bool { return store.Compare(a, b) == 0 }

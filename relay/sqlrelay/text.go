package sqlrelay

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/trefoil-im/trefoil/relay/store"
)

// batches is how many rows or keys one statement names. There are few sizes, so that few statements are prepared.
var batches = []int{64, 16, 4, 1}

// batch returns the largest batch that n rows fill.
func batch(n int) int { return batches[slices.IndexFunc(batches, func(b int) bool { return b <= n })] }

// insertText returns the statement that adds n rows, or with put replaces them.
func insertText(t *store.Table, n int, put bool) string {
	row := "(" + strings.Repeat("?, ", len(t.Columns)-1) + "?)"
	text := fmt.Sprintf("INSERT INTO %s (%s) VALUES %s%s", table(t), list(names(t)), strings.Repeat(row+", ", n-1), row)
	if !put {
		return text
	}
	var sets []string
	for _, name := range names(t)[t.Keys:] {
		sets = append(sets, quote(name)+" = excluded."+quote(name))
	}
	text += fmt.Sprintf(" ON CONFLICT (%s) DO ", list(names(t)[:t.Keys]))
	if len(sets) == 0 {
		return text + "NOTHING"
	}
	return text + "UPDATE SET " + strings.Join(sets, ", ")
}

// keysText returns the condition that a row has one of n keys.
func keysText(t *store.Table, n int) string {
	var equal []string
	for _, name := range names(t)[:t.Keys] {
		equal = append(equal, quote(name)+" = ?")
	}
	one := "(" + strings.Join(equal, " AND ") + ")"
	return strings.Repeat(one+" OR ", n-1) + one
}

func getText(t *store.Table, n int) string {
	return fmt.Sprintf("SELECT %s FROM %s WHERE %s", list(names(t)), table(t), keysText(t, n))
}

func deleteText(t *store.Table, n int) string {
	return fmt.Sprintf("DELETE FROM %s WHERE %s", table(t), keysText(t, n))
}

// scanText returns the statement of a query, whose arguments are its values and its limit. The order is that of the columns at
// these places.
func scanText(t *store.Table, q store.Query, order []int) string {
	columns := make([]string, len(order))
	for i, p := range order {
		columns[i] = t.Columns[p].Name
	}
	var where []string
	for _, name := range columns[:len(q.Equal)] {
		where = append(where, quote(name)+" = ?")
	}
	if q.After != nil {
		where = append(where, fmt.Sprintf("(%s) > (%s?)", list(columns[len(q.Equal):]), strings.Repeat("?, ", len(q.After)-1)))
	}
	text := fmt.Sprintf("SELECT %s FROM %s", list(names(t)), table(t))
	if len(where) > 0 {
		text += " WHERE " + strings.Join(where, " AND ")
	}
	return text + " ORDER BY " + list(columns) + " LIMIT ?"
}

// dollars writes $1, $2, ... for the question marks of a statement.
func dollars(text string) string {
	var b strings.Builder
	for i, piece := range strings.Split(text, "?") {
		if i > 0 {
			b.WriteString("$" + strconv.Itoa(i))
		}
		b.WriteString(piece)
	}
	return b.String()
}

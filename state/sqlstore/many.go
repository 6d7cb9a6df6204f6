package sqlstore

import (
	"iter"
	"math"
	"slices"
	"strings"

	"github.com/trefoil-im/trefoil/state/store"
)

// pieces says for how many rows at once there are statements. A commit of a batch has 64 rows of a table; more sizes would be more
// statements to be prepared, and a statement for each row costs more than the row.
var pieces = [...]int{64, 8, 1}

// many is a statement for several rows of a table: one text for each of the pieces.
type many [len(pieces)]string

// newMany returns the statement that has the text row once for each row.
func newMany(before, row, after string) (m many) {
	for i, n := range pieces {
		m[i] = before + strings.Repeat(row+", ", n-1) + row + after
	}
	return m
}

// statements returns how many statements n rows take.
func statements(n int) (count int) {
	for _, size := range pieces {
		count, n = count+n/size, n%size
	}
	return count
}

// inPieces yields the texts of m and their arguments, so that each of the rows is among them once: head comes first, then what args
// appends for each row.
func inPieces[T any](m many, head []any, rows []T, args func([]any, T) []any) iter.Seq2[string, []any] {
	return func(yield func(string, []any) bool) {
		for rest := rows; len(rest) > 0; {
			i := slices.IndexFunc(pieces[:], func(n int) bool { return n <= len(rest) })
			all := slices.Clone(head)
			for _, r := range rest[:pieces[i]] {
				all = args(all, r)
			}
			if !yield(m[i], all) {
				return
			}
			rest = rest[pieces[i]:]
		}
	}
}

// These append the arguments of a row.
func numberArg(args []any, n uint64) []any    { return append(args, number(n)) }
func hashArg(args []any, hash [32]byte) []any { return append(args, hash[:]) }
func itemArgs(args []any, it store.Item) []any {
	return append(args, number(it.Seq), number(it.Lane), filled(it.Data))
}
func recordArgs(args []any, f store.FrameRecord) []any {
	return append(args, f.Hash[:], number(f.Seq), f.Data)
}

// stored returns the numbers that an item can have.
func stored(seqs []uint64) []uint64 {
	return slices.DeleteFunc(slices.Clone(seqs), func(seq uint64) bool { return seq > math.MaxInt64 })
}

// inOrder returns what was found of what was asked for, in that order, and nothing after an error.
func inOrder[K comparable, T any](asked []K, found map[K]T, err error) (list []T, _ error) {
	for _, k := range asked {
		if row, ok := found[k]; ok {
			list = append(list, row)
		}
	}
	return whole(list, err)
}

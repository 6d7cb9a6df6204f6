package relaytest

import (
	"context"
	"fmt"
	"strings"

	"github.com/trefoil-im/trefoil/relay/store"
)

// page is how many rows are read at once.
const page = 500

// Dump returns all rows of a store as of one moment, one a line, in an order that depends on the rows only: equal states have
// equal dumps. Bytes are in hexadecimal digits.
func Dump(ctx context.Context, s store.Store) (string, error) {
	var out string
	err := s.View(ctx, func(r store.Reader) error {
		var b strings.Builder
		for _, t := range store.Schema {
			if err := dumpTable(&b, r, t); err != nil {
				return err
			}
		}
		out = b.String()
		return nil
	})
	return out, err
}

func dumpTable(b *strings.Builder, r store.Reader, t *store.Table) error {
	q := store.Query{Limit: page}
	for {
		rows, err := r.Scan(t, q)
		if err != nil {
			return err
		}
		for _, row := range rows {
			b.WriteString(t.Name)
			for _, v := range row {
				if data, ok := v.([]byte); ok {
					fmt.Fprintf(b, " %x.", data)
				} else {
					fmt.Fprintf(b, " %d", v)
				}
			}
			b.WriteByte('\n')
		}
		if len(rows) < page {
			return nil
		}
		q.After = t.Key(rows[page-1])
	}
}

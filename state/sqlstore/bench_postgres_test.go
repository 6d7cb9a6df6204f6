//go:build unix

package sqlstore

import (
	"fmt"
	"testing"

	"github.com/trefoil-im/trefoil/internal/pgtest"
)

// BenchmarkPostgres is BenchmarkCommit on a server on the same machine, which does not sync.
func BenchmarkPostgres(b *testing.B) {
	dsn := pgtest.Database(b)
	for _, size := range []int{512, 8 << 10, 64 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s := openPG(b, dsn)
			defer s.Close()
			benchmarkCommit(b, s, size)
		})
	}
}

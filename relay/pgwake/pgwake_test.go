//go:build unix

package pgwake

import (
	"context"
	"database/sql"
	"encoding/binary"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/pgtest"
	"github.com/trefoil-im/trefoil/relay/api"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

// listener is a relay that listens, with a pool of its own.
type listener struct {
	t  *testing.T
	w  *Waker
	db *sql.DB
	mu sync.Mutex
	// woken counts by device; all counts calls for all.
	woken map[api.DeviceID]int
	all   int
	some  chan struct{} // has a value after a call
}

func listen(t *testing.T, dsn string) *listener {
	db, err := sql.Open("pgx", dsn)
	require.NoError(t, err)
	l := &listener{t: t, w: New(db), db: db, woken: make(map[api.DeviceID]int), some: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- l.w.Run(ctx, func(devices ...api.DeviceID) {
			l.mu.Lock()
			defer l.mu.Unlock()
			for _, d := range devices {
				l.woken[d]++
			}
			if len(devices) == 0 {
				l.all++
			}
			select {
			case l.some <- struct{}{}:
			default:
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
		db.Close()
	})
	l.until(func() bool { return l.all == 1 })
	return l
}

// until waits until something holds.
func (l *listener) until(holds func() bool) {
	l.t.Helper()
	for late := time.After(time.Minute); ; {
		l.mu.Lock()
		ok := holds()
		l.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-l.some:
		case <-late:
			require.FailNow(l.t, "nobody is woken")
		}
	}
}

func device(n int) (d api.DeviceID) {
	binary.BigEndian.PutUint64(d[:], uint64(n))
	return d
}

// What one relay tells, the other hears, however much it is; and not the one itself. After the connection broke all are woken,
// and it goes on.
func TestRelaysTellEachOther(t *testing.T) {
	dsn := pgtest.Database(t)
	a, b := listen(t, dsn), listen(t, dsn)
	a.w.Tell([]api.DeviceID{device(1)})
	b.until(func() bool { return b.woken[device(1)] == 1 })

	var many []api.DeviceID
	for n := range 3 * mostTold {
		many = append(many, device(n+10))
	}
	b.w.Tell(many)
	a.until(func() bool { return len(a.woken) == len(many) })
	require.NotContains(t, a.woken, device(1))

	_, err := a.db.Exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'LISTEN " + channel + "' AND datname = current_database()")
	require.NoError(t, err)
	a.until(func() bool { return a.all == 2 })
	b.until(func() bool { return b.all == 2 })
	a.w.Tell([]api.DeviceID{device(2)})
	b.until(func() bool { return b.woken[device(2)] == 1 })
}

// Beyond what can be named, all are woken.
func TestTooManyAreAll(t *testing.T) {
	w := New(nil)
	for n := range mostPending + 1 {
		w.Tell([]api.DeviceID{device(n)})
	}
	require.Equal(t, w.self, w.payload())
	require.Empty(t, w.pending)
	w.Tell([]api.DeviceID{device(7)})
	require.Less(t, len(w.payload()), 8000)
}

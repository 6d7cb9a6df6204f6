//go:build unix

package client_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/pgtest"
	"github.com/trefoil-im/trefoil/relay/api"
	"github.com/trefoil-im/trefoil/relay/client"
	"github.com/trefoil-im/trefoil/relay/httprelay"
	"github.com/trefoil-im/trefoil/relay/sqlrelay"
	"github.com/trefoil-im/trefoil/relay/store"
)

func TestMain(m *testing.M) {
	if raw := os.Getenv(processSettings); raw != "" {
		fmt.Fprintln(os.Stderr, beRelay(raw))
		os.Exit(1)
	}
	withoutPush = os.Getenv(pushSetting) != ""
	os.Exit(pgtest.Run(m))
}

// databases are those that the load is measured on, each with what inserts one row of 1 KiB.
var databases = []struct {
	name   string
	open   func(*testing.B) *sql.DB
	store  func(context.Context, *sql.DB) (*sqlrelay.Store, error)
	setup  string // of a connection, so that both are as durable
	create string
	insert string
}{
	{"SQLite", func(b *testing.B) *sql.DB {
		db, err := sql.Open("sqlite", filepath.Join(b.TempDir(), "relay.db"))
		require.NoError(b, err)
		return db
	}, sqlrelay.SQLite, "PRAGMA busy_timeout = 10000; PRAGMA synchronous = FULL", "CREATE TABLE bare (id INTEGER PRIMARY KEY, data BLOB NOT NULL)", "INSERT INTO bare (data) VALUES (?)"},
	{"Postgres", func(b *testing.B) *sql.DB {
		db, err := sql.Open("pgx", pgtest.Database(b))
		require.NoError(b, err)
		return db
	}, sqlrelay.Postgres, "SET synchronous_commit = on", "CREATE TABLE bare (id bigserial PRIMARY KEY, data bytea NOT NULL)", "INSERT INTO bare (data) VALUES ($1)"},
}

// BenchmarkLoad posts frames of 1 KiB over loopback from several devices at once, each to a topic of its own that one device
// reads over a WebSocket, until all were delivered and acknowledged. Beside it stands what inserting as many rows takes in the
// same database. docs/SCALE.md has the figures.
func BenchmarkLoad(b *testing.B) {
	const pairs = 8
	for _, d := range databases {
		b.Run(d.name, func(b *testing.B) {
			db := d.open(b)
			defer db.Close()
			s, err := d.store(b.Context(), db)
			require.NoError(b, err)
			defer s.Close()
			w := serve(b, s, httprelay.Options{})
			var senders []*client.Client
			var receivers []*receiver
			for n := range pairs {
				name := string(rune('a' + n))
				senders = append(senders, w.client(w.person("from "+name), nil))
				r := w.receive(w.client(w.person("to "+name), nil), name)
				r.end()
				receivers = append(receivers, r)
				require.NoError(b, senders[n].Subscribe(b.Context(), "logs in"))
			}
			var mu sync.Mutex
			var took []time.Duration
			var all sync.WaitGroup
			begun := time.Now()
			b.ResetTimer()
			for n := range pairs {
				count := (b.N + pairs - 1) / pairs
				all.Go(func() {
					frame := make([]byte, 1024)
					for i := range count {
						frame[0], frame[1], frame[2] = byte(i), byte(i>>8), byte(i>>16)
						sent := time.Now()
						if _, again := senders[n].Post(b.Context(), string(rune('a'+n)), frame).Again(); again {
							b.Error("refused")
							return
						}
						mu.Lock()
						took = append(took, time.Since(sent))
						mu.Unlock()
					}
				})
				all.Go(func() {
					for range count {
						f, err := receivers[n].take()
						if err != nil {
							b.Error(err)
							return
						}
						f.Ack()
					}
				})
			}
			all.Wait()
			b.StopTimer()
			elapsed := time.Since(begun)
			slices.Sort(took)
			b.ReportMetric(float64(len(took))/elapsed.Seconds(), "frames/s")
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
			b.ReportMetric(float64(len(took))/bare(b, db, len(took), d.setup, d.create, d.insert).Seconds(), "bare-inserts/s")
			for _, r := range receivers {
				r.close()
			}
		})
	}
}

// bare inserts rows, each in a transaction, one after the other.
func bare(b *testing.B, db *sql.DB, n int, setup, create, insert string) time.Duration {
	c, err := db.Conn(b.Context())
	require.NoError(b, err)
	defer c.Close()
	for _, text := range []string{setup, "DROP TABLE IF EXISTS bare", create} {
		_, err := c.ExecContext(b.Context(), text)
		require.NoError(b, err)
	}
	data := make([]byte, 1024)
	begun := time.Now()
	for range n {
		_, err := c.ExecContext(b.Context(), insert, data)
		require.NoError(b, err)
	}
	return time.Since(begun)
}

// BenchmarkIdleLines opens 1,000 WebSockets on which nothing happens, and says what each takes of the relay's memory: of its heap and
// of its stacks. Their other ends are bare connections of the same process, which take little.
func BenchmarkIdleLines(b *testing.B) {
	const count = 1000
	w := serve(b, store.NewMemory(), httprelay.Options{Authenticate: func(req *http.Request) (id api.DeviceID, err error) {
		return id, id.UnmarshalText([]byte(req.Header.Get("Device")))
	}})
	before := memory()
	lines := make([]net.Conn, count)
	for n := range lines {
		lines[n] = idle(b, w, api.DeviceID{1, byte(n), byte(n >> 8)})
	}
	b.ReportMetric(float64(memory()-before)/count/1024, "KiB/line") // once, whatever b.N is
	for _, l := range lines {
		l.Close()
	}
}

// memory returns how many bytes the program has in use.
func memory() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// idle opens a WebSocket and reads nothing but that it is open.
func idle(b *testing.B, w *server, device api.DeviceID) net.Conn {
	c, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	require.NoError(b, err)
	_, err = fmt.Fprintf(c, "GET /v1/push HTTP/1.1\r\nHost: relay.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nRelay-Version: 1\r\nDevice: %v\r\n\r\n", device)
	require.NoError(b, err)
	head := make([]byte, 12)
	_, err = io.ReadFull(c, head)
	require.NoError(b, err)
	require.Equal(b, "HTTP/1.1 101", string(head))
	return c
}

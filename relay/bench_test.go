package relay_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/relay/api"
)

// The benchmarks call the relay as devices do, through its client and its handler, without a network between them.

// BenchmarkCreateConversation creates conversations with this many devices, on SQLite.
func BenchmarkCreateConversation(b *testing.B) {
	for _, devices := range []int{2, 20} {
		b.Run(fmt.Sprintf("devices=%d", devices), func(b *testing.B) {
			w := newHTTPWorld(b, openSQLite(b, filepath.Join(b.TempDir(), "relay.db")))
			a, o := w.person(devices/2), w.person(devices/2)
			for b.Loop() {
				a.devices[0].begin(a.devices[0].junk(newConversation(), api.Group, 0, a, o))
			}
		})
	}
}

// mailboxes returns a device that posts to a topic, to which as many others subscribe.
func mailboxes(b *testing.B, subscribers int) (from *device, to []*device) {
	w := newHTTPWorld(b, openSQLite(b, filepath.Join(b.TempDir(), "relay.db")))
	w.share = 1 << 40
	w.r = w.on(w.store)
	from, to = w.person(1).devices[0], w.person(subscribers).devices
	for _, d := range to {
		d.subscribe("topic")
	}
	return from, to
}

// BenchmarkPostFrame posts a frame of 1 KiB to this many subscribers, on SQLite.
func BenchmarkPostFrame(b *testing.B) {
	for _, subscribers := range []int{1, 20} {
		b.Run(fmt.Sprintf("subscribers=%d", subscribers), func(b *testing.B) {
			from, _ := mailboxes(b, subscribers)
			frame := string(make([]byte, 1024))
			for b.Loop() {
				from.post("topic", frame)
			}
		})
	}
}

// BenchmarkBareInsert inserts a row of 1 KiB into a table of the same kind of database, for comparison.
func BenchmarkBareInsert(b *testing.B) {
	path := filepath.Join(b.TempDir(), "bare.db")
	openSQLite(b, path) // which makes it keep a log, as the others do
	db, err := sql.Open("sqlite", path)
	require.NoError(b, err)
	defer db.Close()
	_, err = db.Exec("CREATE TABLE bare (id INTEGER PRIMARY KEY, data BLOB NOT NULL)")
	require.NoError(b, err)
	data := make([]byte, 1024)
	for b.Loop() {
		_, err := db.Exec("INSERT INTO bare (data) VALUES (?)", data)
		require.NoError(b, err)
	}
}

// BenchmarkFetch100 reads a page of 100 frames of 100 bytes, on SQLite.
func BenchmarkFetch100(b *testing.B) {
	from, to := mailboxes(b, 1)
	for range 100 {
		from.post("topic", string(make([]byte, 100)))
	}
	for b.Loop() {
		require.Len(b, to[0].inbox(), 100)
	}
}

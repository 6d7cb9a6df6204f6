package trefoil_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/sqlstore"
	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/transporttest"
)

// openFile opens a device whose store is an SQLite file, with a table for its history.
func openFile(t testing.TB, path string, line trefoil.Transport, change ...func(*trefoil.Options)) (*trefoil.Client, *sql.DB) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	_, err = db.Exec("CREATE TABLE IF NOT EXISTS history (id TEXT PRIMARY KEY, body TEXT NOT NULL)")
	require.NoError(t, err)
	s, err := sqlstore.SQLite(t.Context(), db)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, s.Close())
		require.NoError(t, db.Close())
	})
	key, err := state.NewKey(make([]byte, state.KeySize))
	require.NoError(t, err)
	o := trefoil.Options{Every: 200 * time.Millisecond}
	for _, c := range change {
		c(&o)
	}
	c, err := trefoil.Open(t.Context(), s, key, line, o)
	require.NoError(t, err)
	return c, db
}

// letIn makes a space of two devices that run, and returns it when the second has joined.
func letIn(t testing.TB, alice, bob *trefoil.Client) state.ID {
	t.Helper()
	s, err := alice.NewSpace(t.Context())
	require.NoError(t, err)
	made, err := s.Invite(t.Context(), invite.Private(0))
	require.NoError(t, err)
	link, err := made.Link.URL("https://chat.example/join")
	require.NoError(t, err)
	joined, err := bob.Join(t.Context(), link)
	require.NoError(t, err)
	for range 3 { // the request, the ticket, the first message
		require.NoError(t, bob.Sync(t.Context()))
		require.NoError(t, alice.Sync(t.Context()))
	}
	status, err := joined.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, "member", status.Phase.String())
	return s.ID()
}

// Two processes on one store, an app and its push extension, both with a line of the one device: each frame is read once and leaves
// once, and each message is written once into the program's table.
func TestTwoProcessesOnOneStore(t *testing.T) {
	t.Parallel()
	net := transporttest.NewNetwork()
	var alice *trefoil.Client
	read := make(chan string, 100)
	alice, _ = openFile(t, filepath.Join(t.TempDir(), "alice.db"), net.Device("alice"), func(o *trefoil.Options) {
		o.Handle = func(_ context.Context, e event.Event) error {
			if m, ok := e.(event.Message); ok && !m.Own {
				read <- string(m.Body)
			}
			return nil
		}
	})
	file := filepath.Join(t.TempDir(), "bob.db")
	lines := []*tap{{Transport: net.Device("bob")}, {Transport: net.Device("bob")}}
	shared := func(o *trefoil.Options) { o.Shared, o.InCommit = true, history }
	app, db := openFile(t, file, lines[0], shared)
	extension, _ := openFile(t, file, lines[1], shared)
	space := letIn(t, alice, app)
	sent := func() int { return lines[0].count() + lines[1].count() }
	reads := func() uint64 { return app.Stats().Vault.Read + extension.Stats().Vault.Read }
	sentBefore, readBefore := sent(), reads()

	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for _, c := range []*trefoil.Client{alice, app, extension} {
		running.Go(func() { assert.ErrorIs(t, c.Run(ctx), context.Canceled) })
	}
	const n = 10
	for i := range n {
		for name, c := range map[string]*trefoil.Client{"alice": alice, "app": app, "extension": extension} {
			_, err := c.Space(space).Send(ctx, fmt.Append(nil, name, " ", i))
			require.NoError(t, err)
		}
	}
	got := make(map[string]int)
	for range 2 * n {
		got[<-read]++
	}
	for rows := 0; rows < 3*n; time.Sleep(time.Millisecond) {
		require.NoError(t, db.QueryRow("SELECT count(*) FROM history").Scan(&rows))
		require.LessOrEqual(t, rows, 3*n)
	}
	cancel()
	running.Wait()
	require.Len(t, got, 2*n)
	require.Empty(t, read)
	frames := make(map[string]int)
	for _, line := range lines {
		for _, f := range line.posted {
			frames[string(f)]++
		}
	}
	require.Equal(t, sent(), len(frames), "a frame left twice")
	require.Equal(t, sentBefore+2*n, sent())
	require.Equal(t, readBefore+n, reads(), "a frame was read twice, or not at all")
}

// Rows that cannot be written hold up their message, and no other's are lost.
func TestRowsThatFail(t *testing.T) {
	t.Parallel()
	net := transporttest.NewNetwork()
	alice, _ := openFile(t, filepath.Join(t.TempDir(), "alice.db"), net.Device("alice"))
	bob, db := openFile(t, filepath.Join(t.TempDir(), "bob.db"), net.Device("bob"), func(o *trefoil.Options) { o.InCommit = history })
	space := letIn(t, alice, bob)
	_, err := db.Exec("CREATE TRIGGER poison BEFORE INSERT ON history WHEN new.body = 'poison' BEGIN SELECT RAISE(ABORT, 'this cannot be shown'); END")
	require.NoError(t, err)
	for _, body := range []string{"before", "poison", "after"} {
		_, err := alice.Space(space).Send(t.Context(), []byte(body))
		require.NoError(t, err)
	}
	require.NoError(t, alice.Sync(t.Context()))
	require.ErrorContains(t, bob.Sync(t.Context()), "this cannot be shown")
	count := func() (n int) {
		require.NoError(t, db.QueryRow("SELECT count(*) FROM history").Scan(&n))
		return n
	}
	require.Equal(t, 1, count())
	_, err = db.Exec("DROP TRIGGER poison")
	require.NoError(t, err)
	require.NoError(t, bob.Sync(t.Context()))
	require.Equal(t, 3, count())
}

// A hook that panics ends the Sync with its panic. Its event stays, and a later Sync writes its rows, once.
func TestHookThatPanics(t *testing.T) {
	t.Parallel()
	net := transporttest.NewNetwork()
	alice, _ := openFile(t, filepath.Join(t.TempDir(), "alice.db"), net.Device("alice"))
	panics := false
	bob, db := openFile(t, filepath.Join(t.TempDir(), "bob.db"), net.Device("bob"), func(o *trefoil.Options) {
		o.InCommit = func(e event.Event) store.Hook {
			if hook := history(e); hook == nil || !panics {
				return hook
			}
			return sqlstore.Rows(func(context.Context, *sqlstore.Tx) error { panic("a fault of the program") })
		}
	})
	space := letIn(t, alice, bob)
	_, err := alice.Space(space).Send(t.Context(), []byte("hello"))
	require.NoError(t, err)
	require.NoError(t, alice.Sync(t.Context()))
	panics = true
	func() {
		defer func() {
			err, _ := recover().(error)
			require.ErrorContains(t, err, "a fault of the program")
		}()
		bob.Sync(t.Context())
	}()
	panics = false
	require.NoError(t, bob.Sync(t.Context()))
	rows := 0
	require.NoError(t, db.QueryRow("SELECT count(*) FROM history").Scan(&rows))
	require.Equal(t, 1, rows)
}

// A Sync without a relay says so, and changes nothing; one that is cancelled ends.
func TestSyncWithoutRelay(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		alice, line := w.tapped("alice")
		line.plug(false)
		require.ErrorIs(t, alice.client.Sync(t.Context()), errUnplugged)
		line.plug(true)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, alice.client.Sync(ctx), context.Canceled)
		require.NoError(t, alice.client.Sync(t.Context()))
	})
}

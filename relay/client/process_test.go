//go:build unix

package client_test

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/porttest"
	"github.com/trefoil-im/trefoil/relay"
	"github.com/trefoil-im/trefoil/relay/client"
	"github.com/trefoil-im/trefoil/relay/httprelay"
	"github.com/trefoil-im/trefoil/relay/sqlrelay"
	"github.com/trefoil-im/trefoil/relay/store"
)

// processSettings is the variable of the environment that makes this program a relay: its settings in JSON.
const processSettings = "TREFOIL_TEST_RELAY"

// settings are those of a relay that is a process of its own.
type settings struct {
	Dir      string // where its database is, unless it is PostgreSQL; the process dies once there is a file named die
	Postgres string // a connection string
	Listen   string
	Name     string
	Die      int64    // at which point of its mutations the process dies, counted from 1; 0 for never
	Lines    int      // of httprelay.Options
	Decoys   []string // to be kept in memory, in hexadecimal digits
}

// open opens the database.
func (s settings) open(ctx context.Context) (*sqlrelay.Store, error) {
	driver, place, open := "sqlite", filepath.Join(s.Dir, "relay.db"), sqlrelay.SQLite
	if s.Postgres != "" {
		driver, place, open = "pgx", s.Postgres, sqlrelay.Postgres
	}
	db, err := sql.Open(driver, place)
	if err != nil {
		return nil, err
	}
	return open(ctx, db)
}

// beRelay serves a relay until the process is killed.
func beRelay(raw string) error {
	var s settings
	if err := json.Unmarshal([]byte(raw), &s); err != nil {
		return err
	}
	rows, err := s.open(context.Background())
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", s.Listen)
	if err != nil {
		return err
	}
	hold(s.Decoys)
	fmt.Println(l.Addr())
	m := mortal{rows, filepath.Join(s.Dir, "die"), new(atomic.Int64)}
	m.left.Store(s.Die)
	return http.Serve(l, httprelay.New(relay.New(m, relay.Options{Name: s.Name}), httprelay.Options{Lines: s.Lines}))
}

// held is what the process keeps in memory of decoys.
var held [][]byte

// hold keeps decoys in memory: as they are, and in base64. In hexadecimal digits they came.
func hold(decoys []string) {
	for _, d := range decoys {
		raw, err := hex.DecodeString(d)
		if err != nil {
			panic(err)
		}
		held = append(held, raw, []byte(base64.StdEncoding.EncodeToString(raw)))
	}
}

// mortal is a store whose process dies right after the commit of a message, before anybody is told of it; or at a point of its
// mutations: before a write, before a commit, or after one.
type mortal struct {
	store.Store
	die  string        // a file
	left *atomic.Int64 // points until then
}

func (m mortal) Update(ctx context.Context, f func(store.Tx) error) error {
	posted := false
	err := m.Store.Update(ctx, func(tx store.Tx) error {
		err := f(noting{tx, m, &posted})
		m.point()
		return err
	})
	m.point()
	if _, missing := os.Stat(m.die); err == nil && posted && missing == nil {
		die()
	}
	return err
}

func (m mortal) point() {
	if m.left.Add(-1) == 0 {
		die()
	}
}

// die ends the process as nothing else does: nothing of it runs on.
func die() {
	syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

type noting struct {
	store.Tx
	m      mortal
	posted *bool
}

func (n noting) Insert(t *store.Table, rows ...store.Row) error {
	n.m.point()
	*n.posted = *n.posted || t == store.Messages
	return n.Tx.Insert(t, rows...)
}

func (n noting) Put(t *store.Table, rows ...store.Row) error {
	n.m.point()
	return n.Tx.Put(t, rows...)
}

func (n noting) Delete(t *store.Table, keys ...store.Key) error {
	n.m.point()
	return n.Tx.Delete(t, keys...)
}

// relayProcess starts a relay as a process, and returns it once it listens. It ends with the test.
func relayProcess(t *testing.T, s settings) *exec.Cmd {
	c, err := newProcess(s)
	require.NoError(t, err)
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
	})
	return c
}

// newProcess starts a relay as a process, and returns it once it listens. The caller ends it. Any goroutine may call it.
func newProcess(s settings) (*exec.Cmd, error) {
	if s.Name = relayName; withoutPush {
		s.Lines = -1
	}
	raw, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := exec.Command(self)
	c.Env = append(os.Environ(), processSettings+"="+string(raw))
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	late := time.AfterFunc(patience, func() { c.Process.Kill() })
	defer late.Stop()
	if address, err := bufio.NewReader(out).ReadString('\n'); err != nil || strings.TrimSpace(address) != s.Listen {
		c.Process.Kill()
		return nil, fmt.Errorf("a relay at %s says %q: %w", s.Listen, address, errors.Join(err, c.Wait()))
	}
	return c, nil
}

// The process of the relay is killed by SIGKILL after a commit, before it told anybody or answered. The one that is started after
// it delivers what was committed, though nobody sends it again; and what is sent again comes once.
func TestKilledAfterCommitAsAProcess(t *testing.T) {
	dir, address := t.TempDir(), porttest.Address(t)
	process := relayProcess(t, settings{Dir: dir, Listen: address})
	w := &server{TB: t, url: "http://" + address, people: make(map[string]*person)}
	a, b := newPerson(t), newPerson(t)
	from := w.client(a, nil)
	to := w.client(b, func(o *client.Options) { o.Poll = 50 * time.Millisecond })
	for _, p := range []*person{a, b} {
		_, err := from.Directory.Publish(t.Context(), p.first)
		require.NoError(t, err)
	}
	r := w.receive(to, "topic")
	r.end()

	die := filepath.Join(dir, "die")
	require.NoError(t, os.WriteFile(die, nil, 0o600))
	_, again := from.Post(t.Context(), "topic", []byte("frame")).Again()
	require.True(t, again, "nobody has answered")
	var killed *exec.ExitError
	require.ErrorAs(t, process.Wait(), &killed)
	require.Equal(t, syscall.SIGKILL, killed.Sys().(syscall.WaitStatus).Signal())
	require.NoError(t, os.Remove(die))

	relayProcess(t, settings{Dir: dir, Listen: address})
	require.Equal(t, "frame", string(r.next().Data))
	for _, text := range []string{"frame", "next"} {
		_, again := from.Post(t.Context(), "topic", []byte(text)).Again()
		require.False(t, again)
	}
	require.Equal(t, "next", string(r.next().Data), "the frame came once")
}

// pushSetting is the variable of the environment that has relays push nothing.
const pushSetting = "TREFOIL_TEST_WITHOUT_PUSH"

// All tests once more, in a process in which no relay has a WebSocket: nothing but how soon a device looks depends on them. Left out are
// those of WebSockets, and those that need more time than difference.
func TestWithoutPush(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	c := exec.CommandContext(t.Context(), self, "-test.v", "-test.skip",
		"^(TestWithoutPush|TestWakes|TestEndOfWakes|TestClientCallsEveryRoute|TestMemoryHoldsNoSecret|TestKilledAnywhere)$")
	c.WaitDelay = 10 * time.Second             // for processes of its own, which hold its output
	if end, bounded := t.Deadline(); bounded { // one that hangs tells where, while there is time to print it
		left := time.Until(end)
		c.Args = append(c.Args, "-test.timeout", (left * 8 / 10).String())
		c.WaitDelay = left / 10
	}
	c.Env = append(os.Environ(), pushSetting+"=1")
	out, err := c.CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, name := range []string{"TestTransport/SQLite", "TestDevicesOnARelay/push=true", "TestKilledAfterCommitAsAProcess", "TestDirectory"} {
		require.Contains(t, string(out), "--- PASS: "+name)
	}
}

//go:build unix

package client_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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

// The names of what a relay that is a process of its own is told by.
const (
	processDir    = "TREFOIL_TEST_RELAY_DIR"    // where its database is; it dies once there is a file named die
	processListen = "TREFOIL_TEST_RELAY_LISTEN" // where it listens
)

// beRelay serves a relay until the process is killed.
func beRelay(dir, listen string) error {
	db, err := sql.Open("sqlite", filepath.Join(dir, "relay.db"))
	if err != nil {
		return err
	}
	rows, err := sqlrelay.SQLite(context.Background(), db)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	return http.Serve(l, httprelay.New(relay.New(mortal{rows, filepath.Join(dir, "die")}, relay.Options{Name: relayName}), httprelay.Options{}))
}

// mortal is a store whose process dies right after the commit of a message, before anybody is told of it.
type mortal struct {
	store.Store
	die string // a file
}

func (m mortal) Update(ctx context.Context, f func(store.Tx) error) error {
	posted := false
	err := m.Store.Update(ctx, func(tx store.Tx) error { return f(noting{tx, &posted}) })
	if _, missing := os.Stat(m.die); err == nil && posted && missing == nil {
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	return err
}

type noting struct {
	store.Tx
	posted *bool
}

func (n noting) Insert(t *store.Table, rows ...store.Row) error {
	*n.posted = *n.posted || t == store.Messages
	return n.Tx.Insert(t, rows...)
}

// relayProcess starts a relay as a process, and returns it once it listens.
func relayProcess(t *testing.T, dir, listen string) *exec.Cmd {
	self, err := os.Executable()
	require.NoError(t, err)
	c := exec.Command(self)
	c.Env = append(os.Environ(), processDir+"="+dir, processListen+"="+listen)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	t.Cleanup(func() { c.Process.Kill() })
	address, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, listen, strings.TrimSpace(address))
	return c
}

// The process of the relay is killed by SIGKILL after a commit, before it told anybody or answered. The one that is started after
// it delivers what was committed, though nobody sends it again; and what is sent again comes once.
func TestKilledAfterCommitAsAProcess(t *testing.T) {
	dir, address := t.TempDir(), porttest.Address(t)
	process := relayProcess(t, dir, address)
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

	relayProcess(t, dir, address)
	require.Equal(t, "frame", string(r.next().Data))
	for _, text := range []string{"frame", "next"} {
		_, again := from.Post(t.Context(), "topic", []byte(text)).Again()
		require.False(t, again)
	}
	require.Equal(t, "next", string(r.next().Data), "the frame came once")
}

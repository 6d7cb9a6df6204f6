//go:build unix

package sqlstore

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/pgtest"
	"github.com/trefoil-im/trefoil/state/store"
)

// loss is how a connection is lost when something is sent on it.
type loss int

const (
	unsent     loss = iota // before the server has it
	unanswered             // when the server has answered it
	late                   // before the server has it, and it arrives nevertheless, when the client has given the connection up
	cutOff                 // when the server has answered it, and it cannot be reached any more
)

var errLost = errors.New("connection lost")

// network is what lies between a client and a server.
type network struct {
	mu    sync.Mutex
	after int // how often something is sent before a connection is lost; below 0 for never
	how   loss
	down  bool
	cut   func()         // called when it goes down
	rest  sync.WaitGroup // what is still on its way
}

func (n *network) arm(after int, how loss, cut func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.after, n.how, n.cut, n.down = after, how, cut, false
}

// spared reports whether no connection was lost since arm. A driver may still be sending what it does aside.
func (n *network) spared() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.after >= 0
}

// lose reports whether to lose the connection now.
func (n *network) lose() (how loss, lost bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.after--
	lost = n.after == -1
	if lost && n.how == cutOff {
		n.down = true
		n.cut()
	}
	return n.how, lost
}

func (n *network) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	n.mu.Lock()
	down := n.down
	n.mu.Unlock()
	if down {
		return nil, errLost
	}
	c, err := new(net.Dialer).DialContext(ctx, network, addr)
	return &wire{Conn: c, network: n}, err
}

type wire struct {
	net.Conn
	network *network
	kept    bool // Close leaves it open
}

func (w *wire) Write(b []byte) (int, error) {
	how, lost := w.network.lose()
	if !lost {
		return w.Conn.Write(b)
	}
	answer := make([]byte, 1<<12)
	if how == late {
		w.kept = true
		sent := slices.Clone(b)
		w.network.rest.Go(func() {
			time.Sleep(20 * time.Millisecond) // so that the client is asking already; it does not matter if it is not
			w.Conn.Write(sent)
			w.Conn.SetReadDeadline(time.Time{})
			w.Conn.Read(answer)
			w.Conn.Close()
		})
		return 0, errLost
	}
	if how != unsent {
		w.Conn.Write(b)
		w.Conn.Read(answer)
	}
	w.Conn.Close()
	return 0, errLost
}

func (w *wire) Close() error {
	if w.kept {
		return nil
	}
	return w.Conn.Close()
}

// openOver opens a store on a database behind a network.
func openOver(t *testing.T, dsn string) (handle, *network) {
	n := &network{after: -1}
	config, err := pgx.ParseConfig(dsn)
	require.NoError(t, err)
	config.DialFunc = n.dial
	db := stdlib.OpenDB(*config)
	s, err := Postgres(t.Context(), db)
	require.NoError(t, err)
	h := handle{s, db}
	t.Cleanup(func() { h.Close() })
	return h, n
}

// Wherever the connection is lost, a commit is decided when Commit returns: after an error it is not made, not even later, and
// without one it is. If the server cannot be reached either to find out, the error says so.
func TestPostgresLostConnection(t *testing.T) {
	dsn := pgtest.Database(t)
	s, network := openOver(t, dsn)
	other := openPG(t, dsn)
	defer other.Close()
	undecided := 0
	for _, how := range []loss{unsent, unanswered, late, cutOff} {
		held, update := row()
		require.NoError(t, s.Commit(t.Context(), held))
		doomed, _ := row()
		require.NoError(t, s.Commit(t.Context(), doomed))
		for n, passed := 0, false; !passed; n++ {
			fresh, _ := row()
			changes := []store.Change{update, fresh, {Kind: doomed.Kind, ID: doomed.ID, Base: doomed.Next, Delete: true}}
			if how == late {
				changes = changes[1:] // the deletion and the creation alone
			}
			ctx, cancel := context.WithCancel(t.Context())
			network.arm(n, how, cancel) // or else Commit would wait for the server
			err := s.Commit(ctx, changes...)
			cancel()
			passed = network.spared()
			found, headErr := other.Head(t.Context(), fresh.Kind, fresh.ID)
			network.arm(-1, how, nil)
			network.rest.Wait()
			if errors.Is(err, store.ErrUndecided) {
				undecided++
			} else {
				require.Equal(t, err == nil, headErr == nil, "loss %d of what is sent at %d: %v", how, n, err)
			}
			again, againErr := other.Head(t.Context(), fresh.Kind, fresh.ID)
			require.Equal(t, headErr, againErr)
			require.Equal(t, found, again)
			if headErr != nil {
				continue
			}
			update.Base, update.Next = update.Next, store.Head{Version: update.Next.Version + 1, Sealed: []byte{byte(n)}}
			doomed, _ = row()
			require.NoError(t, s.Commit(t.Context(), doomed))
		}
	}
	require.NotZero(t, undecided)
}

// Package pgwake carries wakes between relays on one PostgreSQL database, with LISTEN and NOTIFY:
//
//	w := pgwake.New(db)
//	r := relay.New(s, relay.Options{Name: name, Woken: w.Tell})
//	go w.Run(ctx, r.Wake)
//
// The pool is one of driver github.com/jackc/pgx/v5/stdlib. An engine that lacks NOTIFY, or a pooler that gives no session, is for
// Relay.Poll. Nothing depends on a wake but how soon a device looks into its mailbox.
package pgwake

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/trefoil-im/trefoil/relay/api"
)

const (
	// channel is the name of the notifications.
	channel = "relay_wake"
	// mostTold is how many devices one notification names: a payload has less than 8,000 bytes.
	mostTold = 180
	// mostPending is how many devices wait to be told of. Beyond that all are woken.
	mostPending = 100 * mostTold
	// pause is after how long the database is tried again.
	pause = time.Second
)

// Waker tells other relays whom to wake, and is told by them.
type Waker struct {
	db   *sql.DB
	self string // begins the payloads of this one

	mu      sync.Mutex
	pending map[api.DeviceID]bool
	all     bool          // too many to name
	some    chan struct{} // has a value if there are any
}

// New returns a Waker, which does nothing before Run.
func New(db *sql.DB) *Waker {
	return &Waker{db: db, self: rand.Text(), pending: make(map[api.DeviceID]bool), some: make(chan struct{}, 1)}
}

// Tell has the other relays wake some devices. It does not wait. It is a relay.Options.Woken.
func (w *Waker) Tell(devices []api.DeviceID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range devices {
		w.pending[d] = true
	}
	if len(w.pending) > mostPending {
		clear(w.pending)
		w.all = true
	}
	w.signal()
}

func (w *Waker) signal() {
	select {
	case w.some <- struct{}{}:
	default:
	}
}

// Run tells and listens until ctx ends, and returns its error. It calls wake with the devices of which other relays tell, and
// without any if some may have been missed: relay.Relay.Wake wakes all then. It keeps one connection of the pool.
func (w *Waker) Run(ctx context.Context, wake func(...api.DeviceID)) error {
	var group sync.WaitGroup
	defer group.Wait()
	group.Go(func() { w.tell(ctx) })
	for ctx.Err() == nil {
		_ = w.listen(ctx, wake) // it is tried again, whatever it was
		sleep(ctx, pause)
	}
	return ctx.Err()
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// tell sends what is to be told, many devices at once while the database is slow.
func (w *Waker) tell(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.some:
		}
		if _, err := w.db.ExecContext(ctx, "SELECT pg_notify($1, $2)", channel, w.payload()); err != nil {
			w.mu.Lock()
			w.all = true // nobody knows who was not woken
			w.signal()
			w.mu.Unlock()
			sleep(ctx, pause)
		}
	}
}

// payload takes out what the next notification says: who tells, and the devices in base64, or none for all.
func (w *Waker) payload() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	fields := []string{w.self}
	if w.all {
		w.all = false
		clear(w.pending)
	}
	for d := range w.pending {
		if len(fields) > mostTold {
			w.signal()
			break
		}
		fields = append(fields, base64.RawStdEncoding.EncodeToString(d[:]))
		delete(w.pending, d)
	}
	return strings.Join(fields, " ")
}

// listen takes notifications until the connection breaks.
func (w *Waker) listen(ctx context.Context, wake func(...api.DeviceID)) error {
	c, err := w.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Raw(func(raw any) error {
		own, ok := raw.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("pgwake: a connection of %T is none of pgx", raw)
		}
		err := take(ctx, own.Conn(), w.self, wake)
		return errors.Join(err, driver.ErrBadConn) // it listens: it must not go back to the pool
	})
}

func take(ctx context.Context, c *pgx.Conn, self string, wake func(...api.DeviceID)) error {
	if _, err := c.Exec(ctx, "LISTEN "+channel); err != nil {
		return err
	}
	wake() // what was told before, nobody heard
	for {
		n, err := c.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		fields := strings.Fields(n.Payload)
		if len(fields) == 0 || fields[0] == self {
			continue
		}
		var devices []api.DeviceID
		for _, f := range fields[1:] {
			if raw, err := base64.RawStdEncoding.DecodeString(f); err == nil && len(raw) == len(api.DeviceID{}) {
				devices = append(devices, api.DeviceID(raw))
			}
		}
		wake(devices...)
	}
}

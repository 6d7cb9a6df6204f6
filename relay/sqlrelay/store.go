package sqlrelay

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/trefoil-im/trefoil/relay/store"
)

const (
	// maxTries is how often a transaction is run that gives way to others. From aloneFrom on it runs alone in this process.
	maxTries  = 24
	aloneFrom = 3
	// pauseUnit is the first pause between two tries on average; it doubles up to maxPause.
	pauseUnit = time.Millisecond
	maxPause  = 50 * time.Millisecond
)

// Store is a store.Store in a database. It is safe for concurrent use, in one process and several.
type Store struct {
	d                dialect
	writers, readers lane
	alone            sync.RWMutex // held for writing by a transaction that gave way often
	close            func()
}

var _ store.Store = (*Store)(nil)

// dialect is what differs from one database to the other.
type dialect struct {
	read, write string // begin a transaction
	bind        func(text string) string
	fault       func(error) fault
}

// fault is what an error of a driver means.
type fault struct {
	name     error // of package store; nil if it has none
	again    bool  // the transaction gave way to another one
	answered bool  // the database itself has said so
}

func newStore(db *sql.DB, d dialect, writers, readers int, settle func(ctx context.Context, c *sql.Conn, reads bool) error) *Store {
	open := func(reads bool) func(context.Context) (*sql.Conn, error) {
		return func(ctx context.Context) (*sql.Conn, error) {
			c, err := db.Conn(ctx)
			if err != nil {
				return nil, err
			}
			if err := settle(ctx, c, reads); err != nil {
				(&conn{pinned: c}).discard()
				return nil, err
			}
			return c, nil
		}
	}
	done := make(chan struct{})
	s := &Store{d: d, writers: newLane(writers, done, open(false)), readers: newLane(readers, done, open(true))}
	s.close = sync.OnceFunc(func() {
		close(done)
		s.writers.close()
		s.readers.close()
	})
	return s
}

// Close waits for what is running and gives the connections up. The pool stays open. Close again does nothing; other calls return
// store.ErrClosed then.
func (s *Store) Close() error {
	s.close()
	return nil
}

// View implements store.Store.
func (s *Store) View(ctx context.Context, f func(store.Reader) error) error {
	return s.again(ctx, s.readers, s.d.read, func(t *tx) error { return f(struct{ store.Reader }{t}) })
}

// Update implements store.Store.
func (s *Store) Update(ctx context.Context, f func(store.Tx) error) error {
	return s.again(ctx, s.writers, s.d.write, func(t *tx) error { return f(t) })
}

// again runs a transaction until it does not give way. A write that another row refuses gives way once: the other row was committed by
// then, so that the transaction sees it when it runs again, and a write that is refused again is refused by a row that it has seen. Another
// write is none of the same, and may be refused by the row of another rival.
func (s *Store) again(ctx context.Context, l lane, begin string, f func(*tx) error) error {
	var before write
	for try := 0; ; try++ {
		again, refused, err := s.once(ctx, l, begin, try >= aloneFrom, f)
		if err == nil || !again {
			return err
		}
		if errors.Is(err, store.ErrExists) || errors.Is(err, store.ErrConstraint) {
			if refused.same(before) {
				return err
			}
			before = refused
		}
		if try == maxTries-1 {
			return fmt.Errorf("sqlrelay: %w: %w", store.ErrBusy, err)
		}
		pause := time.Duration(rand.Int64N(int64(2 * min(pauseUnit<<min(try, 10), maxPause))))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// once runs a transaction once, and reports whether it may be run again, and which write failed, if one did.
func (s *Store) once(ctx context.Context, l lane, begin string, alone bool, f func(*tx) error) (again bool, failed write, err error) {
	if alone {
		s.alone.Lock()
		defer s.alone.Unlock()
	} else {
		s.alone.RLock()
		defer s.alone.RUnlock()
	}
	c, fresh, err := l.take(ctx)
	if errors.Is(err, store.ErrClosed) {
		return false, write{}, err
	}
	if err != nil {
		return s.d.fault(err).again, write{}, s.failure(ctx, err)
	}
	t := &tx{ctx: ctx, s: s, c: c}
	sound := false // unless f returns
	defer func() { l.give(c, sound) }()
	err = t.run(begin, f)
	sound = t.sound
	if t.err == nil || t.own {
		return false, write{}, err // f's own or of what f gave, or none
	}
	what := s.d.fault(t.err)
	unsent := errors.Is(t.err, driver.ErrBadConn) // so drivers say that the server has seen nothing
	switch {
	case t.ending && !what.answered && !unsent:
		return false, write{}, fmt.Errorf("sqlrelay: %w: %w", store.ErrUndecided, t.err)
	case what.again, unsent, !what.answered && !fresh: // it gave way, or the connection is dead
		return ctx.Err() == nil, t.lost, s.failure(ctx, t.err)
	}
	return false, write{}, s.failure(ctx, t.err)
}

// failure says what made a driver fail: the end of the context, for which drivers have errors of their own, or else err.
func (s *Store) failure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if name := s.d.fault(err).name; name != nil && !errors.Is(err, name) {
		return fmt.Errorf("sqlrelay: %w: %w", name, err)
	}
	return fmt.Errorf("sqlrelay: %w", err)
}

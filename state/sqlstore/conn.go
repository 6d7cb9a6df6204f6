package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"
)

// errEnding is the error for a transaction whose COMMIT was sent and not answered with success.
var errEnding = errors.New("sqlstore: end of a transaction")

// errDecided is what waiting for a connection returns when there is nothing left to do with it.
var errDecided = errors.New("sqlstore: decided meanwhile")

// errClosed is what every method of a closed Store returns.
var errClosed = errors.New("sqlstore: the store is closed")

// conn is a pinned connection: it was set up once, and stays ours until it is closed. It is used by one goroutine at a
// time.
type conn struct {
	pinned *sql.Conn
	stmts  map[string]*sql.Stmt
	fresh  bool // it was opened just now
	failed bool // a statement failed
	ending bool // COMMIT was sent and not answered
	fault  func(error) fault

	patience time.Duration // for how long a lock is waited for that another process holds
}

// stmt returns a prepared statement. There is one for each text, and the texts are few.
func (c *conn) stmt(ctx context.Context, text string) (*sql.Stmt, error) {
	if s, found := c.stmts[text]; found {
		return s, nil
	}
	s, err := c.pinned.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	c.stmts[text] = s
	return s, nil
}

// exec runs a statement and returns the number of rows that it changed.
func (c *conn) exec(ctx context.Context, text string, args ...any) (changed int64, err error) {
	defer func() { c.failed = c.failed || err != nil }()
	s, err := c.stmt(ctx, text)
	if err != nil {
		return 0, err
	}
	res, err := s.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// query calls scan for each row that a statement returns.
func (c *conn) query(ctx context.Context, scan func(*sql.Rows) error, text string, args ...any) (err error) {
	defer func() { c.failed = c.failed || err != nil }()
	s, err := c.stmt(ctx, text)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// transaction runs f between begin and COMMIT. If f fails or the context ends before COMMIT, nothing of it remains: it
// is rolled back here, or, if a statement failed, by closing the connection.
func (c *conn) transaction(ctx context.Context, begin string, f func() error) error {
	if err := c.begin(ctx, begin); err != nil {
		return err
	}
	err := f()
	if err == nil {
		err = ctx.Err()
	}
	// To interrupt the end of a transaction would only leave in doubt how it ended.
	ctx = context.WithoutCancel(ctx)
	switch {
	case err == nil:
		c.ending = true
		_, err = c.exec(ctx, "COMMIT")
		c.ending = err != nil
	case !c.failed:
		c.exec(ctx, "ROLLBACK")
	}
	return err
}

// discard closes the connection for good. Its statements come first: database/sql does not keep account of the statements
// of a pinned connection, and SQLite closes none, nor rolls back what is open on it, while it has a statement left. If
// the driver has closed the connection already, its statements must not be touched.
func (c *conn) discard() {
	if alive := c.pinned.Raw(func(any) error { return nil }) == nil; alive {
		for _, s := range c.stmts {
			s.Close()
		}
	}
	discard(c.pinned)
}

// discard closes a connection for good. Handed back to the pool it would go on being used with our settings.
func discard(c *sql.Conn) {
	c.Raw(func(any) error { return driver.ErrBadConn })
}

// lane is a fixed number of connections that are set up alike; nil stands for one that has to be opened.
type lane struct {
	free  chan *conn
	open  func(context.Context) (*sql.Conn, error)
	fault func(error) fault
	done  <-chan struct{} // closed with the store
}

func newLane(size int, done <-chan struct{}, fault func(error) fault, open func(context.Context) (*sql.Conn, error)) lane {
	l := lane{make(chan *conn, size), open, fault, done}
	for range size {
		l.free <- nil
	}
	return l
}

// use runs f with a connection of the lane. A connection on which a statement failed is closed afterwards, whatever it
// was: with every driver that ends an open transaction, and an interrupted or broken connection is never met again. If
// a connection from before was found dead, and f cannot have changed anything, f runs again with another one. If decided is
// closed before there is a connection, use returns errDecided.
func (l lane) use(ctx context.Context, decided <-chan struct{}, f func(*conn) error) error {
	for {
		c, err := l.take(ctx, decided)
		if err != nil {
			return err
		}
		fresh := c.fresh
		failed, ending, err := l.run(c, f)
		if !failed {
			return err
		}
		dead := errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || !l.fault(err).answered
		switch {
		case ending:
			return fmt.Errorf("%w: %w", errEnding, l.failure(context.WithoutCancel(ctx), err))
		case !dead || fresh:
			return l.failure(ctx, err)
		}
	}
}

// run runs f with a connection and gives it back, or closes it if a statement failed or f panics. It reports whether one
// failed, and whether that was COMMIT: the connection itself may be somebody else's by then.
func (l lane) run(c *conn, f func(*conn) error) (failed, ending bool, err error) {
	failed = true // unless f returns
	defer func() {
		if failed {
			c.discard()
			c = nil
		}
		l.free <- c
	}()
	err = f(c)
	return c.failed, c.ending, err
}

// failure says what made a driver fail: the end of the context, for which drivers have errors of their own, or else err, with
// the name that package store has for it.
func (l lane) failure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if name := l.fault(err).name; name != nil {
		return fmt.Errorf("sqlstore: %w: %w", name, err)
	}
	return fmt.Errorf("sqlstore: %w", err)
}

func (l lane) take(ctx context.Context, decided <-chan struct{}) (*conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case <-l.done:
		return nil, errClosed
	default:
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-decided:
		return nil, errDecided
	case <-l.done:
		return nil, errClosed
	case c := <-l.free:
		if c != nil {
			c.fresh = false
			return c, nil
		}
		pinned, err := l.open(ctx)
		if err != nil {
			l.free <- nil
			return nil, l.failure(ctx, err)
		}
		return &conn{pinned: pinned, stmts: make(map[string]*sql.Stmt), fresh: true, fault: l.fault, patience: busyTimeout}, nil
	}
}

// close waits for the connections that are in use and closes all.
func (l lane) close() {
	for range cap(l.free) {
		if c := <-l.free; c != nil {
			c.discard()
		}
	}
}

package sqlrelay

import (
	"context"
	"database/sql"
	"database/sql/driver"

	"github.com/trefoil-im/trefoil/relay/store"
)

// conn is a connection that was set up and stays the store's own. It is used by one goroutine at a time.
type conn struct {
	pinned *sql.Conn
	stmts  map[string]*sql.Stmt
}

// stmt returns a prepared statement. The texts are few: one for each table, operation and batch.
func (c *conn) stmt(ctx context.Context, text string) (*sql.Stmt, error) {
	if s, found := c.stmts[text]; found {
		return s, nil
	}
	s, err := c.pinned.PrepareContext(ctx, text)
	if err == nil {
		c.stmts[text] = s
	}
	return s, err
}

// exec runs a statement that stands alone.
func (c *conn) exec(ctx context.Context, text string) error {
	_, err := c.pinned.ExecContext(ctx, text)
	return err
}

// discard closes the connection for good, its statements first: SQLite rolls nothing back while there are some. Handed back to
// the pool it would go on being used with our settings.
func (c *conn) discard() {
	if c.pinned.Raw(func(any) error { return nil }) == nil {
		for _, s := range c.stmts {
			s.Close()
		}
	}
	c.pinned.Raw(func(any) error { return driver.ErrBadConn })
}

// lane is a bounded number of connections that are set up alike. Those that are open are used before another one is opened.
type lane struct {
	idle chan *conn    // open connections that nobody uses
	room chan struct{} // permits to open one
	open func(context.Context) (*sql.Conn, error)
	done <-chan struct{} // closed with the store
}

func newLane(size int, done <-chan struct{}, open func(context.Context) (*sql.Conn, error)) lane {
	l := lane{make(chan *conn, size), make(chan struct{}, size), open, done}
	for range size {
		l.room <- struct{}{}
	}
	return l
}

// take returns a connection, and whether it was opened just now.
func (l lane) take(ctx context.Context) (c *conn, fresh bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	select {
	case <-l.done:
		return nil, false, store.ErrClosed
	default:
	}
	select {
	case c := <-l.idle:
		return c, false, nil
	default:
	}
	select {
	case <-ctx.Done():
		return nil, false, ctx.Err()
	case <-l.done:
		return nil, false, store.ErrClosed
	case c := <-l.idle:
		return c, false, nil
	case <-l.room:
	}
	pinned, err := l.open(ctx)
	if err != nil {
		l.room <- struct{}{}
		return nil, false, err
	}
	return &conn{pinned, make(map[string]*sql.Stmt)}, true, nil
}

// give gives a connection back, or closes it if it is not sound.
func (l lane) give(c *conn, sound bool) {
	if sound {
		l.idle <- c
		return
	}
	c.discard()
	l.room <- struct{}{}
}

// close waits for the connections that are in use and closes all.
func (l lane) close() {
	for range cap(l.idle) {
		select {
		case c := <-l.idle:
			c.discard()
		case <-l.room:
		}
	}
}

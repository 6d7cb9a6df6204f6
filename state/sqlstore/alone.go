package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/trefoil-im/trefoil/state/store"
)

const (
	// maxTries is how often a transaction is run that gives way to others. Rows are locked in one order, so that only what a
	// hook does, or an engine that checks for more, makes one give way; ten times in a row it is hardly chance any more.
	maxTries = 10
	// firstPause is the longest pause before the second try. It is doubled from try to try.
	firstPause = 2 * time.Millisecond
	// longestPause is the longest pause of all. It also bounds how long it goes unnoticed that a server is back.
	longestPause = 250 * time.Millisecond
)

// alone carries out a commit in a transaction of its own.
func (s *database) alone(p *pending) error {
	for try := 0; ; try++ {
		err := s.writer.use(p.ctx, nil, func(c *conn) error { return s.commitGroup(c, []*pending{p}) })
		if err == nil {
			return nil
		}
		f := s.dialect.fault(err)
		switch {
		case errors.Is(err, errEnding) && !f.answered:
			return s.resolve(p, err)
		case !f.again || try == maxTries-1:
			return err
		}
		if err := pause(p.ctx, try); err != nil {
			return err
		}
	}
}

// pause waits a random time, so that those who wait for each other do not meet again.
func pause(ctx context.Context, try int) error {
	longest := longestPause
	if try < 7 { // beyond, it would be longer
		longest = firstPause << try
	}
	t := time.NewTimer(rand.N(longest))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// resolve finds out how a transaction ended whose COMMIT was not answered, because the connection was lost. If it is still
// under way at the server, it is waited for: it has locked the rows that it writes. While the server is not there, resolve
// tries again, as long as the context allows.
func (s *database) resolve(p *pending, cause error) error {
	undecided := fmt.Errorf("sqlstore: %w: %w", store.ErrUndecided, cause)
	if !slices.ContainsFunc(p.changes, func(c store.Change) bool { return c.Action() != store.Assert }) {
		return undecided // only a hook has written, and no row tells
	}
	for try := 0; ; try++ {
		var made bool
		err := s.writer.use(p.ctx, nil, func(c *conn) error {
			return c.transaction(p.ctx, s.dialect.write, func() (err error) {
				made = true
				for i := 0; i < len(p.changes) && made && err == nil; i++ {
					change := p.changes[i]
					made, err = s.tables[change.Kind].made(p.ctx, c, key{p.namespace, change.ID}, change)
				}
				return err
			})
		})
		switch {
		case err == nil && made:
			return nil
		case err == nil:
			return cause
		case errors.Is(err, errClosed) || pause(p.ctx, try) != nil:
			return undecided
		}
	}
}

// made reports whether a row is what a change made of it, when nobody who is changing it is left.
func (t *tables) made(ctx context.Context, c *conn, at key, change store.Change) (bool, error) {
	want := change.Next
	switch change.Action() {
	case store.Assert:
		return true, nil
	case store.Delete:
		want = store.Head{}
	case store.Create: // a row that is not there yet cannot be waited for otherwise
		if err := t.assertAbsent(ctx, c, at); !errors.Is(err, store.ErrConflict) {
			return false, err
		}
	}
	err := t.assert(ctx, c, at, want)
	if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

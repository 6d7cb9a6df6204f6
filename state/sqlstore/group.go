package sqlstore

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/trefoil-im/trefoil/state/store"
)

// maxGroup is how many commits go in one transaction. At 64 the cost of making it durable is shared by so many that more
// save nothing, while readers of one's own process wait for the first of them.
const maxGroup = 64

// pending is a call of Commit that waits for its transaction.
type pending struct {
	ctx       context.Context
	namespace string
	changes   []store.Change
	hook      store.Hook // nil if there is none
	err       error
	decided   chan struct{} // closed when err is final
}

func (p *pending) decide(err error) {
	p.err = err
	close(p.decided)
}

// group is the queue of commits that wait for the connection that writes. Whoever gets it commits for all.
type group struct {
	mu      sync.Mutex
	waiting []*pending
}

func (g *group) add(p *pending) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = append(g.waiting, p)
}

// take returns the commits that waited longest.
func (g *group) take() []*pending {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := min(len(g.waiting), maxGroup)
	batch := slices.Clone(g.waiting[:n])
	g.waiting = slices.Delete(g.waiting, 0, n)
	return batch
}

// leave takes a commit out of the queue. It returns false if somebody has taken it for a transaction.
func (g *group) leave(p *pending) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.waiting, p)
	if i >= 0 {
		g.waiting = slices.Delete(g.waiting, i, i+1)
	}
	return i >= 0
}

// Commit implements store.Store. Where there is one writer at a time, commits that wait for it go in one transaction, which is
// made durable once; if it fails, each is carried out alone.
func (s *Store) Commit(ctx context.Context, changes ...store.Change) error {
	if err := store.Check(changes); err != nil || len(changes) == 0 {
		return err
	}
	p := &pending{ctx: ctx, namespace: s.namespace, changes: changes, decided: make(chan struct{})}
	if s.dialect.share != "" {
		return s.alone(p)
	}
	s.group.add(p)
	for {
		select {
		case <-p.decided:
			if p.err == nil && makesVault(changes) {
				// A copy of the file without its log is to hold the store's own row, so that it is not taken for an empty
				// store. If others are reading, the log is moved by the next commits.
				_ = s.Scrub(context.WithoutCancel(ctx))
			}
			return p.err
		default:
		}
		batch, err := s.lead(ctx, p)
		if batch == nil && err != nil && !errors.Is(err, errDecided) && s.group.leave(p) {
			return err // the connection was not to be had in time
		}
		if batch == nil {
			<-p.decided // somebody else commits it
			continue
		}
		s.decide(batch, err)
	}
}

// lead waits for the connection that writes and commits what waits then, or returns when p is decided. If it returns a batch
// the error is that of the transaction.
func (s *database) lead(ctx context.Context, p *pending) (batch []*pending, err error) {
	err = s.writer.use(ctx, p.decided, func(c *conn) error {
		if batch == nil {
			batch = s.group.take()
		}
		if len(batch) == 0 {
			return nil // somebody has taken p, and commits it alone
		}
		return s.commitGroup(c, batch)
	})
	return batch, err
}

// commitGroup carries out commits in one transaction. A refused one leaves the others; any other failure is one of all. The
// transaction ends early only if nobody waits for it any more.
func (s *database) commitGroup(c *conn, batch []*pending) error {
	ctx, cancel := context.WithCancel(context.WithoutCancel(batch[0].ctx))
	defer cancel()
	var waiting atomic.Int64
	waiting.Store(int64(len(batch)))
	for _, p := range batch {
		stop := context.AfterFunc(p.ctx, func() {
			if waiting.Add(-1) == 0 {
				cancel()
			}
		})
		defer stop()
	}
	err := s.write(ctx, c, func() error {
		for _, p := range batch {
			if p.err = p.ctx.Err(); p.err != nil && len(batch) > 1 {
				continue
			}
			p.err = s.applyOne(ctx, c, p, len(batch) > 1)
			if p.err != nil && (len(batch) == 1 || !isRefusal(p.err)) {
				return p.err
			}
		}
		return nil
	})
	if err != nil && ctx.Err() != nil && !errors.Is(err, errEnding) {
		return batch[0].ctx.Err() // all have ended
	}
	return err
}

// refusedFirst reports whether changes are refused before anything is written, if they are: one change that is no creation, also
// behind the assertion of the store's own row that all commits of vaults begin with.
func refusedFirst(changes []store.Change) bool {
	if len(changes) == 2 && changes[0].Kind == store.Vault && changes[0].Action() == store.Assert {
		changes = changes[1:]
	}
	return len(changes) == 1 && changes[0].Action() != store.Create
}

// applyOne carries out one commit within a transaction. If it is refused, nothing of it is left in a transaction that others
// go on with.
func (s *database) applyOne(ctx context.Context, c *conn, p *pending, shared bool) error {
	if !shared || refusedFirst(p.changes) {
		err := s.apply(ctx, c, p.namespace, p.changes)
		if err == nil && p.hook != nil {
			err = runHook(ctx, c, p.hook)
		}
		return err
	}
	if _, err := c.exec(ctx, "SAVEPOINT one"); err != nil {
		return err
	}
	err := s.apply(ctx, c, p.namespace, p.changes)
	if isRefusal(err) {
		if _, err := c.exec(ctx, "ROLLBACK TO SAVEPOINT one"); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	if _, rerr := c.exec(ctx, "RELEASE SAVEPOINT one"); rerr != nil {
		return rerr
	}
	return err
}

// decide tells the commits of a batch how their transaction ended. After a failure before its end each is carried out alone.
func (s *database) decide(batch []*pending, err error) {
	for _, p := range batch {
		switch {
		case err == nil:
			p.decide(p.err)
		case len(batch) == 1 || errors.Is(err, errEnding):
			p.decide(err)
		default:
			p.decide(s.alone(p))
		}
	}
}

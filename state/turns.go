package state

import (
	"context"
	"sync"
)

// turns lets the users of one ID in, one after the other, so that writers inside a process queue instead of colliding.
type turns struct {
	mu     sync.Mutex
	queues map[ID]*turnQueue
}

type turnQueue struct {
	token chan struct{} // holds one token while nobody has the turn
	users int           // that hold it or wait for it
}

// wait returns when it is the caller's turn; done ends it.
func (t *turns) wait(ctx context.Context, id ID) (done func(), err error) {
	t.mu.Lock()
	q := t.queues[id]
	if q == nil {
		if t.queues == nil {
			t.queues = make(map[ID]*turnQueue)
		}
		q = &turnQueue{token: make(chan struct{}, 1)}
		q.token <- struct{}{}
		t.queues[id] = q
	}
	q.users++
	t.mu.Unlock()

	select {
	case <-q.token:
		return func() { q.token <- struct{}{}; t.leave(id, q) }, nil
	case <-ctx.Done():
		t.leave(id, q)
		return nil, ctx.Err()
	}
}

func (t *turns) leave(id ID, q *turnQueue) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if q.users--; q.users == 0 {
		delete(t.queues, id)
	}
}

package state

import (
	"context"
	"sync"
)

// keyedMutex is a mutex for each ID whose Lock heeds a context, so that writers inside a process queue instead of
// colliding in the store.
type keyedMutex struct {
	mu     sync.Mutex
	queues map[ID]*mutexQueue
}

type mutexQueue struct {
	token chan struct{} // holds one token while nobody holds the mutex
	users int           // that hold the mutex or wait for it
}

// lock returns when the caller holds the mutex of id; unlock releases it.
func (m *keyedMutex) lock(ctx context.Context, id ID) (unlock func(), err error) {
	m.mu.Lock()
	q := m.queues[id]
	if q == nil {
		if m.queues == nil {
			m.queues = make(map[ID]*mutexQueue)
		}
		q = &mutexQueue{token: make(chan struct{}, 1)}
		q.token <- struct{}{}
		m.queues[id] = q
	}
	q.users++
	m.mu.Unlock()

	select {
	case <-q.token:
		return func() { q.token <- struct{}{}; m.leave(id, q) }, nil
	case <-ctx.Done():
		m.leave(id, q)
		return nil, ctx.Err()
	}
}

func (m *keyedMutex) leave(id ID, q *mutexQueue) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if q.users--; q.users == 0 {
		delete(m.queues, id)
	}
}

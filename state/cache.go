package state

import (
	"container/list"
	"sync"

	"github.com/trefoil-im/trefoil/state/store"
)

// snapshot is a value as it was stored under a head, with the numbers of what lies beside it. It is immutable, but for the
// framings of retained frames, which are read when they are needed, under the lock of the row.
type snapshot[V any] struct {
	head     store.Head // the zero Head if it is yet to be created
	value    V
	contents contents
	outbox   []store.Held
	inbox    []store.Held
	frames   heldFrames  // that are retained
	framed   *heldFrames // those of them that are not damaged, with framings; nil until it is needed
	wanted   wanted      // which of the frames are to be tried again
}

// held returns the items of a queue.
func (s *snapshot[V]) held(q store.Queue) []store.Held {
	if q == store.Outbox {
		return s.outbox
	}
	return s.inbox
}

// cache keeps the snapshots used last. What it returns may be out of date; heads tell.
type cache[V any] struct {
	size int

	mu    sync.Mutex
	byID  map[ID]*list.Element
	order list.List // of cached[V], the one used last in front
}

type cached[V any] struct {
	id   ID
	snap *snapshot[V]
}

func (c *cache[V]) get(id ID) *snapshot[V] {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byID[id]
	if e == nil {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(cached[V]).snap
}

// put keeps s for id; nil forgets what is kept.
func (c *cache[V]) put(id ID, s *snapshot[V]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.byID[id]; e != nil {
		c.order.Remove(e)
		delete(c.byID, id)
	}
	if s == nil {
		return
	}
	if c.byID == nil {
		c.byID = make(map[ID]*list.Element)
	}
	c.byID[id] = c.order.PushFront(cached[V]{id, s})
	for c.order.Len() > c.size {
		last := c.order.Back()
		c.order.Remove(last)
		delete(c.byID, last.Value.(cached[V]).id)
	}
}

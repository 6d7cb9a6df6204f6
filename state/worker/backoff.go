package worker

import (
	"sync"
	"time"

	"github.com/trefoil-im/trefoil/internal/backoff"
	"github.com/trefoil-im/trefoil/state"
)

// destination is what is left alone by itself: one destination of an outbox, or the whole outbox.
type destination struct {
	id     state.ID
	to     string
	outbox bool
}

// pauses knows until when destinations are left alone. It is not stored: who starts anew may ask at once.
type pauses struct {
	mu sync.Mutex
	of map[destination]pause
}

type pause struct {
	until    time.Time
	failures int // in succession
}

func (b *pauses) remaining(d destination, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(0, b.of[d].until.Sub(now))
}

func (b *pauses) succeeded(d destination) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.of, d)
}

// failed returns for how long to leave a destination alone: as long as the network says, but at least longer with each failure in
// succession.
func (b *pauses) failed(d destination, now time.Time, after time.Duration) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.of == nil {
		b.of = make(map[destination]pause)
	}
	n := b.of[d].failures
	wait := backoff.Wait(n, after)
	b.of[d] = pause{now.Add(wait), n + 1}
	return wait
}

// forget forgets the failures of one outbox and its destinations.
func (b *pauses) forget(id state.ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for d := range b.of {
		if d.id == id {
			delete(b.of, d)
		}
	}
}

// tidy forgets what has not been asked for long: destinations of values that are no more.
func (b *pauses) tidy(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for d, p := range b.of {
		if now.Sub(p.until) > backoff.Longest {
			delete(b.of, d)
		}
	}
}

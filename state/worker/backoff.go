package worker

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/trefoil-im/trefoil/state"
)

// maxBackoff is the longest time for which a destination or a failing outbox is left alone, unless the network says a longer
// one.
const maxBackoff = 5 * time.Minute

// destination is what is left alone by itself: one destination of an outbox, or the whole outbox.
type destination struct {
	id     state.ID
	to     string
	outbox bool
}

// backoff knows until when destinations are left alone. It is not stored: who starts anew may ask at once.
type backoff struct {
	mu sync.Mutex
	of map[destination]pause
}

type pause struct {
	until    time.Time
	failures int // in succession
}

func (b *backoff) remaining(d destination, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(0, b.of[d].until.Sub(now))
}

func (b *backoff) succeeded(d destination) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.of, d)
}

// failed returns for how long to leave a destination alone: as long as the network says, but at least twice as long with each
// failure in succession, up to maxBackoff, and up to a quarter more, so that many do not come at the same moment.
func (b *backoff) failed(d destination, now time.Time, after time.Duration) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.of == nil {
		b.of = make(map[destination]pause)
	}
	n := b.of[d].failures
	wait := max(after, min(maxBackoff, time.Second<<min(n, 20)))
	wait += rand.N(wait/4 + 1)
	b.of[d] = pause{now.Add(wait), n + 1}
	return wait
}

// forget forgets the failures of one outbox and its destinations.
func (b *backoff) forget(id state.ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for d := range b.of {
		if d.id == id {
			delete(b.of, d)
		}
	}
}

// tidy forgets what has not been asked for long: destinations of values that are no more.
func (b *backoff) tidy(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for d, p := range b.of {
		if now.Sub(p.until) > maxBackoff {
			delete(b.of, d)
		}
	}
}

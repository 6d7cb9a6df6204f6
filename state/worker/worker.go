// Package worker sends what lies in the outboxes of a vault until its context ends.
//
// Several processes may do so on one store, if their vaults are opened with state.Options.Shared: an app and its push
// extension, or the servers of one service. For each outbox one of them sends at a time. A worker that dies loses nothing:
// another goes on after twice state.Options.SendTime. Each frame leaves once, unless a process died, or stood still for
// longer than that, while it was sending it; then the frame may leave once more, with the same bytes. A frame for a
// destination is sent when those before it for the same one were delivered or rejected.
package worker

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/trefoil-im/trefoil/state"
)

// Defaults of Options, and bounds.
const (
	// defaultOutboxes is the number of outboxes that are sent from at once: enough that some slow destinations are not felt.
	defaultOutboxes = 16

	// defaultScan is how often all values are looked at. It bounds how long a frame waits that another process has put into
	// an outbox and does not send; looking reads one head for each value.
	defaultScan = time.Minute
)

// Sender hands a frame to the network, for one value. It is called by several goroutines at once, and must return when its
// context ends.
type Sender func(context.Context, state.ID, state.Outgoing) state.Delivery

// Options are the settings of a Worker. The zero value holds the defaults.
type Options struct {
	// Outboxes is how many outboxes are sent from at once, 16 by default. How many destinations of each is an option of the
	// vault.
	Outboxes int

	// Scan is how often all values are looked at for frames to be sent, 1 minute by default.
	Scan time.Duration

	// Failed is called when an outbox cannot be sent from because the store fails or the value is damaged; the zero ID stands
	// for the list of values. The worker tries again, later each time, up to 5 minutes. It may be nil.
	Failed func(state.ID, error)
}

// Worker sends from the outboxes of one vault. All of its methods are safe for concurrent use; Run is called once.
type Worker[V state.Value[V]] struct {
	vault   *state.Vault[V]
	send    Sender
	options Options
	backoff pauses
	woken   chan struct{} // there is something in wake

	mu   sync.Mutex
	wake map[state.ID]bool
}

// New returns a Worker that does nothing until Run is called.
func New[V state.Value[V]](v *state.Vault[V], send Sender, o Options) *Worker[V] {
	if o.Outboxes <= 0 {
		o.Outboxes = defaultOutboxes
	}
	if o.Scan <= 0 {
		o.Scan = defaultScan
	}
	if o.Failed == nil {
		o.Failed = func(state.ID, error) {}
	}
	return &Worker[V]{vault: v, send: send, options: o, woken: make(chan struct{}, 1), wake: make(map[state.ID]bool)}
}

// Wake makes Run look at the outbox of id at once. A program calls it after each commit that puts something there.
func (w *Worker[V]) Wake(id state.ID) {
	w.mu.Lock()
	w.wake[id] = true
	w.mu.Unlock()
	select {
	case w.woken <- struct{}{}:
	default: // Run was told already
	}
}

// Retry is Wake, and forgets for how long the outbox and its destinations were to be left alone: the network is back, or what they
// waited for has come.
func (w *Worker[V]) Retry(id state.ID) {
	w.backoff.forget(id)
	w.Wake(id)
}

// Run sends until ctx ends, and returns its error when everything that was being sent has been recorded.
func (w *Worker[V]) Run(ctx context.Context) error {
	s := schedule{due: make(map[state.ID]time.Time), running: make(map[state.ID]bool)}
	results := make(chan result)
	var scanned time.Time
	for {
		if now := time.Now(); ctx.Err() == nil && now.Sub(scanned) >= w.options.Scan {
			if err := w.scan(ctx, &s); err != nil && ctx.Err() == nil {
				w.options.Failed(state.ID{}, err)
			}
			scanned = time.Now()
			w.backoff.tidy(scanned)
		}
		for ctx.Err() == nil && len(s.running) < w.options.Outboxes {
			id, ok := s.next(time.Now())
			if !ok {
				break
			}
			go func() {
				r := result{id: id, err: errEnded}
				defer func() { results <- r }() // even if the sender ends its goroutine
				r = w.flush(ctx, id)
			}()
		}
		if ctx.Err() != nil && len(s.running) == 0 {
			return ctx.Err()
		}
		timer := time.NewTimer(s.wait(time.Now(), scanned.Add(w.options.Scan)))
		select {
		case r := <-results:
			w.finish(ctx, &s, r)
		case <-w.woken:
			s.add(w.takeWoken(), time.Now())
		case <-timer.C:
		case <-ctx.Done():
			for len(s.running) > 0 {
				w.finish(ctx, &s, <-results)
			}
		}
		timer.Stop()
	}
}

// scan makes every outbox due that is not empty, unless it failed a short while ago. One that another process was sending from
// may be free by now.
func (w *Worker[V]) scan(ctx context.Context, s *schedule) error {
	ids, err := w.vault.List(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	for _, id := range ids {
		pending, err := w.vault.Pending(ctx, id)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, state.ErrNotFound): // deleted meanwhile
		case err != nil:
			w.options.Failed(id, err)
		case pending.Outbox > 0 && w.backoff.remaining(destination{id: id, outbox: true}, now) == 0:
			s.add([]state.ID{id}, now)
		}
	}
	return nil
}

func (w *Worker[V]) takeWoken() (ids []state.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range w.wake {
		ids = append(ids, id)
	}
	clear(w.wake)
	return ids
}

// errEnded is the error of a sender that ended its goroutine.
var errEnded = errors.New("worker: the sender ended its goroutine")

// result is what came of sending from one outbox.
type result struct {
	id    state.ID
	again time.Duration
	err   error
}

// flush sends what is in an outbox. Destinations that are left alone for now are not asked.
func (w *Worker[V]) flush(ctx context.Context, id state.ID) result {
	again, err := w.vault.Flush(ctx, id, func(ctx context.Context, out state.Outgoing) state.Delivery {
		to := destination{id: id, to: out.To}
		if wait := w.backoff.remaining(to, time.Now()); wait > 0 {
			return state.RetryAfter(wait)
		}
		d := w.send(ctx, id, out)
		after, failed := d.Again()
		if !failed {
			w.backoff.succeeded(to)
			return d
		}
		return state.RetryAfter(w.backoff.failed(to, time.Now(), after))
	})
	return result{id, again, err}
}

// finish schedules when an outbox is sent from again.
func (w *Worker[V]) finish(ctx context.Context, s *schedule, r result) {
	delete(s.running, r.id)
	now := time.Now()
	outbox := destination{id: r.id, outbox: true}
	switch {
	case r.err != nil && ctx.Err() == nil:
		w.options.Failed(r.id, r.err)
		s.later(r.id, now.Add(w.backoff.failed(outbox, now, time.Second)))
	case r.again > 0:
		s.later(r.id, now.Add(r.again))
	default:
		w.backoff.succeeded(outbox)
	}
}

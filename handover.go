package trefoil

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/internal/backoff"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// handing hands over the events of a chat until there are none, or the program fails; then again, later each time.
func (r *run) handing(ch *chat) {
	for failures := 0; ; {
		r.mu.Lock()
		if !ch.again || r.ctx.Err() != nil || r.once && failures > 0 {
			ch.handing = false
			r.mu.Unlock()
			return
		}
		ch.again = false
		r.mu.Unlock()
		err := r.handAll(ch)
		if err == nil {
			failures = 0
			continue
		}
		r.client.stats.failures.Add(1)
		r.fail("handing over", ch.id, err)
		failures++
		if !r.once && r.sleep(backoff.Wait(failures-1, 0), nil) {
			r.mu.Lock()
			ch.again = true
			r.mu.Unlock()
		}
	}
}

// handAll hands over what lies in the inbox of a chat, and takes out what was handled: many events in one commit.
func (r *run) handAll(ch *chat) error {
	done := handledEvents{since: r.client.o.Now()}
	for after := uint64(0); ; {
		items, err := r.client.rows(ch.kind).Inbox(r.ctx, ch.id, after)
		if len(items) == 0 || err != nil {
			return errors.Join(err, r.takeOut(ch, done.list))
		}
		after = items[len(items)-1].Seq
		if err := r.handPage(ch, items, &done); err != nil {
			return err
		}
	}
}

// handled is an event that was handed over.
type handled struct {
	seq   uint64
	event event.Event
}

// handledEvents are those that are to be taken out in the next commit.
type handledEvents struct {
	list  []handled
	bytes int
	since time.Time // when the commit before was made
}

// handPage hands over some items. After a failure it takes out those that were handled.
func (r *run) handPage(ch *chat, items []state.Incoming, done *handledEvents) (failure error) {
	now := r.client.o.Now
	for _, in := range items {
		if r.ctx.Err() != nil {
			break
		}
		e, err := decodeEvent(ch.id, in.Data())
		switch {
		case errors.Is(err, state.ErrTooNew) || errors.Is(err, state.ErrTooOld):
			r.client.log.Error("event of another release, left where it is", "chat", ch.id.String(), "error", err)
			continue
		case err != nil: // nothing that a client puts there
			h := sha256.Sum256(in.Data())
			e = event.Unread{Stamp: event.Stamp{Chat: ch.id, ID: event.ID(h[:16])}, Reason: ratchet.ErrMalformed}
		}
		if handle := r.client.o.Handle; handle != nil {
			if failure = handle(r.ctx, e); failure != nil {
				return errors.Join(failure, r.takeOut(ch, done.list))
			}
		}
		done.list, done.bytes = append(done.list, handled{in.Seq, e}), done.bytes+len(in.Data())
		if len(done.list) == maxHandled || done.bytes >= maxHandledBytes || now().Sub(done.since) >= commitWithin {
			if err := r.takeOut(ch, done.list); err != nil {
				return err
			}
			*done = handledEvents{since: now()}
		}
	}
	return nil
}

// takeOut commits that events were handled, with the rows of the program. If rows of one fail, those before it are committed
// without it.
func (r *run) takeOut(ch *chat, done []handled) error {
	if len(done) == 0 {
		return nil
	}
	err := r.commitHandled(ch, done)
	if err != nil && len(done) > 1 && r.client.o.InCommit != nil {
		for _, d := range done {
			if err = r.commitHandled(ch, []handled{d}); err != nil {
				break
			}
		}
	}
	select {
	case ch.taken <- struct{}{}: // there is room
	default:
	}
	return err
}

// commitHandled takes events out of the inbox in one commit, also when the run ends meanwhile: they were handled.
func (r *run) commitHandled(ch *chat, done []handled) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), decideTime)
	defer cancel()
	err := r.client.rows(ch.kind).take(ctx, ch.id, func(tx taker) {
		for _, d := range done {
			if !tx.Take(d.seq) || r.client.o.InCommit == nil {
				continue
			}
			if hook := r.client.o.InCommit(d.event); hook != nil {
				tx.InCommit(r.guarded(hook))
			}
		}
	})
	if errors.Is(err, state.ErrNotFound) {
		return nil
	}
	if err == nil {
		r.client.stats.events.Add(uint64(len(done)))
	}
	return err
}

// errPanicked is the error of a hook that panicked.
var errPanicked = errors.New("trefoil: a hook panicked")

// guarded returns a hook that ends the run, and not the goroutine of the store, if it panics.
func (r *run) guarded(hook store.Hook) store.Hook {
	return func(ctx context.Context, tx any) error {
		err := errPanicked
		r.guard(func() { err = hook(ctx, tx) })
		return err
	}
}

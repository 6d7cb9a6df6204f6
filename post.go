package trefoil

import (
	"context"
	"errors"

	"github.com/trefoil-im/trefoil/state"
)

// send hands a frame to the relay, or encrypts a message that waits in its outbox for that.
func (r *run) send(ctx context.Context, id state.ID, out state.Outgoing) (d state.Delivery) {
	r.guard(func() { // the zero Delivery is RetryAfter
		if out.To == unsent {
			d = r.encrypt(ctx, id, out)
		} else if err := r.subscribe(ctx, id); err != nil {
			r.client.log.Info("not subscribed yet", "chat", id.String(), "error", err)
		} else {
			d = r.client.transport.Post(ctx, out.To, out.Data)
		}
	})
	return d
}

// encrypt puts the frame of a message in the place of the message.
func (r *run) encrypt(ctx context.Context, id state.ID, out state.Outgoing) state.Delivery {
	if !r.isReady(id) {
		return state.RetryAfter(0)
	}
	err := r.client.spaces.Update(ctx, id, func(tx spaceTx) error { return r.client.group(id).encrypt(tx, out) })
	switch {
	case err == nil:
		return state.Delivered()
	case errors.Is(err, errNotNow):
		r.mu.Lock()
		r.chat(id).waits = true
		r.mu.Unlock()
	default:
		r.fail("encrypting", id, err)
	}
	return state.RetryAfter(0)
}

// flushAll sends what waits in all chats, once.
func (r *run) flushAll() {
	ids, err := r.client.spaces.List(r.ctx)
	r.fail("listing the chats", state.ID{}, err)
	for _, id := range ids {
		_, err := r.client.spaces.Flush(r.ctx, id, func(ctx context.Context, out state.Outgoing) state.Delivery {
			return r.send(ctx, id, out)
		})
		r.fail("sending", id, err)
	}
}

// failedOutbox is told by the worker that an outbox cannot be sent from.
func (r *run) failedOutbox(id state.ID, err error) { r.fail("sending", id, err) }

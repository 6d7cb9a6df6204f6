package trefoil

import (
	"context"
	"errors"

	"github.com/trefoil-im/trefoil/ratchet/session"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/worker"
)

// outboxes sends from the outboxes of one vault.
type outboxes interface {
	Run(context.Context) error
	Wake(state.ID)
	Retry(state.ID)
}

// posts send from the outboxes of all vaults while a Run goes on. Those of aDevice are of the sessions with single devices.
type posts map[chatKind]outboxes

// newPosts returns what sends in a Run.
func (r *run) newPosts() posts {
	c := r.client
	o := worker.Options{Scan: c.o.Every, Failed: r.failedOutbox}
	return posts{
		aSpace:   worker.New(bodyOf(c).spaces, r.send, o),
		aTalk:    worker.New(bodyOf(c).directs.talks, r.write, o),
		aLinking: worker.New(bodyOf(c).links, r.sendLink, o),
		aDevice:  worker.New(bodyOf(c).directs.endpoint.Sessions, r.sendDirect, o),
	}
}

func (p posts) run(r *run) {
	for _, o := range p {
		r.spawn(func() { o.Run(r.ctx) })
	}
}

func (p posts) wake(k chatKind, id state.ID) {
	if o := p[k]; o != nil {
		o.Wake(id)
	}
}

func (p posts) retry(k chatKind, id state.ID) {
	if o := p[k]; o != nil {
		o.Retry(id)
	}
}

// send hands a frame of a space to the relay, or encrypts a message that waits in its outbox for that.
func (r *run) send(ctx context.Context, id state.ID, out state.Outgoing) (d state.Delivery) {
	r.guard(func() { // the zero Delivery is RetryAfter
		if out.To == unsent {
			d = r.encrypt(ctx, id, out)
		} else {
			d = r.post(ctx, topicOf(id), out)
		}
	})
	return d
}

// post hands a frame to the relay once the answer to it would come.
func (r *run) post(ctx context.Context, answers string, out state.Outgoing) state.Delivery {
	if err := r.subscribe(ctx, answers); err != nil {
		r.client.log.Info("not subscribed yet", "topic", answers, "error", err)
		return state.RetryAfter(0)
	}
	return r.client.transport.Post(ctx, out.To, out.Data)
}

// encrypt puts the frame of a message in the place of the message.
func (r *run) encrypt(ctx context.Context, id state.ID, out state.Outgoing) state.Delivery {
	if !r.isReady(id) {
		return state.RetryAfter(0)
	}
	err := bodyOf(r.client).spaces.Update(ctx, id, func(tx spaceTx) error { return groupOf(r.client, id).encrypt(tx, out) })
	switch {
	case err == nil:
		return state.Delivered()
	case errors.Is(err, errNotNow):
		r.mu.Lock()
		r.chat(aSpace, id).waits = true
		r.mu.Unlock()
	default:
		r.fail("encrypting", id, err)
	}
	return state.RetryAfter(0)
}

// write puts the frames of a direct message in the place of the message, or gives those of one with which a session begins to a relay
// that keeps them.
func (r *run) write(ctx context.Context, id state.ID, out state.Outgoing) (d state.Delivery) {
	r.guard(func() {
		answer := state.Delivered()
		var slots []state.ID
		var err error
		if out.To == unkept {
			answer, slots, err = bodyOf(r.client).directs.keep(ctx, id, out)
		} else if slots, err = bodyOf(r.client).directs.encrypt(ctx, id, out, bodyOf(r.client).directs.keeper != nil); errors.Is(err, ErrNobody) || errors.Is(err, session.ErrUnverified) {
			err = bodyOf(r.client).directs.notSent(ctx, id, out, err)
		}
		if err != nil {
			r.fail("encrypting", id, err)
			return
		}
		d = answer
		for _, slot := range slots {
			r.posts.wake(aDevice, slot)
		}
	})
	return d
}

// sendDirect hands a frame of the session with one device to the relay.
func (r *run) sendDirect(ctx context.Context, slot state.ID, out state.Outgoing) (d state.Delivery) {
	r.guard(func() {
		s, err := bodyOf(r.client).directs.endpoint.Sessions.Load(ctx, slot)
		if err != nil {
			r.fail("sending", slot, err)
			return
		}
		d = r.post(ctx, s.Part().Mailbox().String(), out)
	})
	return d
}

// sendLink hands a frame of a linking to the relay. The first device publishes the further one's mailbox once it was told of it, so the
// further one reads there before.
func (r *run) sendLink(ctx context.Context, id state.ID, out state.Outgoing) (d state.Delivery) {
	r.guard(func() {
		v, err := bodyOf(r.client).links.Load(ctx, id)
		if err == nil && !v.Part().device.IsZero() {
			err = r.client.listenAt(ctx, v.Part().device.Mailbox())
		}
		if err != nil {
			r.client.log.Info("a linking waits", "error", err)
			return
		}
		d = r.post(ctx, topicOf(id), out)
	})
	return d
}

// flushAll sends what waits in all chats, once.
func (r *run) flushAll() {
	flush := func(rows rows, send worker.Sender) {
		ids, err := rows.List(r.ctx)
		r.fail("listing the chats", state.ID{}, err)
		for _, id := range ids {
			_, err := rows.Flush(r.ctx, id, func(ctx context.Context, out state.Outgoing) state.Delivery { return send(ctx, id, out) })
			r.fail("sending", id, err)
		}
	}
	flush(r.client.rows(aSpace), r.send)
	flush(r.client.rows(aTalk), r.write)
	flush(r.client.rows(aLinking), r.sendLink)
	flush(vaultRows[session.Session]{bodyOf(r.client).directs.endpoint.Sessions}, r.sendDirect)
}

// failedOutbox is told by the worker that an outbox cannot be sent from.
func (r *run) failedOutbox(id state.ID, err error) { r.fail("sending", id, err) }

package trefoil

import (
	"context"
	"slices"

	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// line is one call of Transport.Receive.
type line struct {
	ctx    context.Context
	cancel context.CancelFunc
	listed []state.ID // that it subscribes to
	ended  bool       // the backlog was delivered
	again  bool       // frames were left to the relay that are to be delivered again
}

// lines keeps a line up.
func (r *run) lines() {
	failures := 0
	for r.ctx.Err() == nil {
		err := r.receive()
		if l := r.drop(); l.ended && !l.again {
			failures = 0
		}
		if r.ctx.Err() != nil {
			return
		}
		wait := pause(failures)
		failures++
		r.client.log.Info("the line is down", "error", err, "again", wait)
		r.sleep(wait, nil)
	}
}

// receive brings up a line and returns when it is down.
func (r *run) receive() error {
	l := &line{}
	l.ctx, l.cancel = context.WithCancel(r.ctx)
	defer l.cancel()
	r.mu.Lock()
	r.line = l
	r.mu.Unlock()
	r.client.stats.lines.Add(1)
	return r.client.transport.Receive(l.ctx, func(yield func(string) bool) {
		ids, err := r.client.spaces.List(l.ctx)
		if err != nil {
			r.fail("listing the chats", state.ID{}, err)
			l.cancel()
			return
		}
		r.mu.Lock()
		l.listed = slices.Clone(ids)
		r.mu.Unlock()
		for _, id := range ids {
			if !yield(topicOf(id)) {
				return
			}
		}
	}, func(f Frame) { r.take(l, f) })
}

// drop forgets the line that is down. What is written now waits for the next backlog.
func (r *run) drop() *line {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.line
	r.line = nil
	for _, ch := range r.chats {
		ch.ready = false
	}
	return l
}

// take takes in what a line delivers. It waits while there is no room.
func (r *run) take(l *line, f Frame) {
	if f.isEnd() {
		r.backlogEnded(l)
		return
	}
	id, err := store.ParseID(f.Topic)
	if err != nil {
		r.client.log.Warn("frame of an unknown topic")
		f.Ack()
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	ch := r.chat(id)
	for !r.buffered.hasRoom() && !ch.stalled && l.ctx.Err() == nil {
		room := r.room
		r.mu.Unlock()
		select {
		case <-room:
		case <-l.ctx.Done():
		}
		r.mu.Lock()
	}
	switch {
	case l.ctx.Err() != nil: // the relay has it
	case ch.stalled:
		r.park(ch, f)
	default:
		ch.frames = append(ch.frames, f)
		r.buffered = r.buffered.plus(sizeOf(f))
		r.work(ch)
	}
}

// park keeps frames of a chat that cannot receive now, as far as there is room. The others are left to the relay, which delivers
// them again once the chat could receive what is kept. A Sync leaves all.
func (r *run) park(ch *chat, frames ...Frame) {
	for _, f := range frames {
		if r.once || len(ch.frames) >= maxBatch || !r.parked.hasRoom() {
			ch.missed = !r.once
			continue
		}
		ch.frames = append(ch.frames, f)
		r.parked = r.parked.plus(sizeOf(f))
	}
}

// unpark has a chat try to receive what was kept. The mutex is held.
func (r *run) unpark(ch *chat) {
	if ch.stalled {
		ch.stalled = false
		r.parked, r.buffered = r.parked.minus(sizeOf(ch.frames...)), r.buffered.plus(sizeOf(ch.frames...))
	}
}

// makeRoom notes that frames were dealt with or left to the relay. The mutex is held.
func (r *run) makeRoom(frames []Frame) {
	r.buffered = r.buffered.minus(sizeOf(frames...))
	close(r.room)
	r.room = make(chan struct{})
}

// backlogEnded has every chat maintained once its frames are read, and then encrypts what waits.
func (r *run) backlogEnded(l *line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l.ended = true
	for _, id := range l.listed {
		r.chat(id).subscribed = true
	}
	l.listed = nil
	for id := range r.chats {
		r.look(r.chat(id))
	}
	r.notify()
}

// reconnect gets again what was left to the relay. How soon, pause says. The mutex is held.
func (r *run) reconnect() {
	if r.line != nil {
		r.line.again = true
		r.line.cancel()
	}
}

// unsubscribe ends the subscription to a chat that this device no longer has.
func (c *Client) unsubscribe(ctx context.Context, id state.ID) {
	if err := c.transport.Unsubscribe(ctx, topicOf(id)); err != nil {
		c.log.Info("a subscription is not ended yet", "chat", id.String(), "error", err)
	}
	if r := c.current.Load(); r != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		ch := r.chat(id)
		ch.subscribed, ch.ready = false, false
		if l := r.line; l != nil {
			l.listed = slices.DeleteFunc(l.listed, func(other state.ID) bool { return other == id })
		}
	}
}

// subscribe makes sure that a chat is subscribed to before anything is posted there, since the answer comes there.
func (r *run) subscribe(ctx context.Context, id state.ID) error {
	r.mu.Lock()
	done := r.chat(id).subscribed
	r.mu.Unlock()
	if done {
		return nil
	}
	if err := r.client.transport.Subscribe(ctx, topicOf(id)); err != nil {
		return err
	}
	r.mu.Lock()
	r.chat(id).subscribed = true
	r.mu.Unlock()
	return nil
}

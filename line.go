package trefoil

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/trefoil-im/trefoil/internal/backoff"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// line is one call of Transport.Receive.
type line struct {
	ctx    context.Context
	cancel context.CancelFunc
	chats  []chatKey // that there were when it came up
	listed []string  // topics that it subscribes to
	ended  bool      // the backlog was delivered
	again  bool      // frames were left to the relay that are to be delivered again
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
		wait := backoff.Wait(failures, 0)
		failures++
		r.client.log.Info("the line is down", "error", err, "again", wait)
		r.sleep(wait, r.hurried)
	}
}

// hurry has a line be tried now that is down.
func (r *run) hurry() {
	select {
	case r.hurried <- struct{}{}:
	default:
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
	r.client.introduce(l.ctx)
	return r.client.transport.Receive(l.ctx, func(yield func(string) bool) {
		chats, err := r.client.chats(l.ctx)
		topics, failed := r.client.topics(l.ctx)
		if err = errors.Join(err, failed); err != nil {
			r.fail("listing the chats", state.ID{}, err)
			l.cancel()
			return
		}
		r.mu.Lock()
		l.chats, l.listed = chats, slices.Clone(topics)
		r.mu.Unlock()
		for _, topic := range topics {
			if !yield(topic) {
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
	k, ok, err := r.client.chatOf(l.ctx, f.Topic)
	if errors.Is(err, errEarly) {
		return // the relay has it, and delivers it again once the device belongs to a person
	}
	r.fail("receiving", state.ID{}, err)
	if err == nil && !ok {
		r.client.log.Warn("frame of an unknown topic")
		f.Ack()
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil { // the relay has it
		r.reconnect()
		return
	}
	ch := r.chat(k.kind, k.id)
	for !r.buffered.hasRoom() && !ch.stalled && l.ctx.Err() == nil {
		room := r.room
		if r.once {
			r.full = true
			r.notify()
		}
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
	if !r.once { // settle says when there is
		r.moreRoom()
	}
}

// moreRoom has a line go on that waits for room. The mutex is held.
func (r *run) moreRoom() {
	close(r.room)
	r.room = make(chan struct{})
}

// backlogEnded has every chat maintained once its frames are read, and then encrypts what waits.
func (r *run) backlogEnded(l *line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l.ended = true
	for _, topic := range l.listed {
		r.topics[topic] = true
	}
	for _, k := range l.chats {
		r.chat(k.kind, k.id)
	}
	l.chats, l.listed = nil, nil
	for _, k := range slices.SortedFunc(maps.Keys(r.chats), chatKey.compare) {
		r.look(r.chats[k])
	}
	r.notify()
}

// reconnect gets again what was left to the relay. How soon, lines says. The mutex is held.
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
	if r := bodyOf(c).current.Load(); r != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.chat(aSpace, id).ready = false
		delete(r.topics, topicOf(id))
		if l := r.line; l != nil {
			l.listed = slices.DeleteFunc(l.listed, func(other string) bool { return other == topicOf(id) })
		}
	}
}

// listen subscribes to a chat that others may write to as soon as they are told of it. If the relay cannot be asked now, Run or Sync does it.
func (c *Client) listen(ctx context.Context, id state.ID) {
	c.introduce(ctx)
	if err := c.subscribe(ctx, topicOf(id)); err != nil {
		c.log.Info("not subscribed yet", "chat", id.String(), "error", err)
	}
}

// listenAt subscribes to a mailbox of this device before others are told of it. A relay that does not know the device yet subscribes it with
// its registration.
func (c *Client) listenAt(ctx context.Context, mailbox key.Address) error {
	if err := c.subscribe(ctx, mailbox.String()); !errors.Is(err, ErrNotRegistered) {
		return err
	}
	return nil
}

// subscribe subscribes to a topic, and has the run know it.
func (c *Client) subscribe(ctx context.Context, topic string) error {
	if r := bodyOf(c).current.Load(); r != nil {
		return r.subscribe(ctx, topic)
	}
	return c.transport.Subscribe(ctx, topic)
}

// subscribe makes sure that a topic is subscribed to before anything is posted, since the answer comes there.
func (r *run) subscribe(ctx context.Context, topic string) error {
	r.mu.Lock()
	done := r.topics[topic]
	r.mu.Unlock()
	if done {
		return nil
	}
	if err := r.client.transport.Subscribe(ctx, topic); err != nil {
		return err
	}
	r.mu.Lock()
	r.topics[topic] = true
	r.mu.Unlock()
	return nil
}

// topics returns where this device reads.
func (c *Client) topics(ctx context.Context) (all []string, err error) {
	for _, rows := range []rows{c.rows(aSpace), c.rows(aLinking)} {
		ids, err := rows.List(ctx)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			all = append(all, topicOf(id))
		}
	}
	if has, err := c.hasPerson(ctx); !has {
		return all, err
	}
	mailboxes, err := bodyOf(c).directs.endpoint.Mailboxes(ctx)
	for _, m := range mailboxes {
		all = append(all, m.String())
	}
	return all, err
}

// errEarly is the error for a frame to the mailbox of a device that belongs to no person: it is being linked and is registered already.
var errEarly = errors.New("trefoil: the device is not linked yet")

// chatOf returns what receives the frames of a topic. It is false for one that nothing of this device receives. It returns errEarly, or an
// error of the store.
func (c *Client) chatOf(ctx context.Context, topic string) (chatKey, bool, error) {
	if id, err := store.ParseID(topic); err == nil {
		return chatKey{aSpace, id}, true, nil
	}
	if _, err := key.ParseAddress(topic); err != nil {
		return chatKey{}, false, nil
	}
	has, err := c.hasPerson(ctx)
	if !has {
		return chatKey{}, false, cmp.Or(err, errEarly)
	}
	return chatKey{aDevice, bodyOf(c).directs.endpoint.Device}, true, nil
}

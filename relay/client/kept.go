package client

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/relay/api"
)

// keptAtOnce is how many requests are made about conversations between two looks into the mailbox, and before the end of the backlog is
// told: a person that is written to now and then has fewer sessions.
const keptAtOnce = 64

// kept is what items of the mailbox say of conversations and is still to be read there, in the order of each conversation. The
// conversations take turns, and are read after the mailbox: so many sessions of one person delay no frame and no other person's sessions.
// It holds items that are not acknowledged, as many as senders have room for in a mailbox.
type kept struct {
	turns []string             // conversations of which something is to be read
	items map[string][]*unread // of each
}

// unread is a notice, or the tombstone of notices.
type unread struct {
	api.Item
	notice     api.Notice
	next, last uint64       // the sessions that are still to be read; 0 of a tombstone until it is known how many there are
	left       atomic.Int64 // frames that are not acknowledged, and one until all sessions were read
	found      bool         // there are frames
}

func (k *kept) isEmpty() bool { return len(k.turns) == 0 }

// add has an item read.
func (k *kept) add(u *unread) {
	if k.items == nil {
		k.items = make(map[string][]*unread)
	}
	if len(k.items[u.Topic]) == 0 {
		k.turns = append(k.turns, u.Topic)
	}
	u.left.Store(1)
	k.items[u.Topic] = append(k.items[u.Topic], u)
}

// read has read, which makes one request at most and reports whether an item is done with, go on with the items, keptAtOnce times at most.
// After an error it goes on where it was.
func (k *kept) read(read func(*unread) (done bool, err error)) error {
	for range keptAtOnce {
		if k.isEmpty() {
			return nil
		}
		topic := k.turns[0]
		done, err := read(k.items[topic][0])
		if err != nil {
			return err
		}
		k.turns = k.turns[1:]
		if done {
			k.items[topic] = k.items[topic][1:]
		}
		if len(k.items[topic]) > 0 {
			k.turns = append(k.turns, topic)
		} else {
			delete(k.items, topic)
		}
	}
	return nil
}

// conversationOf returns the conversation whose notices have a topic, and false if there is none.
func conversationOf(topic string) (id api.ConversationID, ok bool) {
	return id, id.UnmarshalText([]byte(topic)) == nil
}

// read reads a session, or how many there are. An item that no frames were found for is handed over itself.
func (l *line) read(ctx context.Context, u *unread) (done bool, err error) {
	id, _ := conversationOf(u.Topic)
	switch {
	case u.next <= u.last && u.last > 0:
		if err := l.session(ctx, id, u); err != nil {
			return false, err
		}
		u.next++
	case u.Reason != 0:
		v, err := l.c.Conversations.Get(ctx, id)
		if err != nil && !errors.Is(err, api.ErrForbidden) { // it is none, or not this person's
			return false, err
		}
		if v.Kind == api.Direct {
			u.next, u.last = 1, v.Number
		}
	}
	if u.next <= u.last && u.last > 0 {
		return false, nil
	}
	ack := func() { l.acknowledge(u.Seq) }
	switch {
	case u.found:
		l.done(u)
	case u.Reason != 0:
		l.handle(trefoil.Frame{Topic: u.Topic, Lost: int(u.Count), Ack: ack})
	case l.c.o.Notify != nil:
		l.c.o.Notify(Notice{Notice: u.notice, Kind: u.Kind, Sender: u.Sender, Ack: ack})
	}
	return true, nil
}

// session hands over the frames that the relay keeps for this device in the next session of an item. What a program has put into a
// conversation otherwise is not among them, nor what the device has no part in. The item is acknowledged when all frames are.
func (l *line) session(ctx context.Context, id api.ConversationID, u *unread) error {
	initial, err := l.c.Conversations.Initial(ctx, id, u.next)
	switch {
	case errors.Is(err, api.ErrBeforeJoined), errors.Is(err, api.ErrForbidden), errors.Is(err, api.ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	for _, e := range initial.Envelopes {
		topic, frame, err := parseSealedFrame(e.Envelope.Sealed)
		if err != nil {
			continue
		}
		u.found = true
		u.left.Add(1)
		l.handle(trefoil.Frame{Topic: topic, From: e.Person.String(), Data: frame, Ack: sync.OnceFunc(func() { l.done(u) })})
	}
	return nil
}

// done notes that a frame of an item is acknowledged, or that all of its sessions were read.
func (l *line) done(u *unread) {
	if u.left.Add(-1) == 0 {
		l.acknowledge(u.Seq)
	}
}

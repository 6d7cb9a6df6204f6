package trefoil

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/trefoil-im/trefoil/ratchet/session"
	"github.com/trefoil-im/trefoil/state"
)

// hasPerson reports whether there are direct conversations on this device. An error means that the store could not say.
func (c *Client) hasPerson(ctx context.Context) (bool, error) {
	_, err := c.Person(ctx)
	if errors.Is(err, ErrNoPerson) {
		return false, nil
	}
	return err == nil, err
}

// receiveDirects receives frames for the device, whoever they are from, and acknowledges those that are dealt with. If none could
// be received it returns why, and they are tried again; if others could be, those that could not are left to the relay.
func (r *run) receiveDirects(ch *chat, batch []Frame) (err error) {
	var frames []state.Frame
	var asked []Frame
	for _, f := range batch {
		if f.Lost > 0 { // whose they were nobody knows; who wrote them sends them again
			r.client.log.Warn("the relay gave up frames of a mailbox", "frames", f.Lost)
			f.Ack()
			continue
		}
		frames, asked = append(frames, state.Frame{Source: f.Topic, Data: f.Data}), append(asked, f)
	}
	of, receipts, err := bodyOf(r.client).directs.endpoint.ReceiveAll(r.ctx, frames)
	var slots []state.ID
	var stopped []Frame
	for i, receipt := range receipts {
		if of[i] != (state.ID{}) && !slices.Contains(slots, of[i]) {
			slots = append(slots, of[i])
		}
		switch {
		case receipt.Verdict == state.Stop:
			stopped = append(stopped, asked[i])
		case receipt.Verdict != state.Retain:
			asked[i].Ack()
		case of[i] != (state.ID{}):
			r.remember(frames[i].Hash(), asked[i].Ack)
		}
		r.acknowledge(receipt.Acknowledge) // it may be among them
	}
	if len(receipts) == 0 {
		stopped = asked
	}
	for _, slot := range slots {
		if failed := r.collect(slot); failed != nil {
			ch.cleared, err = false, cmp.Or(err, failed)
		}
		r.posts.wake(aDevice, slot)
	}
	r.fail("receiving", ch.id, err)
	stalled := len(stopped) > 0 && len(stopped) == len(asked)
	r.received(ch, batch, stopped, stalled, false)
	if !stalled {
		return nil
	}
	return err
}

// collect hands over what was read in a slot.
func (r *run) collect(slot state.ID) error {
	talked, err := bodyOf(r.client).directs.collect(r.ctx, slot)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, with := range talked {
		r.handOver(r.chat(aTalk, talkID(with)))
	}
	return err
}

// maintainDirects publishes what has to be, subscribes to where the device reads, does what is due in all sessions, and hands over what
// could not be before. What fails does not keep the rest from being done.
func (r *run) maintainDirects(ch *chat) error {
	d := bodyOf(r.client).directs
	if _, err := d.self(r.ctx); err != nil {
		return err
	}
	failed := d.publish(r.ctx)
	mailboxes, err := d.endpoint.Mailboxes(r.ctx)
	failed = errors.Join(failed, err)
	for _, m := range mailboxes {
		failed = errors.Join(failed, r.subscribe(r.ctx, m.String()))
	}
	slots, err := d.endpoint.Maintain(r.ctx)
	for _, slot := range slots {
		r.posts.wake(aDevice, slot)
	}
	failed = errors.Join(failed, err)
	if !ch.cleared {
		err := r.clear()
		ch.cleared = err == nil
		failed = errors.Join(failed, err)
	}
	return failed
}

// clear receives what sessions retain, and hands over what was read in them and could not be before.
func (r *run) clear() error {
	d := bodyOf(r.client).directs
	own, err := d.devices.Load(r.ctx, d.endpoint.Device)
	if err != nil {
		return err
	}
	all, failed := d.endpoint.Sessions.List(r.ctx)
	for _, slot := range all {
		acks, err := d.endpoint.Sessions.Retry(r.ctx, slot, session.Opener(own.Part))
		r.acknowledge(acks)
		failed = errors.Join(failed, err, r.collect(slot))
	}
	return failed
}

package trefoil

import (
	"context"
	"slices"

	"github.com/trefoil-im/trefoil/ratchet/session"
	"github.com/trefoil-im/trefoil/state"
)

// hasPerson reports whether there are direct conversations on this device.
func (c *Client) hasPerson(ctx context.Context) bool {
	_, err := c.Person(ctx)
	return err == nil
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
	of, receipts, err := r.client.directs.endpoint.ReceiveAll(r.ctx, frames)
	var slots []state.ID
	var stopped []Frame
	for i, receipt := range receipts {
		r.acknowledge(receipt.Acknowledge)
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
	}
	if len(receipts) == 0 {
		stopped = asked
	}
	for _, slot := range slots {
		if failed := r.collect(slot); failed != nil && err == nil {
			err = failed
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
	talked, err := r.client.directs.collect(r.ctx, slot)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, with := range talked {
		r.handOver(r.chat(aTalk, talkID(with)))
	}
	return err
}

// maintainDirects publishes what has to be, does what is due in all sessions, and hands over what a run before this one has left.
func (r *run) maintainDirects(ch *chat) error {
	d := r.client.directs
	if _, err := d.self(r.ctx); err != nil {
		return err
	}
	r.fail("publishing", ch.id, d.publish(r.ctx))
	own, err := d.devices.Load(r.ctx, d.endpoint.Device)
	if err != nil {
		return err
	}
	slots, err := d.endpoint.Maintain(r.ctx)
	for _, slot := range slots {
		r.posts.wake(aDevice, slot)
	}
	r.fail("maintaining", ch.id, err)
	if ch.cleared {
		return nil
	}
	all, err := d.endpoint.Sessions.List(r.ctx)
	if err != nil {
		return err
	}
	ch.cleared = true
	for _, slot := range all {
		acks, err := d.endpoint.Sessions.Retry(r.ctx, slot, session.Opener(func() session.Device { return own.Part() }))
		r.acknowledge(acks)
		r.fail("receiving", slot, err)
		r.fail("receiving", slot, r.collect(slot))
	}
	return nil
}

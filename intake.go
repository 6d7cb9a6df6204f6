package trefoil

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/internal/backoff"
	"github.com/trefoil-im/trefoil/state"
)

// working receives the frames of a chat, and then maintains it, until there is nothing left to do.
func (r *run) working(ch *chat) {
	for failures, n := 0, 1; ; n++ {
		r.mu.Lock()
		r.unpark(ch)
		batch, l := ch.next(), r.line
		due := ch.due || ch.retained && r.atEnd(ch)
		if len(batch) == 0 && !due || r.ctx.Err() != nil {
			ch.working = false
			if ch.missed {
				ch.missed = false
				r.reconnect()
			}
			r.mu.Unlock()
			return
		}
		if len(batch) == 0 {
			ch.due = false
		}
		r.mu.Unlock()
		err := r.step(ch, l, batch)
		switch {
		case r.once && err == nil && len(batch) > 0 && n < batchesAtOnce:
		case r.once: // what was read is handed over, then it goes on
			r.spawn(func() { r.working(ch) })
			return
		case err == nil:
			failures = 0
		default:
			r.sleep(backoff.Wait(failures, 0), ch.taken)
			failures++
		}
	}
}

// next takes the frames of the next commit. The mutex is held.
func (ch *chat) next() []Frame {
	n, bytes := 0, 0
	for _, f := range ch.frames {
		if bytes += len(f.Data); n > 0 && (n == maxBatch || bytes > maxBatchBytes || f.Lost > 0 || ch.frames[0].Lost > 0) {
			break
		}
		n++
	}
	batch := ch.frames[:n:n]
	if ch.frames = ch.frames[n:]; len(ch.frames) == 0 {
		ch.frames = nil // with the array behind it
	}
	return batch
}

// step receives some frames, or maintains the chat if there are none, and has what came of it handed over and sent. The
// vaults of all chats do as much at once as there are processors.
func (r *run) step(ch *chat, l *line, batch []Frame) (err error) {
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
	switch {
	case ch.kind == aDevice && len(batch) > 0:
		err = r.receiveDirects(ch, batch)
	case ch.kind == aDevice:
		r.fail("maintaining", ch.id, r.maintainDirects(ch)) // what failed is done with the next tick
	case ch.kind == aTalk: // what comes, comes by the device
	case ch.kind == aLinking:
		r.fail("linking", ch.id, r.maintainLink(ch))
	case len(batch) > 0:
		err = r.receiveBatch(ch, batch)
	default:
		err = r.maintain(ch, l)
	}
	r.mu.Lock()
	r.handOver(ch)
	r.mu.Unlock()
	r.posts.wake(ch.kind, ch.id)
	return err
}

// receiveBatch receives frames in one commit, and acknowledges those that are dealt with. If none could be received, or the inbox
// is full, it returns why, and they are tried again; if others could be, those that could not are left to the relay.
func (r *run) receiveBatch(ch *chat, batch []Frame) error {
	var receipts []state.Receipt
	var err error
	frames := stateFrames(batch)
	if batch[0].Lost > 0 {
		err = bodyOf(r.client).spaces.Update(r.ctx, ch.id, func(tx spaceTx) error {
			tx.Emit(event.GivenUp{Frames: batch[0].Lost})
			return nil
		})
		receipts = []state.Receipt{{Verdict: state.Discard}}
		if err != nil {
			receipts = []state.Receipt{{Verdict: state.Stop, Reason: err}}
		}
	} else {
		receipts, err = r.client.receive(r.ctx, ch.id, frames)
	}
	if errors.Is(err, state.ErrNotFound) {
		return r.notOurs(ch, batch)
	}
	stopped, retained, reason := r.deal(batch, frames, receipts)
	err = cmp.Or(reason, err)
	r.fail("receiving", ch.id, err)
	stalled := len(stopped) == len(batch) || errors.Is(err, state.ErrFull)
	r.received(ch, batch, stopped, stalled, retained)
	if !stalled {
		return nil
	}
	return err
}

// stateFrames returns frames as a vault receives them.
func stateFrames(batch []Frame) []state.Frame {
	frames := make([]state.Frame, len(batch))
	for i, f := range batch {
		frames[i] = state.Frame{Source: source(f.From), Data: f.Data}
	}
	return frames
}

// deal acknowledges frames as their receipts say. It returns those that could not be received, and why the last of them could not, and
// whether some are retained.
func (r *run) deal(batch []Frame, frames []state.Frame, receipts []state.Receipt) (stopped []Frame, retained bool, reason error) {
	for i, receipt := range receipts {
		switch receipt.Verdict {
		case state.Stop:
			stopped, reason = append(stopped, batch[i]), receipt.Reason
		case state.Retain:
			r.remember(frames[i].Hash(), batch[i].Ack)
			retained = true
		default:
			batch[i].Ack()
		}
		r.acknowledge(receipt.Acknowledge) // it may be among them: retained, and then read
	}
	return stopped, retained, reason
}

// received keeps frames that could not be received for another try if the chat is stalled, and else leaves them to the relay: then
// it is they that cannot be received.
func (r *run) received(ch *chat, batch, stopped []Frame, stalled, retained bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.makeRoom(batch)
	ch.retained = ch.retained || retained
	if stalled {
		rest := ch.frames
		r.makeRoom(rest)
		ch.stalled, ch.frames = true, nil
		r.park(ch, append(stopped, rest...)...)
	} else if len(stopped) > 0 {
		ch.missed = !r.once
	}
	if ch.waits && !r.once {
		ch.waits = false
		r.posts.retry(ch.kind, ch.id)
	}
}

// source returns what bounds the frames that come from somebody. A long name of a relay must not make frames too large.
func source(from string) string {
	if len(from) <= state.MaxAddress {
		return from
	}
	h := sha256.Sum256([]byte(from))
	return hex.EncodeToString(h[:])
}

// notOurs gives frames to a linking, or acknowledges those of a chat that this device does not have, and ends the subscription.
func (r *run) notOurs(ch *chat, batch []Frame) error {
	if err := r.receiveLinks(ch, batch); !errors.Is(err, state.ErrNotFound) {
		return err
	}
	for _, f := range batch {
		f.Ack()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.makeRoom(batch)
	if !ch.leaving {
		ch.leaving = r.spawnLocked(func() { r.leave(ch) })
	}
	return nil
}

// receiveLinks receives frames of a linking. It returns state.ErrNotFound if there is none.
func (r *run) receiveLinks(ch *chat, batch []Frame) error {
	frames := stateFrames(batch)
	receipts, err := bodyOf(r.client).links.ReceiveAll(r.ctx, ch.id, frames, linkerOf(r.client).receive)
	if errors.Is(err, state.ErrNotFound) {
		return err
	}
	stopped, retained, reason := r.deal(batch, frames, receipts)
	err = cmp.Or(reason, err)
	r.fail("receiving", ch.id, err)
	r.received(ch, batch, stopped, len(stopped) == len(batch), retained)
	r.mu.Lock()
	linked := r.chat(aLinking, ch.id)
	linked.due = true
	r.work(linked)
	r.handOver(linked)
	r.mu.Unlock()
	r.posts.wake(aLinking, ch.id)
	return err
}

// leave ends the subscription to a chat that this device does not have, unless it has come back meanwhile.
func (r *run) leave(ch *chat) {
	r.client.unsubscribe(r.ctx, ch.id)
	if _, err := bodyOf(r.client).spaces.Pending(r.ctx, ch.id); !errors.Is(err, state.ErrNotFound) {
		r.fail("subscribing", ch.id, r.subscribe(r.ctx, topicOf(ch.id)))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	ch.leaving = false
	r.forget(ch)
}

// maintain does what is due in a chat whose backlog was read, and tries again what was deferred. Then what waits may be
// encrypted. That the end of what is stored was reached is noted at first, when a frame waits, and now and then.
func (r *run) maintain(ch *chat, l *line) error {
	g := groupOf(r.client, ch.id)
	r.mu.Lock()
	end := r.atEnd(ch) && (!ch.ready || ch.retained || time.Since(ch.ended) >= noteEnd)
	if end {
		ch.retained, ch.ended = false, time.Now()
	}
	r.mu.Unlock()
	invited := false
	err := bodyOf(r.client).spaces.Update(r.ctx, ch.id, func(tx spaceTx) error {
		err := g.maintain(tx, end)
		invited = len(entrancesOf(tx.Value())) > 0
		return err
	})
	if err == nil {
		err = r.subscribe(r.ctx, topicOf(ch.id)) // a space that was made while the relay could not be asked
	}
	if err == nil {
		var done [][32]byte
		done, err = bodyOf(r.client).spaces.Retry(r.ctx, ch.id, g.receive)
		r.acknowledge(done)
	}
	if err == nil && invited {
		r.fail("handing over to a further device", ch.id, r.handEntrances(ch.id)) // it is tried again with the next tick
	}
	gone := errors.Is(err, state.ErrNotFound)
	if !gone {
		r.fail("maintaining", ch.id, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if gone {
		r.forget(ch)
		return nil
	}
	if err != nil {
		ch.due, ch.retained = !r.once, ch.retained || end && !r.once
		return err
	}
	if !ch.ready && l != nil && l.ended && l == r.line {
		ch.ready = true
		r.posts.retry(ch.kind, ch.id)
	}
	return nil
}

// remember keeps how to acknowledge a frame that the vault retains.
func (r *run) remember(hash [32]byte, ack func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for other := range r.acks {
		if len(r.acks) < maxUnacknowledged {
			break
		}
		delete(r.acks, other)
	}
	r.acks[hash] = ack
}

// acknowledge acknowledges frames that were retained and are dealt with.
func (r *run) acknowledge(hashes [][32]byte) {
	for _, h := range hashes {
		r.mu.Lock()
		ack := r.acks[h]
		delete(r.acks, h)
		r.mu.Unlock()
		if ack != nil {
			ack()
		}
	}
}

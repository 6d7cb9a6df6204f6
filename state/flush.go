package state

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state/store"
)

// Outgoing is a frame in the outbox.
type Outgoing struct {
	Seq  uint64 // ascending within one value
	To   string // as it was given to Tx.Send
	Data []byte // the frame; a repeated delivery has the same bytes
}

// Delivery is what became of a frame that was handed to the network. The zero Delivery is RetryAfter(0), so that a result
// nobody filled in loses nothing.
type Delivery struct {
	done     bool // the network has decided
	rejected bool
	reason   string
	after    time.Duration
}

// Delivered says that the network has the frame for good.
func Delivered() Delivery { return Delivery{done: true} }

// RetryAfter says that the network did not take the frame now and may do so after d, or after a second if d is not positive.
// The frame stays in the outbox.
func RetryAfter(d time.Duration) Delivery { return Delivery{after: d} }

// Rejected says that the network will never take the frame.
func Rejected(reason string) Delivery { return Delivery{done: true, rejected: true, reason: reason} }

// Again returns after how long the frame is to be handed over again, and false if it was delivered or rejected.
func (d Delivery) Again() (time.Duration, bool) {
	if d.after <= 0 {
		return defaultRetry, !d.done
	}
	return d.after, !d.done
}

// Flush hands the frames in the outbox of id to send, first in, first out for each destination, and takes each out once send
// says that it was delivered or rejected. After RetryAfter this Flush leaves the destination alone and goes on with the
// others. It returns once every frame was dealt with or waits behind such a one.
//
// The duration says after how long to call Flush again: the shortest of those given to RetryAfter, or the time for which
// another process goes on to send (Options.Shared). It is 0 if nothing waits. A later Flush knows nothing of the times given
// to an earlier one; package worker keeps them for each destination.
//
// The context of each call of send ends after Options.SendTime, and send must return then; Options.Senders says how many
// destinations are sent to at once. No lock but the queue of other Flushes of the same ID is held while send runs, so a
// network that blocks stalls nothing else. Frames that are put into the outbox of this Vault meanwhile are sent, too.
//
// A frame is sent again, with the same bytes, only if it is not known that it was sent: after a crash, or a failure of the
// store. With Options.Shared that is also so for the frame that a process was sending when it stood still for so long that
// another took over. The one that stood still takes nothing out of the outbox any more.
func (v *Vault[V]) Flush(ctx context.Context, id ID, send func(context.Context, Outgoing) Delivery) (time.Duration, error) {
	unlock, err := v.flushers.lock(ctx, id)
	if err != nil {
		return 0, err
	}
	defer unlock()
	added := make(chan struct{}, 1)
	v.flushing.Store(id, added)
	defer v.flushing.Delete(id)
	s, err := v.current(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && len(s.outbox) == 0 {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	tenure, wait, err := v.leases.acquire(ctx, id)
	if err != nil || wait > 0 {
		return wait, err
	}
	defer tenure.release(ctx)
	sends, cancel := context.WithCancel(ctx)
	f := &flush[V]{
		v: v, id: id, send: send, tenure: tenure, sends: sends, cancel: cancel, added: added, results: make(chan sending, v.options.Senders),
		busy: make(map[uint64]bool), waiting: make(map[uint64]bool), damaged: make(map[uint64]bool),
	}
	defer cancel()
	err = f.run(ctx)
	if errors.Is(err, errFenced) {
		v.stats.fenced.Add(1)
		return v.leases.lasts, nil
	}
	return f.again, err
}

// flush goes through an outbox once.
type flush[V Value[V]] struct {
	v      *Vault[V]
	id     ID
	send   func(context.Context, Outgoing) Delivery
	tenure *tenure

	sends   context.Context // of the calls of send
	cancel  func()
	added   <-chan struct{} // something was put into the outbox
	results chan sending
	busy    map[uint64]bool // lanes of which a frame is being sent
	waiting map[uint64]bool // lanes that are left alone
	damaged map[uint64]bool // numbers of items that are stepped over
	again   time.Duration
}

// sending is a frame that is being sent, or was.
type sending struct {
	out      Outgoing
	lane     uint64
	delivery Delivery
}

// run sends until nothing more can be sent, or the first error; what is being sent then is still waited for and recorded.
func (f *flush[V]) run(ctx context.Context) (failure error) {
	note := func(err error) {
		if failure == nil && err != nil {
			failure = err
			f.cancel()
		}
	}
	for {
		if note(ctx.Err()); failure == nil {
			note(f.start(ctx))
		}
		if len(f.busy) == 0 {
			return failure
		}
		select {
		case done := <-f.results:
			note(f.finish(ctx, done))
		case <-f.added:
		}
	}
}

// start begins to send the first frame of as many lanes as there are senders for.
func (f *flush[V]) start(ctx context.Context) error {
	for len(f.busy) < f.v.options.Senders {
		s, err := f.v.current(ctx, f.id)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		out, lane, err := f.next(ctx, s)
		if errors.Is(err, errGone) {
			continue
		}
		if err != nil || out == nil {
			return err
		}
		if err := f.tenure.prepare(ctx); err != nil {
			return err
		}
		f.busy[lane] = true
		if f.v.options.Senders == 1 {
			f.call(*out, lane)
			return nil
		}
		go f.call(*out, lane)
	}
	return nil
}

// next returns the first frame whose lane is neither busy nor waiting, nil if there is none.
func (f *flush[V]) next(ctx context.Context, s *snapshot[V]) (out *Outgoing, lane uint64, err error) {
	for _, h := range s.outbox {
		if f.busy[h.Lane] || f.waiting[h.Lane] || f.damaged[h.Seq] {
			continue
		}
		out, err := f.v.outgoing(ctx, f.id, s, h)
		if !errors.Is(err, ErrCorrupt) {
			return out, h.Lane, err
		}
		f.damaged[h.Seq] = true
		f.v.emit(f.id, Damaged{Queue: store.Outbox, Seq: h.Seq})
	}
	return nil, 0, nil
}

// outgoing reads one frame of an outbox.
func (v *rows[V]) outgoing(ctx context.Context, id ID, s *snapshot[V], h store.Held) (*Outgoing, error) {
	items, err := v.store.Items(ctx, v.kind, id, store.Outbox, h.Seq)
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		if now, err := v.current(ctx, id); err != nil || !slices.Contains(now.outbox, h) {
			return nil, cmp.Or(err, errGone)
		}
		return nil, corrupt("outbox", errMissing)
	}
	slot := v.slot(id).with(&s.contents)
	plain, err := v.keys.open(ctx, &slot, roleOutbox, laneName(h.Lane), h.Seq, items[0].Data)
	if err != nil {
		return nil, err
	}
	r := wire.NewReader(plain)
	out := &Outgoing{Seq: h.Seq, To: string(r.Vec16(MaxAddress)), Data: r.Rest()}
	if err := r.Done(); err != nil {
		return nil, corrupt("outbox", err)
	}
	return out, nil
}

var (
	errMissing = errors.New("an item is missing")
	errGone    = errors.New("state: the frame was sent by somebody else meanwhile")
)

// call hands a frame to the network.
func (f *flush[V]) call(out Outgoing, lane uint64) {
	done := sending{out: out, lane: lane}
	defer func() { f.results <- done }() // even if send ends its goroutine
	ctx, cancel := context.WithTimeout(f.sends, f.v.options.SendTime)
	defer cancel()
	done.delivery = f.send(ctx, out)
}

// finish records what became of a frame.
func (f *flush[V]) finish(ctx context.Context, done sending) error {
	delete(f.busy, done.lane)
	if after, again := done.delivery.Again(); again {
		if f.again == 0 || after < f.again {
			f.again = after
		}
		f.waiting[done.lane] = true
		f.v.stats.deferred.Add(1)
		return nil
	}
	err := decided(ctx, func(ctx context.Context) error { return f.v.sent(ctx, f.id, f.tenure, done) })
	if err == nil {
		return nil
	}
	f.waiting[done.lane] = true // nothing may overtake it
	return err
}

// sent commits that a frame is taken out of the outbox.
func (v *Vault[V]) sent(ctx context.Context, id ID, t *tenure, done sending) error {
	taken := false
	err := t.commit(ctx, &update[V]{v: v, id: id, fn: func(base *snapshot[V], tx *Tx[V]) ([]frameChange, error) {
		taken = false
		if !slices.ContainsFunc(base.outbox, func(h store.Held) bool { return h.Seq == done.out.Seq }) {
			return nil, nil // somebody else was faster
		}
		taken = true
		tx.sent = []uint64{done.out.Seq}
		if done.delivery.rejected {
			tx.Emit(SendRejected{done.out.Seq, done.out.To, done.delivery.reason})
		}
		return nil, nil
	}})
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err == nil && taken {
		v.stats.sent.Add(1)
	}
	return err
}

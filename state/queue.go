package state

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/trefoil-im/trefoil/internal/wire"
)

// Outgoing is a frame in the outbox.
type Outgoing struct {
	Seq  uint64 // ascending within one value
	To   string // as it was given to Tx.Send
	Data []byte // the frame; a repeated delivery has the same bytes
}

// Incoming is something that was read, in the inbox.
type Incoming struct {
	Seq  uint64 // ascending within one value; tells a repeated delivery
	Data []byte // as it was given to Tx.Deliver
}

// Delivery is what became of a frame that was handed to the network. The zero Delivery is Delivered.
type Delivery struct {
	later    bool
	after    time.Duration
	rejected bool
	reason   string
}

// Delivered says that the network has the frame for good.
func Delivered() Delivery { return Delivery{} }

// RetryAfter says that the network did not take the frame now and may do so after d.
func RetryAfter(d time.Duration) Delivery { return Delivery{later: true, after: d} }

// Rejected says that the network will never take the frame.
func Rejected(reason string) Delivery { return Delivery{rejected: true, reason: reason} }

// SendRejected is the event of a frame that was taken out of the outbox because the network will never take it.
type SendRejected struct {
	Seq    uint64
	To     string
	Reason string
}

// Event implements Event.
func (e SendRejected) Event() string {
	return fmt.Sprintf("frame %d to %q rejected by the network: %s", e.Seq, e.To, e.Reason)
}

// Flush hands the frames in the outbox of id to send, first in, first out, and takes each out once send says that it was
// delivered or rejected. If send says RetryAfter, Flush stops and returns after how long to call it again; at the end of
// the outbox it returns 0. No lock but the queue of other Flushes of the same ID is held while send runs, so a network
// that blocks stalls nothing else. After a crash a frame may be sent twice, always with the same bytes.
func (v *Vault[V]) Flush(ctx context.Context, id ID, send func(context.Context, Outgoing) Delivery) (time.Duration, error) {
	var again time.Duration
	err := v.work(ctx, &v.flushers, id, Outbox, roleOutbox, func(seq uint64, r *wire.Reader) error {
		out := Outgoing{Seq: seq, To: string(r.Vec16(MaxAddress)), Data: r.Rest()}
		if err := r.Done(); err != nil {
			return corrupt("outbox", err)
		}
		d := send(ctx, out)
		if d.later {
			again = d.after
			return errStop
		}
		if d.rejected {
			v.options.Events(id, SendRejected{out.Seq, out.To, d.reason})
		}
		return nil
	})
	return again, err
}

// Drain hands what is in the inbox of id to read, in the order in which it was read, and takes each out once read returns
// nil; an error from read ends Drain and is returned. After a crash something may be handed over twice, with the same Seq.
func (v *Vault[V]) Drain(ctx context.Context, id ID, read func(context.Context, Incoming) error) error {
	return v.work(ctx, &v.drainers, id, Inbox, roleInbox, func(seq uint64, r *wire.Reader) error {
		return read(ctx, Incoming{Seq: seq, Data: r.Rest()})
	})
}

// errStop ends work without being an error of it.
var errStop = errors.New("stop")

// work goes through a queue and removes each item for which do returns nil.
func (v *Vault[V]) work(ctx context.Context, t *turns, id ID, q Queue, r role, do func(uint64, *wire.Reader) error) error {
	done, err := t.wait(ctx, id)
	if err != nil {
		return err
	}
	defer done()
	slot := v.slot(id)
	for after := uint64(0); ; {
		items, err := v.store.Items(ctx, v.kind, id, q, after, pageSize)
		if err != nil || len(items) == 0 {
			return err
		}
		for _, item := range items {
			plain, err := slot.open(r, "item", item.Seq, item.Data)
			if err != nil {
				return err
			}
			if err := do(item.Seq, wire.NewReader(plain)); err == errStop {
				return nil
			} else if err != nil {
				return err
			}
			if err := v.store.Remove(ctx, v.kind, id, q, item); err != nil {
				return err
			}
			after = item.Seq
		}
	}
}

// room returns ErrFull if n more items would exceed a queue's bound.
func (v *Vault[V]) room(ctx context.Context, id ID, q Queue, n, bound int) error {
	if n == 0 {
		return nil
	}
	held, err := v.store.Count(ctx, v.kind, id, q)
	if err == nil && held+n > bound {
		err = ErrFull
	}
	return err
}

// enqueue adds a transaction's queue items to a change.
func enqueue[V Value[V]](s slot, tx *Tx[V], c *contents, change *Change) error {
	for _, out := range tx.outbox {
		if len(out.To) > MaxAddress || len(out.Data) > MaxFrame {
			return fmt.Errorf("state: a frame to be sent has at most %d bytes, its destination %d", MaxFrame, MaxAddress)
		}
		c.outbox++
		w := wire.NewWriter(2 + len(out.To) + len(out.Data))
		w.Vec16([]byte(out.To))
		w.Fixed(out.Data)
		change.Outbox = append(change.Outbox, Item{c.outbox, s.seal(roleOutbox, "item", c.outbox, w.Bytes())})
	}
	for _, data := range tx.inbox {
		c.inbox++
		change.Inbox = append(change.Inbox, Item{c.inbox, s.seal(roleInbox, "item", c.inbox, data)})
	}
	return nil
}

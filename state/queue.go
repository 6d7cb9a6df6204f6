package state

import (
	"context"
	"errors"
	"fmt"
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

// Incoming is something that was read, in the inbox.
type Incoming struct {
	Seq  uint64 // ascending within one value; tells a repeated delivery
	Data []byte // as it was given to Tx.Deliver
}

// Delivery is what became of a frame that was handed to the network. The zero Delivery says that the frame stays in the
// outbox and may be handed over again at once, so that a result nobody filled in loses nothing.
type Delivery struct {
	done     bool // the network has decided
	rejected bool
	reason   string
	after    time.Duration
}

// Delivered says that the network has the frame for good.
func Delivered() Delivery { return Delivery{done: true} }

// RetryAfter says that the network did not take the frame now and may do so after d.
func RetryAfter(d time.Duration) Delivery { return Delivery{after: d} }

// Rejected says that the network will never take the frame.
func Rejected(reason string) Delivery { return Delivery{done: true, rejected: true, reason: reason} }

// Flush hands the frames in the outbox of id to send, first in, first out, and takes each out once send says that it was
// delivered or rejected. If send says RetryAfter, Flush stops and returns after how long to call it again; at the end of
// the outbox it returns 0. No lock but the queue of other Flushes of the same ID is held while send runs, so a network
// that blocks stalls nothing else. After a crash a frame may be sent twice, always with the same bytes.
func (v *Vault[V]) Flush(ctx context.Context, id ID, send func(context.Context, Outgoing) Delivery) (time.Duration, error) {
	var again time.Duration
	err := v.consume(ctx, &v.flushers, id, store.Outbox, 1, func(seq uint64, r *wire.Reader) error {
		out := Outgoing{Seq: seq, To: string(r.Vec16(MaxAddress)), Data: r.Rest()}
		if err := r.Done(); err != nil {
			return corrupt("outbox", err)
		}
		d := send(ctx, out)
		if !d.done {
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

// Drain hands what is in the inbox of id to read, in the order in which it was read, and takes out what read returned nil
// for; an error from read ends Drain and is returned. Items are taken out up to 64 at a time, so after a crash as many may
// be handed over again, with the same Seq.
func (v *Vault[V]) Drain(ctx context.Context, id ID, read func(context.Context, Incoming) error) error {
	return v.consume(ctx, &v.drainers, id, store.Inbox, pageSize, func(seq uint64, r *wire.Reader) error {
		return read(ctx, Incoming{Seq: seq, Data: r.Rest()})
	})
}

// errStop ends consume without being an error of it.
var errStop = errors.New("stop")

// consume goes through a queue and removes the items for which do returns nil, at most batch at a time.
func (v *Vault[V]) consume(ctx context.Context, t *keyedMutex, id ID, q store.Queue, batch int, do func(uint64, *wire.Reader) error) error {
	release, err := t.lock(ctx, id)
	if err != nil {
		return err
	}
	defer release()
	slot := v.slot(id)
	for after := uint64(0); ; {
		items, err := v.store.Items(ctx, v.kind, id, q, after, pageSize)
		if err != nil || len(items) == 0 {
			return err
		}
		for page := range slices.Chunk(items, batch) {
			done, err := slot.handle(q, page, do)
			if done > 0 {
				after = page[done-1].Seq
				if rerr := v.store.Remove(ctx, v.kind, id, q, page[:done]...); rerr != nil {
					return rerr
				}
			}
			if err == errStop {
				return nil
			} else if err != nil {
				return err
			}
		}
	}
}

// handle opens items and calls do for each, until it returns an error. It returns for how many it did not.
func (s slot) handle(q store.Queue, items []store.Item, do func(uint64, *wire.Reader) error) (int, error) {
	for i, item := range items {
		plain, err := s.open(roleOf[q], "item", item.Seq, item.Data)
		if err == nil {
			err = do(item.Seq, wire.NewReader(plain))
		}
		if err != nil {
			return i, err
		}
	}
	return len(items), nil
}

// roleOf says as what the items of a queue are sealed.
var roleOf = map[store.Queue]role{store.Outbox: roleOutbox, store.Inbox: roleInbox}

// room returns ErrFull if n more items would exceed a queue's bound.
func (v *Vault[V]) room(ctx context.Context, id ID, q store.Queue, n, bound int) error {
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
func enqueue[V Value[V]](s slot, tx *Tx[V], c *contents, change *store.Change) error {
	for _, out := range tx.outbox {
		if len(out.To) > MaxAddress || len(out.Data) > MaxFrame {
			return fmt.Errorf("state: a frame to be sent has at most %d bytes, its destination %d", MaxFrame, MaxAddress)
		}
		c.outbox++
		w := wire.NewWriter(2 + len(out.To) + len(out.Data))
		w.Vec16([]byte(out.To))
		w.Fixed(out.Data)
		change.Outbox = append(change.Outbox, store.Item{Seq: c.outbox, Data: s.seal(roleOf[store.Outbox], "item", c.outbox, w.Bytes())})
	}
	for _, data := range tx.inbox {
		c.inbox++
		change.Inbox = append(change.Inbox, store.Item{Seq: c.inbox, Data: s.seal(roleOf[store.Inbox], "item", c.inbox, data)})
	}
	return nil
}

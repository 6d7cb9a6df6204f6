package state

import (
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

// Flush hands the frames in the outbox of id to send, first in, first out for each destination, and takes each out once send
// says that it was delivered or rejected. After RetryAfter the destination is left alone and the others go on; Flush returns
// after how long to call it again, the shortest of the times, or 0 if nothing is left. No lock but the queue of other Flushes
// of the same ID is held while send runs, so a network that blocks stalls nothing else. After a crash a frame may be sent
// twice, always with the same bytes.
func (v *Vault[V]) Flush(ctx context.Context, id ID, send func(context.Context, Outgoing) Delivery) (time.Duration, error) {
	var again time.Duration
	waiting := false
	err := v.consume(ctx, &v.flushers, id, store.Outbox, 1, func(seq uint64, r *wire.Reader) error {
		out := Outgoing{Seq: seq, To: string(r.Vec16(MaxAddress)), Data: r.Rest()}
		if err := r.Done(); err != nil {
			return corrupt("outbox", err)
		}
		d := send(ctx, out)
		if !d.done {
			if !waiting || d.after < again {
				again, waiting = d.after, true
			}
			return errWait
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

// errWait is what a function returns that is not to be called for further items of the same lane.
var errWait = errors.New("state: wait")

// consume calls do for the items of a queue and takes out those for which it returns nil, at most batch in one commit. Damaged
// items are reported and stepped over.
func (v *Vault[V]) consume(ctx context.Context, m *keyedMutex, id ID, q store.Queue, batch int, do func(uint64, *wire.Reader) error) error {
	unlock, err := m.lock(ctx, id)
	if err != nil {
		return err
	}
	defer unlock()
	c := consumer{q: q, do: do, blocked: make(map[uint64]bool), damaged: func(seq uint64) {
		v.options.Events(id, Damaged{Queue: q, Seq: seq})
	}}
	for {
		s, err := v.current(ctx, id)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		page := c.page(s.held(q))
		if len(page) == 0 {
			return nil
		}
		items, err := v.store.Items(ctx, v.kind, id, q, page...)
		if err != nil {
			return err
		}
		slot := v.slot(id).with(&s.contents)
		c.open = func(it store.Item) ([]byte, error) {
			return v.keys.open(ctx, &slot, roleOf[q], itemName(q, it.Lane), it.Seq, it.Data)
		}
		c.missing(page, items)
		for chunk := range slices.Chunk(items, batch) {
			done, err := c.handle(chunk)
			if rerr := v.take(ctx, id, q, done); rerr != nil {
				return rerr
			}
			if err != nil {
				return err
			}
		}
	}
}

// take commits that items were taken out of a queue.
func (v *Vault[V]) take(ctx context.Context, id ID, q store.Queue, done []uint64) error {
	if len(done) == 0 {
		return nil
	}
	_, err := v.attempt(ctx, id, func(base *snapshot[V], tx *Tx[V]) ([]frameChange, error) {
		var seqs []uint64
		for _, h := range base.held(q) {
			if slices.Contains(done, h.Seq) { // unless somebody else was faster
				seqs = append(seqs, h.Seq)
			}
		}
		if q == store.Outbox {
			tx.sent = seqs
		} else {
			tx.taken = seqs
		}
		return nil, nil
	})
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// consumer goes through a queue once.
type consumer struct {
	open    func(store.Item) ([]byte, error)
	q       store.Queue
	after   uint64          // Seq of the last item that was looked at
	blocked map[uint64]bool // lanes that wait
	do      func(uint64, *wire.Reader) error
	damaged func(uint64)
}

// page returns the numbers of the next items: at most 64, and at most 1 MiB unless one is larger.
func (c *consumer) page(held []store.Held) (seqs []uint64) {
	bytes := 0
	for _, h := range held {
		if h.Seq <= c.after || c.q == store.Outbox && c.blocked[h.Lane] {
			continue
		}
		if bytes += h.Size; len(seqs) == pageSize || len(seqs) > 0 && bytes > pageBytes {
			break
		}
		seqs = append(seqs, h.Seq)
	}
	return seqs
}

// missing reports the items that the store did not return.
func (c *consumer) missing(page []uint64, items []store.Item) {
	for _, seq := range page {
		if !slices.ContainsFunc(items, func(it store.Item) bool { return it.Seq == seq }) {
			c.damaged(seq)
		}
	}
	c.after = page[len(page)-1]
}

// handle calls do for items until it returns an error, and returns the numbers of those that are done with.
func (c *consumer) handle(items []store.Item) (done []uint64, err error) {
	for _, it := range items {
		if c.q == store.Outbox && c.blocked[it.Lane] {
			continue
		}
		plain, err := c.open(it)
		if err == nil {
			err = c.do(it.Seq, wire.NewReader(plain))
		} else if errors.Is(err, ErrCorrupt) {
			c.damaged(it.Seq)
			continue
		}
		switch {
		case err == errWait:
			c.blocked[it.Lane] = true
		case err != nil:
			return done, err
		default:
			done = append(done, it.Seq)
		}
	}
	return done, nil
}

// roleOf says as what the items of a queue are sealed, and itemName under which name.
var roleOf = map[store.Queue]role{store.Outbox: roleOutbox, store.Inbox: roleInbox}

func itemName(q store.Queue, lane uint64) string {
	if q == store.Outbox {
		return laneName(lane)
	}
	return ""
}

// enqueue adds a transaction's queue items to a change.
func enqueue[V Value[V]](s slot, tx *Tx[V], next *snapshot[V], change *store.Change) {
	c := &next.contents
	put := func(q store.Queue, lane uint64, plain []byte) store.Item {
		in := c.queue(q)
		in.last++
		in.held.add(c.tag(roleOf[q], in.last))
		return store.Item{Seq: in.last, Lane: lane, Data: s.seal(roleOf[q], itemName(q, lane), in.last, plain)}
	}
	for _, out := range tx.outbox {
		w := wire.NewWriter(2 + len(out.To) + len(out.Data))
		w.Vec16([]byte(out.To))
		w.Fixed(out.Data)
		change.Outbox = append(change.Outbox, put(store.Outbox, c.lane(out.To), w.Bytes()))
	}
	for _, data := range tx.inbox {
		change.Inbox = append(change.Inbox, put(store.Inbox, 0, data))
	}
	if len(change.Outbox) > 0 {
		next.outbox = slices.Concat(next.outbox, heldItems(change.Outbox))
	}
	if len(change.Inbox) > 0 {
		next.inbox = slices.Concat(next.inbox, heldItems(change.Inbox))
	}
}

func heldItems(items []store.Item) []store.Held {
	out := make([]store.Held, len(items))
	for i, it := range items {
		out[i] = store.Held{Seq: it.Seq, Lane: it.Lane, Size: len(it.Data)}
	}
	return out
}

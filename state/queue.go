package state

import (
	"context"
	"errors"
	"slices"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state/store"
)

// Incoming is something that was read, in the inbox. It shows no plaintext when printed.
type Incoming struct {
	Seq  uint64 // ascending within one value; tells a repeated delivery
	data secret.Bytes
}

// Data returns what was given to Tx.Deliver. The slice is the caller's.
func (in Incoming) Data() []byte { return in.data.Expose() }

// Drain hands what is in the inbox of id to read, in the order in which it was read, and takes out what read returned nil
// for; an error from read ends Drain and is returned. Items are taken out up to 64 at a time, so after a crash as many may
// be handed over again, with the same Seq.
func (v *Vault[V]) Drain(ctx context.Context, id ID, read func(context.Context, Incoming) error) error {
	unlock, err := v.drainers.lock(ctx, id)
	if err != nil {
		return err
	}
	defer unlock()
	for after := uint64(0); ; {
		items, err := v.Inbox(ctx, id, after)
		if len(items) == 0 || err != nil {
			return err
		}
		after = items[len(items)-1].Seq
		var done []uint64
		for _, in := range items {
			if err = read(ctx, in); err != nil {
				break
			}
			done = append(done, in.Seq)
		}
		if rerr := v.taken(ctx, id, done); rerr != nil {
			return rerr
		}
		if err != nil {
			return err
		}
	}
}

// Inbox returns the next items of the inbox of id after a number, in the order in which they were read: at most 64, and at
// most 1 MiB unless the first is larger; none if there is no such value. They stay where they are, until Drain or Tx.Take.
func (v *Vault[V]) Inbox(ctx context.Context, id ID, after uint64) (items []Incoming, err error) {
	for {
		s, err := v.current(ctx, id)
		if errors.Is(err, ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		page := nextPage(s.inbox, after)
		if len(page) == 0 {
			return nil, nil
		}
		items, err := v.incoming(ctx, id, s, page)
		if len(items) > 0 || err != nil {
			return items, err
		}
		after = page[len(page)-1]
	}
}

// nextPage returns the numbers of the next items after one: at most 64, and at most 1 MiB unless one is larger.
func nextPage(held []store.Held, after uint64) (seqs []uint64) {
	bytes := 0
	for _, h := range held {
		if h.Seq <= after {
			continue
		}
		if bytes += h.Size; len(seqs) == pageSize || len(seqs) > 0 && bytes > pageBytes {
			break
		}
		seqs = append(seqs, h.Seq)
	}
	return seqs
}

// incoming reads items of an inbox. Those that are damaged or missing are reported and left out, unless somebody else took
// them meanwhile.
func (v *rows[V]) incoming(ctx context.Context, id ID, s *snapshot[V], page []uint64) (out []Incoming, err error) {
	items, err := v.store.Items(ctx, v.kind, id, store.Inbox, page...)
	if err != nil {
		return nil, err
	}
	slot := v.slot(id).with(&s.contents)
	for _, seq := range page {
		err := error(ErrCorrupt)
		var plain []byte
		if i := slices.IndexFunc(items, func(it store.Item) bool { return it.Seq == seq }); i >= 0 {
			plain, err = v.keys.open(ctx, &slot, roleInbox, itemName(store.Inbox, 0), seq, items[i].Data)
		} else if v.tookMeanwhile(ctx, id, seq) {
			continue
		}
		switch {
		case err == nil:
			out = append(out, Incoming{Seq: seq, data: secret.Own(plain)})
		case errors.Is(err, ErrCorrupt):
			v.emit(id, Damaged{Queue: store.Inbox, Seq: seq})
		default:
			return nil, err
		}
	}
	return out, nil
}

// tookMeanwhile reports whether an item of the inbox that the store no longer has was taken out by a commit.
func (v *rows[V]) tookMeanwhile(ctx context.Context, id ID, seq uint64) bool {
	s, err := v.current(ctx, id)
	if err != nil {
		return errors.Is(err, ErrNotFound)
	}
	return !slices.ContainsFunc(s.inbox, func(h store.Held) bool { return h.Seq == seq })
}

// damagedItems returns the numbers of the items of a queue that are missing or do not open.
func (v *rows[V]) damagedItems(ctx context.Context, s slot, q store.Queue, held []store.Held) (damaged []uint64, err error) {
	for after := uint64(0); ; {
		page := nextPage(held, after)
		if len(page) == 0 {
			return damaged, nil
		}
		after = page[len(page)-1]
		items, err := v.store.Items(ctx, v.kind, s.id, q, page...)
		if err != nil {
			return nil, err
		}
		for _, seq := range page {
			err := error(ErrCorrupt)
			if i := slices.IndexFunc(items, func(it store.Item) bool { return it.Seq == seq }); i >= 0 {
				_, err = v.keys.open(ctx, &s, roleOf[q], itemName(q, items[i].Lane), seq, items[i].Data)
			}
			switch {
			case errors.Is(err, ErrCorrupt):
				damaged = append(damaged, seq)
			case err != nil:
				return nil, err
			}
		}
	}
}

// taken commits that items are taken out of the inbox.
func (v *Vault[V]) taken(ctx context.Context, id ID, done []uint64) error {
	if len(done) == 0 {
		return nil
	}
	err := v.Update(ctx, id, func(tx *Tx[V]) error {
		for _, seq := range done {
			tx.Take(seq) // unless somebody else was faster
		}
		return nil
	})
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// outboxHeader is the size of what an item of the outbox has besides its destination and frame: the length of the former.
const outboxHeader = 2

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
	tags := c.tags()
	put := func(q store.Queue, lane uint64, plain []byte) store.Item {
		in := c.queue(q)
		in.last++
		in.held.add(tags.item(roleOf[q], in.last))
		return store.Item{Seq: in.last, Lane: lane, Data: s.seal(roleOf[q], itemName(q, lane), in.last, plain)}
	}
	for _, out := range tx.outbox {
		w := wire.NewWriter(outboxHeader + len(out.To) + len(out.Data))
		w.Vec16([]byte(out.To))
		w.Fixed(out.Data)
		change.Outbox = append(change.Outbox, put(store.Outbox, c.lane(out.To), w.Bytes()))
	}
	for _, data := range tx.inbox {
		change.Inbox = append(change.Inbox, put(store.Inbox, 0, data.Expose()))
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

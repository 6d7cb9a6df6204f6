package state

import (
	"context"
	"errors"
	"slices"

	"github.com/trefoil-im/trefoil/state/store"
)

// expire gives up the retained frames whose time is over.
func (v *Vault[V]) expire(ctx context.Context, id ID) (ack [][32]byte, err error) {
	_, err = v.attempt(ctx, id, func(base *snapshot[V], tx *Tx[V]) ([]frameChange, error) {
		ack = nil
		r := &reception[V]{v: v, id: id, base: base, tx: tx}
		if len(base.frames) == 0 {
			return nil, nil
		}
		if err := r.openIndex(ctx); err != nil {
			return nil, err
		}
		for _, f := range slices.Clone(r.index.frames) {
			if (&retained{since: f.since}).expired(&v.options) {
				tx.Emit(FrameUnread{f.hash, Discard, ErrExpired})
				r.change(frameChange{hash: f.hash, replaces: f.seq})
				ack = append(ack, f.hash)
			}
		}
		return r.changes, nil
	})
	if err != nil {
		return nil, err
	}
	return ack, nil
}

// DiscardDamaged takes out of the queues of id what is damaged there, and gives up the retained frames that are. Each was reported
// when it was met (Damaged), and until then holds up nothing but takes room. It returns the hashes of the frames
// given up, which may be acknowledged; one that is not discarded is received anew when the relay sends it again.
func (v *Vault[V]) DiscardDamaged(ctx context.Context, id ID) (ack [][32]byte, err error) {
	_, err = v.attempt(ctx, id, func(base *snapshot[V], tx *Tx[V]) (changes []frameChange, err error) {
		if tx.sent, err = v.damagedItems(ctx, id, base, store.Outbox); err != nil {
			return nil, err
		}
		if tx.taken, err = v.damagedItems(ctx, id, base, store.Inbox); err != nil {
			return nil, err
		}
		ack = nil
		r := &reception[V]{v: v, id: id, base: base, tx: tx}
		for _, page := range retainedPages(base.frames) {
			frames, err := v.openFrames(ctx, id, base, page)
			if err != nil {
				return nil, err
			}
			for i, f := range frames {
				if f == nil {
					r.change(frameChange{hash: page[i].Hash, replaces: page[i].Seq})
					ack = append(ack, page[i].Hash)
				}
			}
		}
		return r.changes, nil
	})
	if err != nil {
		return nil, err
	}
	return ack, nil
}

// damagedItems returns the numbers of the items of a queue that are missing or do not open.
func (v *Vault[V]) damagedItems(ctx context.Context, id ID, base *snapshot[V], q store.Queue) (damaged []uint64, err error) {
	slot := v.slot(id).with(&base.contents)
	for after := uint64(0); ; {
		page := nextPage(base.held(q), after)
		if len(page) == 0 {
			return damaged, nil
		}
		items, err := v.store.Items(ctx, v.kind, id, q, page...)
		if err != nil {
			return nil, err
		}
		for _, seq := range page {
			i := slices.IndexFunc(items, func(it store.Item) bool { return it.Seq == seq })
			if i >= 0 {
				_, err = v.keys.open(ctx, &slot, roleOf[q], itemName(q, items[i].Lane), seq, items[i].Data)
			}
			if i < 0 || errors.Is(err, ErrCorrupt) {
				damaged = append(damaged, seq)
			} else if err != nil {
				return nil, err
			}
		}
		after = page[len(page)-1]
	}
}

package state

import (
	"context"

	"github.com/trefoil-im/trefoil/state/store"
)

// givenUp is a retained frame that Tx.GiveUp was told to give up.
type givenUp struct {
	frame  [32]byte
	reason error
}

// giveUpAsTold gives up what the transaction was told to.
func (r *reception[V]) giveUpAsTold() {
	for _, g := range r.tx.givenUp {
		if seq, held := r.seqOf(g.frame); held {
			r.giveUp(g.reason, g.frame, seq)
		}
	}
	r.tx.givenUp = nil
}

// seqOf returns the number of the record of a retained frame, as it is after the changes so far.
func (r *reception[V]) seqOf(hash [32]byte) (seq uint64, held bool) {
	if i, changed := r.at[hash]; changed {
		return r.changes[i].seq, r.changes[i].retain != nil
	}
	rec, held := r.base.frames.find(hash)
	return rec.Seq, held
}

// giveUp takes out a retained frame.
func (r *reception[V]) giveUp(reason error, hash [32]byte, seq uint64) {
	discard := VerdictOf(reason) == Discard
	r.change(frameChange{hash: hash, replaces: seq, lost: !discard})
	if discard {
		r.tx.Emit(FrameUnread{hash, Discard, reason})
		r.ack = append(r.ack, hash)
	} else {
		r.tx.Emit(FrameGivenUp{hash, reason})
	}
}

// giveUpForBound takes out a retained frame for a bound of the vault's own, and tells the value.
func (r *reception[V]) giveUpForBound(reason error, hash [32]byte, seq uint64) {
	r.giveUp(reason, hash, seq)
	if r.tx.value.keeps() {
		r.tx.Set(r.tx.value.forget([][32]byte{hash}))
	}
}

// expired reports whether the time of a frame is over that is retained since a time in ms.
func (r *reception[V]) expired(since int64) bool {
	o := &r.v.options
	return !r.tx.value.keeps() && o.Now().UnixMilli()-since > o.RetainedFor.Milliseconds()
}

// makeRoom gives up retained frames for one that was just added: those whose time is over, and the oldest while a bound is exceeded.
// One that exceeds a bound alone is given up itself.
func (r *reception[V]) makeRoom(ctx context.Context, fresh frameChange) error {
	o := &r.v.options
	most, mostSource := burden{o.Retained, o.RetainedBytes}, burden{o.RetainedSource, o.RetainedBytesSource}
	if r.tx.value.keeps() {
		mostSource = most
	}
	size := burden{1, len(fresh.retain.data)}
	if size.exceeds(most) || size.exceeds(mostSource) {
		seq, _ := r.seqOf(fresh.hash)
		r.giveUpForBound(ErrNoRoom, fresh.hash, seq)
		return nil
	}
	if err := r.readFramings(ctx); err != nil {
		return err
	}
	all, same := r.framed.burdens(fresh.retain.source)
	for f := range r.framed.all() {
		expired, isSame := r.expired(f.since), f.source == fresh.retain.source
		if !expired && !all.exceeds(most) && !same.exceeds(mostSource) {
			break // nor is any younger one in the way
		}
		reason := ErrNoRoom
		switch {
		case expired:
			reason = ErrExpired
		case !all.exceeds(most) && !isSame:
			continue
		}
		all.add(f.bytes, -1)
		if isSame {
			same.add(f.bytes, -1)
		}
		r.giveUpForBound(reason, f.Hash, f.Seq)
	}
	return nil
}

// expire gives up the retained frames whose time is over, in steps. They may be many, since nobody has looked for long.
func (g receiving[V]) expire(ctx context.Context) error {
	for more := true; more; {
		_, err := g.v.attempt(ctx, g.id, func(base *snapshot[V], tx *Tx[V]) ([]frameChange, error) {
			more = false
			r := g.on(base, tx)
			if base.contents.frames.held.n == 0 || tx.value.keeps() {
				return nil, nil
			}
			if err := r.readFramings(ctx); err != nil {
				return nil, err
			}
			for f := range r.framed.all() {
				if !r.expired(f.since) {
					continue
				}
				if more = len(r.changes) == listPage; more {
					break
				}
				r.giveUpForBound(ErrExpired, f.Hash, f.Seq)
			}
			return r.changes, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// DiscardDamaged takes out of the queues of id what is damaged there, and gives up the retained frames that are. Each was reported
// when it was met (Damaged), and until then holds up nothing but takes room. The frames are not acknowledged: the
// relay gives them again, undamaged.
func (v *Vault[V]) DiscardDamaged(ctx context.Context, id ID) error {
	_, err := v.attempt(ctx, id, func(base *snapshot[V], tx *Tx[V]) (changes []frameChange, err error) {
		slot := v.slot(id).with(&base.contents)
		if tx.sent, err = v.damagedItems(ctx, slot, store.Outbox, base.outbox); err != nil {
			return nil, err
		}
		if tx.taken, err = v.damagedItems(ctx, slot, store.Inbox, base.inbox); err != nil {
			return nil, err
		}
		r := receiving[V]{v: v, id: id}.on(base, tx)
		for _, page := range retainedPages(base.frames.records(nil)) {
			frames, err := v.openFrames(ctx, id, base, page)
			if err != nil {
				return nil, err
			}
			for i, f := range frames {
				if f == nil {
					r.giveUpForBound(ErrCorrupt, page[i].Hash, page[i].Seq)
				}
			}
		}
		return r.changes, nil
	})
	return err
}

package state

import (
	"context"
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/state/store"
)

// update is the change of one value: a caller's function, and what became of it.
type update[V Value[V]] struct {
	v      *Vault[V]
	id     ID
	first  *V // the value to be created, nil to change the stored one
	revive bool
	fn     func(*snapshot[V], *Tx[V]) ([]frameChange, error)

	base    *snapshot[V]
	next    *snapshot[V] // base if there is nothing to commit
	tx      *Tx[V]
	ring    *ring      // under which the change is sealed
	refused store.Head // that the store did not accept
}

func (u *update[V]) backend() store.Store                     { return u.v.store }
func (u *update[V]) row() (store.Kind, ID)                    { return u.v.kind, u.id }
func (u *update[V]) keyring() *keyring                        { return u.v.keys }
func (u *update[V]) sealedUnder() *ring                       { return u.ring }
func (u *update[V]) tidy(ctx context.Context)                 { u.v.tidy(ctx) }
func (u *update[V]) lock(ctx context.Context) (func(), error) { return u.v.writers.lock(ctx, u.id) }
func (u *update[V]) hooks() []store.Hook                      { return u.tx.hooks }
func (u *update[V]) abandoned()                               { u.v.cache.put(u.id, nil) }

func (u *update[V]) committed() {
	u.v.cache.put(u.id, u.next)
	if u.next != u.base {
		u.v.stats.commits.Add(1)
	}
	if u.next.contents.outbox.last == u.base.contents.outbox.last {
		return
	}
	if added, flushing := u.v.flushing.Load(u.id); flushing {
		select {
		case added.(chan struct{}) <- struct{}{}:
		default: // it was told already
		}
	}
}

func (u *update[V]) report() {
	for _, e := range u.tx.events {
		u.v.emit(u.id, e)
	}
}

// conflicted allows one conflict for each head: a store that shows a head and refuses it again is damaged.
func (u *update[V]) conflicted() error {
	if !u.base.head.IsZero() && u.base.head.Equal(u.refused) {
		return errRefused
	}
	u.v.stats.conflicts.Add(1)
	u.refused = u.base.head
	u.v.cache.put(u.id, nil)
	return nil
}

func (u *update[V]) prepare(ctx context.Context) (store.Change, error) {
	u.ring = u.v.keys.ring.Load()
	if u.first != nil {
		if err := (*u.first).check(u.first); err != nil {
			return store.Change{}, err
		}
		u.base = &snapshot[V]{contents: newContents()}
		u.tx = newTx(u.base, u.id, u.v.options.Keep)
		u.tx.Set(*u.first)
	} else {
		base, err := u.v.current(ctx, u.id)
		if err != nil {
			return store.Change{}, err
		}
		u.base, u.tx = base, newTx(base, u.id, u.v.options.Keep)
	}
	u.tx.retained = func(hash [32]byte) (Frame, error) { return u.v.retainedFrame(ctx, u.id, u.base, hash) }
	frames, err := u.fn(u.base, u.tx)
	if err != nil {
		return store.Change{}, err
	}
	if u.tx.idle() && len(frames) == 0 {
		u.next = u.base
		return store.Change{Kind: u.v.kind, ID: u.id, Base: u.base.head}, nil
	}
	prev := &u.base.value
	if u.first != nil {
		prev = nil
	}
	if err := u.tx.allowed(u.id, prev, &u.v.options); err != nil {
		return store.Change{}, err
	}
	return u.encode(frames), nil
}

// allowed checks a transaction: its value, which must succeed prev unless that is nil, and what it puts into the queues.
func (tx *Tx[V]) allowed(id ID, prev *V, o *Options) error {
	if err := tx.value.check(&tx.value); err != nil {
		return err
	}
	if tx.value.ID() != id {
		return fmt.Errorf("%w: it has another ID", ErrStale)
	}
	if prev != nil && tx.set {
		if err := tx.value.succeeds(*prev); err != nil {
			return fmt.Errorf("%w: %w", ErrStale, err)
		}
	}
	for _, out := range tx.outbox {
		if len(out.To) > MaxAddress || len(out.Data) > MaxFrame {
			return fmt.Errorf("state: a frame to be sent has at most %d bytes, its destination %d", MaxFrame, MaxAddress)
		}
	}
	var out, in burden
	for _, o := range tx.outbox {
		out.add(sealedSize(outboxHeader+len(o.To)+len(o.Data)), 1)
	}
	for _, data := range tx.inbox {
		in.add(sealedSize(data.Len()), 1)
	}
	if !fits(tx.base.outbox, out, burden{o.Outbox, o.OutboxBytes}) || !fits(tx.base.inbox, in, burden{o.Inbox, o.InboxBytes}) {
		return ErrFull
	}
	return nil
}

// fits reports whether a queue takes more. A single item fits whatever its size, or it never would.
func fits(held []store.Held, more, most burden) bool {
	if more.n == 0 {
		return true
	}
	for _, h := range held {
		more.add(h.Size, 1)
	}
	return more.n == 1 || !more.exceeds(most)
}

// encode returns the change from base to what the transaction holds.
func (u *update[V]) encode(frames []frameChange) store.Change {
	version := u.base.head.Version + 1
	next := *u.base
	next.value = u.tx.value
	head := u.v.slot(u.id)
	head.ring = u.ring
	slot := head.with(&next.contents)
	change := store.Change{
		Kind: u.v.kind, ID: u.id, Revive: u.revive,
		Base: u.base.head, Parts: make([][]byte, len(u.v.kind.Parts())),
	}
	if u.tx.set {
		next.contents.parts = encodeParts(slot, version, u.tx.value, u.base.contents.parts, &change)
	}
	take(&next, store.Outbox, u.tx.sent, &change)
	take(&next, store.Inbox, u.tx.taken, &change)
	enqueue(slot, u.tx, &next, &change)
	u.v.noteFrames(slot, frames, u.tx, &next, &change)
	next.head = next.contents.seal(head, version)
	change.Next = next.head
	u.next = &next
	return change
}

// encodeParts adds to a change the parts and segments of value that differ from the stored ones, and returns the new tree.
func encodeParts[V Value[V]](slot slot, version uint64, value V, stored []*node, change *store.Change) []*node {
	names := slot.kind.Parts()
	change.Put = make(map[string][]byte)
	s := &save{version: version}
	s.put = func(path string, n *node, plain []byte) {
		if _, twice := change.Put[path]; twice {
			panic("state: two segments are called " + path)
		}
		change.Put[path] = slot.seal(roleRecord, path, n.version, plain)
	}
	encoders := make([]*Encoder, len(names))
	for i, name := range names {
		encoders[i] = &Encoder{save: s, path: name}
		if stored != nil {
			encoders[i].base = stored[i]
		}
	}
	value.encode(encoders)
	parts := make([]*node, len(names))
	for i, name := range names {
		parts[i] = encoders[i].finish(name)
		if b, changed := change.Put[name]; changed {
			change.Parts[i] = b
			delete(change.Put, name)
		}
		if stored != nil {
			change.Drop = append(change.Drop, dropped(name, stored[i], parts[i])...)
		}
	}
	return parts
}

// dropped returns the paths of the segments that are below was and no longer below is. Shared nodes are not looked into.
func dropped(path string, was, is *node) (paths []string) {
	if was == is {
		return nil
	}
	kept := make(map[string]*node)
	if is != nil {
		for _, n := range is.segments {
			kept[n.name] = n
		}
	}
	for _, n := range was.segments {
		sub := path + "/" + n.name
		if kept[n.name] == nil {
			paths = append(paths, sub)
		}
		paths = append(paths, dropped(sub, n, kept[n.name])...)
	}
	return paths
}

// take adds to a change that items are taken out of a queue.
func take[V Value[V]](next *snapshot[V], q store.Queue, seqs []uint64, change *store.Change) {
	if len(seqs) == 0 {
		return
	}
	held := slices.DeleteFunc(slices.Clone(next.held(q)), func(h store.Held) bool { return slices.Contains(seqs, h.Seq) })
	tags, in := next.contents.tags(), next.contents.queue(q)
	for _, seq := range seqs {
		in.held.remove(tags.item(roleOf[q], seq))
	}
	if q == store.Outbox {
		next.outbox, change.Sent = held, seqs
	} else {
		next.inbox, change.Taken = held, seqs
	}
}

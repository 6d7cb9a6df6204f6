package state

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/trefoil-im/trefoil/state/store"
)

// commit writes the change from base to what tx holds, and remembers the result. It returns ErrConflict if base is no
// longer what is stored. It alone calls Store.Commit.
func (v *Vault[V]) commit(ctx context.Context, id ID, base *snapshot[V], tx *Tx[V], frames []frameChange) (*snapshot[V], error) {
	change, next, err := v.prepare(ctx, id, base, tx, frames)
	if err != nil {
		return nil, err
	}
	err = v.store.Commit(ctx, v.kind, id, change)
	if err != nil && !errors.Is(err, store.ErrConflict) && !errors.Is(err, ErrExists) && !errors.Is(err, ErrNotFound) {
		err = v.resolve(ctx, id, change, err)
	}
	if err != nil {
		v.cache.put(id, nil)
		return nil, err
	}
	next.retained = base.retained.apply(frames)
	v.cache.put(id, next)
	return next, nil
}

// resolveTime bounds the look at the store after a commit that failed.
const resolveTime = 5 * time.Second

// resolve finds out whether a commit that returned cause was carried out after all. Heads are unique, so the stored one
// tells. It looks even if the caller's context has ended, since that may be the cause.
func (v *Vault[V]) resolve(ctx context.Context, id ID, change store.Change, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), resolveTime)
	defer cancel()
	head, err := v.store.Head(ctx, v.kind, id)
	switch {
	case err == nil && head.Equal(change.Next):
		return nil
	case err == nil && head.Equal(change.Base), errors.Is(err, ErrNotFound) && change.Base.Version == 0:
		return cause
	}
	return fmt.Errorf("%w: %w", ErrUncertain, cause)
}

// prepare checks the next value and encodes what differs from base.
func (v *Vault[V]) prepare(ctx context.Context, id ID, base *snapshot[V], tx *Tx[V], frames []frameChange) (store.Change, *snapshot[V], error) {
	fail := func(err error) (store.Change, *snapshot[V], error) { return store.Change{}, nil, err }
	if err := tx.value.check(); err != nil {
		return fail(err)
	}
	if tx.value.ID() != id {
		return fail(fmt.Errorf("%w: it has another ID", ErrStale))
	}
	if creating := base.head.Version == 0; !creating && tx.set {
		if err := tx.value.succeeds(base.value); err != nil {
			return fail(fmt.Errorf("%w: %w", ErrStale, err))
		}
	}
	if err := v.room(ctx, id, store.Outbox, len(tx.outbox), v.options.Outbox); err != nil {
		return fail(err)
	}
	if err := v.room(ctx, id, store.Inbox, len(tx.inbox), v.options.Inbox); err != nil {
		return fail(err)
	}
	slot := v.slot(id)
	next := &snapshot[V]{value: tx.value, contents: base.contents}
	change := store.Change{Base: base.head, Parts: make([][]byte, len(v.kind.Parts()))}
	version := base.head.Version + 1
	if tx.set {
		next.contents.parts = v.encode(slot, version, tx.value, base.contents.parts, &change)
	}
	if err := enqueue(slot, tx, &next.contents, &change); err != nil {
		return fail(err)
	}
	v.noteFrames(slot, frames, tx, &next.contents, &change)
	next.head = next.contents.seal(slot, version)
	change.Next = next.head
	return change, next, nil
}

// encode adds to a change the parts and segments of value that differ from the stored ones, and returns the new tree.
func (v *Vault[V]) encode(slot slot, version uint64, value V, stored []*node, change *store.Change) []*node {
	names := v.kind.Parts()
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

package state

import (
	"context"
	"errors"
	"sync"

	"github.com/trefoil-im/trefoil/state/store"
)

// Vault is the typed store of the values of one type: the only thing that can write a value, and it writes whole values
// only. Everything that belongs to a change is committed with it, in one transaction of the store: the next value,
// messages to be sent, what was read, and which frames are dealt with.
//
// A Vault is safe for concurrent use. Writers of one ID take turns within a Vault; writers in other Vaults or processes
// on the same store are detected when they commit, and the later one runs again on the fresh value. Functions that a
// Vault calls must not call it back for the same ID.
type Vault[V Value[V]] struct {
	rows[V]
	writers  keyedMutex
	flushers keyedMutex
	drainers keyedMutex
	flushing sync.Map // by ID, of chan struct{}: told by commits that add to the outbox
	leases   *leases  // nil if no other process sends
}

// Open returns the Vault of all values of type V in a store, sealed under key. The first Open of an empty store makes it a
// vault of that key; from then on Open returns ErrWrongKey for every other.
func Open[V Value[V]](ctx context.Context, s store.Store, key Key, o Options) (*Vault[V], error) {
	var zero V
	if s == nil || key.From == nil {
		return nil, errors.New("state: a vault needs a store and a key")
	}
	o = o.withDefaults()
	if min(o.Outbox, o.Inbox, o.OutboxBytes, o.InboxBytes, o.Retained, o.RetainedSource, o.RetainedBytes, o.RetainedBytesSource, o.Acknowledged, o.Cache,
		o.Senders) < 0 || min(o.RetainedFor, o.SendTime) < 0 {
		return nil, errors.New("state: an option is negative")
	}
	keys, err := openKeyring(ctx, s, key, o.Now().UnixMilli())
	if err != nil {
		return nil, err
	}
	if err := keys.advance(ctx, o.Anchor); err != nil {
		return nil, err
	}
	v := newVault[V](s, keys, zero.kind(), o)
	if o.Shared {
		v.leases = newLeases(s, keys, v.kind, o.SendTime)
	}
	return v, nil
}

// newVault returns a vault on an open key ring.
func newVault[V Value[V]](s store.Store, keys *keyring, kind store.Kind, o Options) *Vault[V] {
	return &Vault[V]{rows: rows[V]{store: s, keys: keys, kind: kind, options: o, cache: cache[V]{size: o.Cache}}}
}

// Load returns the value of id, or ErrNotFound. A row that is damaged in any way, sealed under another key or written by
// a newer release is refused with ErrCorrupt, ErrWrongKey or ErrTooNew.
func (v *Vault[V]) Load(ctx context.Context, id ID) (V, error) {
	s, err := v.current(ctx, id)
	if err != nil {
		var zero V
		return zero, err
	}
	return s.value, nil
}

// List returns the IDs of all stored values in ascending order.
func (v *Vault[V]) List(ctx context.Context) (all []ID, err error) {
	for after := (ID{}); ; {
		page, err := v.store.List(ctx, v.kind, after, listPage)
		if err != nil || len(page) == 0 {
			return all, err
		}
		all, after = append(all, page...), page[len(page)-1]
	}
}

// Create stores a first value together with what fn adds to the commit; fn may be nil. It returns ErrExists if there is a
// value of the same ID, and ErrDeleted if one was deleted: its messages would be lost in silence. See Revive.
func (v *Vault[V]) Create(ctx context.Context, first V, fn func(*Tx[V]) error) error {
	return run(ctx, &update[V]{v: v, id: first.ID(), first: &first, fn: v.plain(first.ID(), fn)})
}

// Revive is Create for a value whose ID was deleted before. Most programs do not call it: it is for a value that was made
// fit to go on from a backup, as ratchet.Restore does.
func (v *Vault[V]) Revive(ctx context.Context, first V, fn func(*Tx[V]) error) error {
	return run(ctx, &update[V]{v: v, id: first.ID(), first: &first, revive: true, fn: v.plain(first.ID(), fn)})
}

// Update changes the value of id: it runs fn on the current one and commits what fn set and added. If somebody else
// committed first, fn runs again on the fresh value, so it must have no effects of its own. An error from fn changes
// nothing and is returned as it is.
func (v *Vault[V]) Update(ctx context.Context, id ID, fn func(*Tx[V]) error) error {
	return run(ctx, &update[V]{v: v, id: id, fn: v.plain(id, fn)})
}

// Delete removes the value of id with its outbox, inbox and frames in one transaction; only that it existed is remembered.
// It works for a row that cannot be read, too. Telling anybody else is not its business.
func (v *Vault[V]) Delete(ctx context.Context, id ID) error {
	unlock, err := v.writers.lock(ctx, id)
	if err != nil {
		return err
	}
	defer unlock()
	defer v.cache.put(id, nil)
	for refused := (store.Head{}); ; {
		head, err := v.store.Head(ctx, v.kind, id)
		if err != nil {
			return err
		}
		if head.Equal(refused) {
			return errRefused
		}
		err = v.store.Commit(ctx, store.Change{Kind: v.kind, ID: id, Base: head, Delete: true})
		if err == nil {
			v.leases.forget(ctx, id)
			return nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return reason(err)
		}
		refused = head
	}
}

// attempt is update for functions that also change frames. It returns what is stored then.
func (v *Vault[V]) attempt(ctx context.Context, id ID, fn func(*snapshot[V], *Tx[V]) ([]frameChange, error)) (*snapshot[V], error) {
	u := &update[V]{v: v, id: id, fn: fn}
	if err := run(ctx, u); err != nil {
		return nil, err
	}
	return u.next, nil
}

// plain turns a caller's function into one that also returns what becomes of the frames that it gave up.
func (v *Vault[V]) plain(id ID, fn func(*Tx[V]) error) func(*snapshot[V], *Tx[V]) ([]frameChange, error) {
	return func(base *snapshot[V], tx *Tx[V]) ([]frameChange, error) {
		if fn == nil {
			return nil, nil
		}
		if err := fn(tx); err != nil {
			return nil, err
		}
		r := receiving[V]{v: v, id: id}.on(base, tx)
		r.giveUpAsTold()
		return r.changes, nil
	}
}

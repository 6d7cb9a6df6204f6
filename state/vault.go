package state

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
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
	store    store.Store
	keys     *keyring
	kind     store.Kind
	options  Options
	cache    cache[V]
	writers  keyedMutex
	flushers keyedMutex
	drainers keyedMutex
	flushing sync.Map // by ID, of chan struct{}: told by commits that add to the outbox
	leases   *leases  // nil if no other process sends
	stats    counters
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
	v := &Vault[V]{store: s, keys: keys, kind: zero.kind(), options: o, cache: cache[V]{size: o.Cache}}
	if o.Shared {
		v.leases = newLeases(s, keys, v.kind, o.SendTime)
	}
	return v, nil
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
		r := &reception[V]{v: v, id: id, base: base, tx: tx}
		r.giveUpAsTold()
		return r.changes, nil
	}
}

// current returns what the store holds now, from the cache if the head says that it is still that.
func (v *Vault[V]) current(ctx context.Context, id ID) (*snapshot[V], error) {
	if s := v.cache.get(id); s != nil {
		head, err := v.store.Head(ctx, v.kind, id)
		if err != nil {
			return nil, err
		}
		if head.Equal(s.head) {
			return s, nil
		}
	}
	for {
		ring := v.keys.ring.Load()
		v.stats.loads.Add(1)
		row, err := v.store.Load(ctx, v.kind, id)
		if err != nil {
			return nil, err
		}
		s, err := v.read(id, row)
		if err == nil {
			v.cache.put(id, s)
			return s, nil
		}
		if !errors.Is(err, ErrWrongKey) || v.keys.renew(ctx, ring) != nil {
			return nil, err
		}
	}
}

// slot returns the slot of a row for its head; with is that for what belongs to one incarnation of it.
func (v *Vault[V]) slot(id ID) slot { return slot{ring: v.keys.ring.Load(), kind: v.kind, id: id} }

func (s slot) with(c *contents) slot {
	s.incarnation = c.incarnation
	return s
}

// read opens a row and refuses everything about it that is not exactly as it was written.
func (v *Vault[V]) read(id ID, row store.Row) (*snapshot[V], error) {
	c, err := openHead(v.slot(id), row.Head)
	if err != nil {
		return nil, err
	}
	if err := c.verify(row); err != nil {
		return nil, err
	}
	if len(row.Parts) != len(c.parts) {
		return nil, fmt.Errorf("%w: %d parts stored, not %d", ErrCorrupt, len(row.Parts), len(c.parts))
	}
	sealed := make(map[string][]byte, len(row.Segments)+len(row.Parts))
	for i, n := range c.parts {
		sealed[n.name] = row.Parts[i]
	}
	for path, b := range row.Segments {
		sealed[path] = b
	}
	value, err := v.decode(id, &c, sealed)
	if err != nil {
		return nil, err
	}
	return &snapshot[V]{
		head: row.Head, value: value, contents: c,
		outbox: row.Outbox, inbox: row.Inbox, frames: newHeldFrames(row.Retained), wanted: wanted{all: c.progress},
	}, nil
}

// record opens a part or segment, and refuses one that is not the one listed.
func (s slot) record(path string, n *node, sealed []byte) ([]byte, error) {
	if sealed == nil {
		return nil, fmt.Errorf("%w: %s is missing", ErrCorrupt, path)
	}
	plain, err := s.open(roleRecord, path, n.version, sealed)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(plain)
	if subtle.ConstantTimeCompare(digest[:], n.digest[:]) != 1 {
		return nil, fmt.Errorf("%w: %s is not the record that was saved", ErrCorrupt, path)
	}
	return plain, nil
}

// decode opens the records of a row, by path, and makes the value of them. All must be listed.
func (v *Vault[V]) decode(id ID, c *contents, sealed map[string][]byte) (value V, err error) {
	slot := v.slot(id).with(c)
	l := &load{func(path string, n *node) ([]byte, error) {
		b := sealed[path]
		delete(sealed, path)
		return slot.record(path, n, b)
	}}
	decoders := make([]*Decoder, len(c.parts))
	for i, n := range c.parts {
		if decoders[i], err = l.decoder(n.name, n); err != nil {
			return value, err
		}
	}
	var zero V
	value, err = zero.decode(id, decoders)
	if err == nil {
		err = value.check(&value)
	}
	if err == nil && len(sealed) > 0 {
		err = fmt.Errorf("%w: %d records that nothing lists", ErrCorrupt, len(sealed))
	}
	return value, err
}

package state

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"

	"github.com/trefoil-im/trefoil/state/store"
)

// Vault is the typed store of spaces or of sessions: the only thing that can write a value, and it writes whole values
// only. Everything that belongs to a change is committed with it, in one transaction of the store: the next value,
// messages to be sent, what was read, and which frames are dealt with.
//
// A Vault is safe for concurrent use. Writers of one ID take keyedMutex within a Vault; writers in other Vaults or processes
// on the same store are detected when they commit, and the later one runs again on the fresh value. Functions that a
// Vault calls must not call it back for the same ID.
type Vault[V Value[V]] struct {
	store    store.Store
	key      Key
	kind     store.Kind
	options  Options
	cache    cache[V]
	writers  keyedMutex
	flushers keyedMutex
	drainers keyedMutex
}

// Open returns the Vault of all values of type V in a store, sealed under key. It reads nothing yet: a wrong key shows
// with the first value.
func Open[V Value[V]](s store.Store, key Key, o Options) (*Vault[V], error) {
	var zero V
	if s == nil || key.aead.IsZero() {
		return nil, errors.New("state: a vault needs a store and a key")
	}
	o = o.withDefaults()
	if min(o.Outbox, o.Inbox, o.Retained, o.RetainedSource, o.RetainedBytes, o.RetainedBytesSource, o.Acknowledged, o.Cache) < 0 ||
		o.RetainedFor < 0 {
		return nil, errors.New("state: an option is negative")
	}
	return &Vault[V]{store: s, key: key, kind: zero.kind(), options: o, cache: cache[V]{size: o.Cache}}, nil
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
func (v *Vault[V]) List(ctx context.Context) ([]ID, error) { return v.store.List(ctx, v.kind) }

// Create stores a first value together with what fn adds to the commit; fn may be nil. It returns ErrExists if there is a
// value of the same ID.
func (v *Vault[V]) Create(ctx context.Context, first V, fn func(*Tx[V]) error) error {
	if err := first.check(); err != nil {
		return err
	}
	id := first.ID()
	done, err := v.writers.lock(ctx, id)
	if err != nil {
		return err
	}
	tx := &Tx[V]{value: first, set: true}
	err = func() error {
		defer done()
		if fn != nil {
			if err := fn(tx); err != nil {
				return err
			}
		}
		_, err := v.commit(ctx, id, &snapshot[V]{}, tx, nil)
		return err
	}()
	v.report(id, tx, err)
	return err
}

// Update changes the value of id: it runs fn on the current one and commits what fn set and added. If somebody else
// committed first, fn runs again on the fresh value, so it must have no effects of its own. An error from fn changes
// nothing and is returned as it is.
func (v *Vault[V]) Update(ctx context.Context, id ID, fn func(*Tx[V]) error) error {
	_, err := v.attempt(ctx, id, func(_ *snapshot[V], tx *Tx[V]) ([]frameChange, error) { return nil, fn(tx) })
	return err
}

// Delete removes the value of id with its outbox, inbox and frames in one transaction. It works for a row that cannot be
// read, too. Telling anybody else is not its business.
func (v *Vault[V]) Delete(ctx context.Context, id ID) error {
	done, err := v.writers.lock(ctx, id)
	if err != nil {
		return err
	}
	defer done()
	defer v.cache.put(id, nil)
	for {
		head, err := v.store.Head(ctx, v.kind, id)
		if err == nil {
			err = v.store.Delete(ctx, v.kind, id, head)
		}
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}

// attempt is the way of every change of a stored value: run fn on the current value, commit, and run again on conflict. It
// returns what is stored then.
func (v *Vault[V]) attempt(ctx context.Context, id ID, fn func(*snapshot[V], *Tx[V]) ([]frameChange, error)) (*snapshot[V], error) {
	done, err := v.writers.lock(ctx, id)
	if err != nil {
		return nil, err
	}
	var tx *Tx[V]
	s, err := func() (*snapshot[V], error) {
		defer done()
		for {
			base, err := v.current(ctx, id)
			if err != nil {
				return nil, err
			}
			tx = &Tx[V]{value: base.value}
			frames, err := fn(base, tx)
			if err != nil || tx.idle() && len(frames) == 0 {
				return base, err
			}
			next, err := v.commit(ctx, id, base, tx, frames)
			if !errors.Is(err, store.ErrConflict) {
				return next, err
			}
			if err := ctx.Err(); err != nil {
				return nil, err
			}
		}
	}()
	v.report(id, tx, err)
	return s, err
}

// report hands on the events of a commit that was made.
func (v *Vault[V]) report(id ID, tx *Tx[V], err error) {
	if err != nil || tx == nil {
		return
	}
	for _, e := range tx.events {
		v.options.Events(id, e)
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
	row, err := v.store.Load(ctx, v.kind, id)
	if err != nil {
		return nil, err
	}
	s, err := v.read(id, row)
	if err != nil {
		return nil, err
	}
	v.cache.put(id, s)
	return s, nil
}

func (v *Vault[V]) slot(id ID) slot { return slot{v.key, v.kind, id} }

// read opens a row and refuses everything about it that is not exactly as it was written.
func (v *Vault[V]) read(id ID, row store.Row) (*snapshot[V], error) {
	slot := v.slot(id)
	c, err := openHead(slot, row.Head)
	if err != nil {
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
	l := &load{func(path string, n *node) ([]byte, error) {
		b, ok := sealed[path]
		if !ok || b == nil {
			return nil, fmt.Errorf("%w: %s is missing", ErrCorrupt, path)
		}
		delete(sealed, path)
		plain, err := slot.open(roleRecord, path, n.version, b)
		if err != nil {
			return nil, err
		}
		digest := sha256.Sum256(plain)
		if subtle.ConstantTimeCompare(digest[:], n.digest[:]) != 1 {
			return nil, fmt.Errorf("%w: %s is not the record that was saved", ErrCorrupt, path)
		}
		return plain, nil
	}}
	decoders := make([]*Decoder, len(c.parts))
	for i, n := range c.parts {
		if decoders[i], err = l.decoder(n.name, 0, n); err != nil {
			return nil, err
		}
	}
	var zero V
	value, err := zero.decode(id, decoders)
	if err == nil {
		err = value.check()
	}
	if err != nil {
		return nil, err
	}
	if len(sealed) > 0 {
		return nil, fmt.Errorf("%w: %d records that nothing lists", ErrCorrupt, len(sealed))
	}
	return &snapshot[V]{head: row.Head, value: value, contents: c}, nil
}

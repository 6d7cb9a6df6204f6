package state

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"
)

// Vault is the typed store of spaces or of sessions: the only thing that can write a value, and it writes whole values
// only. Everything that belongs to a change is committed with it, in one transaction of the store: the next value,
// messages to be sent, what was read, and which frames are dealt with.
//
// A Vault is safe for concurrent use. Writers of one ID take turns within a Vault; writers in other Vaults or processes
// on the same store are detected when they commit, and the later one runs again on the fresh value. Functions that a
// Vault calls must not call it back for the same ID.
type Vault[V Value[V]] struct {
	store    Store
	key      Key
	kind     Kind
	options  Options
	cache    cache[V]
	writers  turns
	flushers turns
	drainers turns
}

// Open returns the Vault of all values of type V in a store, sealed under key. It reads nothing yet: a wrong key shows
// with the first value.
func Open[V Value[V]](s Store, key Key, o Options) (*Vault[V], error) {
	var zero V
	if s == nil || key.aead.IsZero() {
		return nil, errors.New("state: a vault needs a store and a key")
	}
	o = o.withDefaults()
	if min(o.Outbox, o.Inbox, o.Retained, o.RetainedSource, o.RetainedBytes, o.RetainedBytesSource, o.Settled, o.Cache) < 0 ||
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
	done, err := v.writers.wait(ctx, id)
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
	done, err := v.writers.wait(ctx, id)
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
		if !errors.Is(err, ErrConflict) {
			return err
		}
	}
}

// attempt is the way of every change of a stored value: run fn on the current value, commit, and run again on conflict. It
// returns what is stored then.
func (v *Vault[V]) attempt(ctx context.Context, id ID, fn func(*snapshot[V], *Tx[V]) ([]frameChange, error)) (*snapshot[V], error) {
	done, err := v.writers.wait(ctx, id)
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
			if !errors.Is(err, ErrConflict) {
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
		if sameHead(head, s.head) {
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

func sameHead(a, b Head) bool { return a.Version == b.Version && bytes.Equal(a.Sealed, b.Sealed) }

func (v *Vault[V]) slot(id ID) slot { return slot{v.key, v.kind, id} }

// read opens a row and refuses everything about it that is not exactly as it was written.
func (v *Vault[V]) read(id ID, row Row) (*snapshot[V], error) {
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

// commit writes the change from base to what tx holds, and remembers the result. It returns ErrConflict if base is no
// longer what is stored. It alone calls Store.Commit.
func (v *Vault[V]) commit(ctx context.Context, id ID, base *snapshot[V], tx *Tx[V], frames []frameChange) (*snapshot[V], error) {
	change, next, err := v.prepare(ctx, id, base, tx, frames)
	if err != nil {
		return nil, err
	}
	err = v.store.Commit(ctx, v.kind, id, change)
	if err != nil && !errors.Is(err, ErrConflict) && !errors.Is(err, ErrExists) && !errors.Is(err, ErrNotFound) {
		err = v.resolve(ctx, id, change, err)
	}
	if err != nil {
		v.cache.put(id, nil)
		return nil, err
	}
	next.waiting = base.waiting.apply(frames)
	v.cache.put(id, next)
	return next, nil
}

// resolveTime bounds the look at the store after a commit that failed.
const resolveTime = 5 * time.Second

// resolve finds out whether a commit that returned cause was carried out after all. Heads are unique, so the stored one
// tells. It looks even if the caller's context has ended, since that may be the cause.
func (v *Vault[V]) resolve(ctx context.Context, id ID, change Change, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), resolveTime)
	defer cancel()
	head, err := v.store.Head(ctx, v.kind, id)
	switch {
	case err == nil && sameHead(head, change.Next):
		return nil
	case err == nil && sameHead(head, change.Base), errors.Is(err, ErrNotFound) && change.Base.Version == 0:
		return cause
	}
	return fmt.Errorf("%w: %w", ErrUncertain, cause)
}

// prepare checks the next value and encodes what differs from base.
func (v *Vault[V]) prepare(ctx context.Context, id ID, base *snapshot[V], tx *Tx[V], frames []frameChange) (Change, *snapshot[V], error) {
	fail := func(err error) (Change, *snapshot[V], error) { return Change{}, nil, err }
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
	if err := v.room(ctx, id, Outbox, len(tx.outbox), v.options.Outbox); err != nil {
		return fail(err)
	}
	if err := v.room(ctx, id, Inbox, len(tx.inbox), v.options.Inbox); err != nil {
		return fail(err)
	}
	slot := v.slot(id)
	next := &snapshot[V]{value: tx.value, contents: base.contents}
	change := Change{Base: base.head, Parts: make([][]byte, len(v.kind.Parts()))}
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
func (v *Vault[V]) encode(slot slot, version uint64, value V, stored []*node, change *Change) []*node {
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

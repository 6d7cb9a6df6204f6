package state

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"

	"github.com/trefoil-im/trefoil/state/store"
)

// rows are the stored values of one type: it reads and opens them, and what waits beside them.
type rows[V Value[V]] struct {
	store   store.Store
	keys    *keyring
	kind    store.Kind
	options Options
	cache   cache[V]
	stats   counters
}

// current returns what the store holds now, from the cache if the head says that it is still that.
func (v *rows[V]) current(ctx context.Context, id ID) (*snapshot[V], error) {
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
func (v *rows[V]) slot(id ID) slot { return slot{ring: v.keys.ring.Load(), kind: v.kind, id: id} }

func (s slot) with(c *contents) slot {
	s.incarnation = c.incarnation
	return s
}

// read opens a row and refuses everything about it that is not exactly as it was written.
func (v *rows[V]) read(id ID, row store.Row) (*snapshot[V], error) {
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
func (v *rows[V]) decode(id ID, c *contents, sealed map[string][]byte) (value V, err error) {
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

// opened opens the head that read returns, and returns the slot in which it lies. It is read again as long as it lies under a data key that
// is not known and the store's own row is a newer one: another process may replace the key between the two looks.
func (v *rows[V]) opened(ctx context.Context, id ID, read func() (store.Head, error)) (slot, contents, error) {
	for {
		slot := v.slot(id)
		head, err := read()
		if err != nil {
			return slot, contents{}, err
		}
		c, err := openHead(slot, head)
		if !errors.Is(err, ErrWrongKey) || v.keys.renew(ctx, slot.ring) != nil {
			return slot, c, err
		}
	}
}

// emit hands an event to whom the options name.
func (v *rows[V]) emit(id ID, e Event) {
	v.options.Events(id, e)
	if v.options.Log == nil {
		return
	}
	level := slog.LevelInfo
	switch e.(type) {
	case Damaged, ForgetFailed, SendRejected:
		level = slog.LevelWarn
	}
	v.options.Log.LogAttrs(context.Background(), level, e.String(), slog.String("event", fmt.Sprintf("%T", e)), slog.String("id", id.String()))
}

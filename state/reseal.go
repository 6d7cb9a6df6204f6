package state

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state/store"
)

// resealing seals one row anew under the key in use. It knows rows of every kind, and nothing of the values in them: what is
// sealed stays the same, and so does what it is bound to. Only the head is of a new version.
//
// It goes on where it was interrupted, since each record says under which key it was sealed. Since no commit is made under
// a key that is no longer in use, what was found in order stays in order.
type resealing struct {
	store store.Store
	ring  *ring
	kind  store.Kind
	id    ID

	budget  int                    // bytes of one commit, roughly
	queues  map[store.Queue]uint64 // Seq up to which a queue is in order
	frames  uint64                 // likewise of retained frames
	refused store.Head             // that the store did not accept
}

func newResealing(s store.Store, ring *ring, k store.Kind, id ID) *resealing {
	return &resealing{store: s, ring: ring, kind: k, id: id, budget: pageBytes, queues: make(map[store.Queue]uint64)}
}

// attempt makes one commit, unless the row is in order, and reports whether it has to be looked at again. What was read and written
// is taken from what is left. A damaged row stays as it is, and the error is ErrCorrupt.
func (r *resealing) attempt(ctx context.Context, left *int) (more bool, err error) {
	row, err := r.store.Load(ctx, r.kind, r.id)
	if errors.Is(err, ErrNotFound) {
		return false, nil // deleted meanwhile
	}
	if err != nil {
		return false, err
	}
	*left -= rowSize(row)
	change, err := r.prepare(ctx, row)
	if err != nil || change == nil {
		return false, err
	}
	*left -= commitCost + changeSize(change)
	err = r.store.Commit(ctx, r.ring.assertion(), *change)
	var which *store.ChangeError
	switch {
	case errors.As(err, &which) && which.Index == 0:
		return true, errRingChanged
	case errors.Is(err, store.ErrConflict):
		if row.Head.Equal(r.refused) {
			return false, errRefused
		}
		// Somebody writes to the row all the time: smaller commits take less time to make.
		r.refused, r.budget = row.Head, max(r.budget/2, 1)
	case errors.Is(err, ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	}
	return true, nil
}

// rowSize returns the length of what Load returns of a row, and changeSize of what a change holds.
func rowSize(row store.Row) int { return size(row.Parts, row.Segments, nil, nil) }

func changeSize(c *store.Change) int {
	return size(c.Parts, c.Put, slices.Concat(c.Outbox, c.Inbox), c.Frames)
}

func size(parts [][]byte, segments map[string][]byte, items []store.Item, frames []store.FrameRecord) (n int) {
	for _, b := range parts {
		n += len(b)
	}
	for _, b := range segments {
		n += len(b)
	}
	for _, it := range items {
		n += len(it.Data)
	}
	for _, f := range frames {
		n += len(f.Data)
	}
	return n
}

// prepare returns the change that seals anew some of what is left to be, or nil if nothing is.
func (r *resealing) prepare(ctx context.Context, row store.Row) (*store.Change, error) {
	head := slot{ring: r.ring, kind: r.kind, id: r.id}
	c, err := openHead(head, row.Head)
	if err != nil {
		return nil, err
	}
	if err := c.verify(row); err != nil {
		return nil, err
	}
	change := store.Change{Kind: r.kind, ID: r.id, Base: row.Head, Parts: make([][]byte, len(c.parts)), Put: make(map[string][]byte)}
	slot := head.with(&c)
	left := r.budget
	if err := r.records(slot, &c, row, &change, &left); err != nil {
		return nil, err
	}
	for q, held := range map[store.Queue][]store.Held{store.Outbox: row.Outbox, store.Inbox: row.Inbox} {
		if err := r.queue(ctx, slot, q, held, &change, &left); err != nil {
			return nil, err
		}
	}
	if err := r.retained(ctx, slot, row.Retained, &change, &left); err != nil {
		return nil, err
	}
	if left == r.budget && keyOf(row.Head.Sealed) == r.ring.current().id {
		return nil, nil
	}
	change.Next = c.seal(head, row.Head.Version+1)
	return &change, nil
}

// stale reports whether something is to be sealed anew, and takes its size from what is left, if it is and there is room: for
// one at least.
func (r *resealing) stale(sealed []byte, left *int) bool {
	if keyOf(sealed) == r.ring.current().id || *left <= 0 {
		return false
	}
	*left -= max(len(sealed), 1)
	return true
}

// records seals parts and segments anew. All must be in order, or none is touched.
func (r *resealing) records(slot slot, c *contents, row store.Row, change *store.Change, left *int) error {
	sealed := make(map[string][]byte, len(row.Segments)+len(row.Parts))
	part := make(map[string]int)
	if len(row.Parts) != len(c.parts) {
		return fmt.Errorf("%w: %d parts stored, not %d", ErrCorrupt, len(row.Parts), len(c.parts))
	}
	for i, n := range c.parts {
		sealed[n.name], part[n.name] = row.Parts[i], i
	}
	for path, b := range row.Segments {
		sealed[path] = b
	}
	l := &load{func(path string, n *node) ([]byte, error) {
		b := sealed[path]
		delete(sealed, path)
		plain, err := slot.record(path, n, b)
		if err != nil {
			return nil, err
		}
		if r.stale(b, left) {
			again := slot.seal(roleRecord, path, n.version, plain)
			if i, isPart := part[path]; isPart {
				change.Parts[i] = again
			} else {
				change.Put[path] = again
			}
		}
		return plain, nil
	}}
	for _, n := range c.parts {
		if err := l.walk(n.name, n); err != nil {
			return err
		}
	}
	if len(sealed) > 0 {
		return fmt.Errorf("%w: %d records that nothing lists", ErrCorrupt, len(sealed))
	}
	return nil
}

// walk opens a record and all below it.
func (l *load) walk(path string, n *node) error {
	if len(path) > maxPath {
		return corrupt(path, wire.ErrMalformed)
	}
	if _, err := l.decoder(path, n); err != nil {
		return err
	}
	for _, s := range n.segments {
		if err := l.walk(path+"/"+s.name, s); err != nil {
			return err
		}
	}
	return nil
}

// queue seals items of a queue anew. What is damaged opens under no key, and stays as it is.
func (r *resealing) queue(ctx context.Context, slot slot, q store.Queue, held []store.Held, change *store.Change, left *int) error {
	made := 0
	for after := r.queues[q]; *left > 0; {
		page := nextPage(held, after)
		if len(page) == 0 {
			break
		}
		items, err := r.store.Items(ctx, r.kind, r.id, q, page...)
		if err != nil {
			return err
		}
		for _, it := range items {
			plain, err := slot.open(roleOf[q], itemName(q, it.Lane), it.Seq, it.Data)
			if err != nil || !r.stale(it.Data, left) {
				continue
			}
			made++
			it.Data = slot.seal(roleOf[q], itemName(q, it.Lane), it.Seq, plain)
			if q == store.Outbox {
				change.Outbox = append(change.Outbox, it)
			} else {
				change.Inbox = append(change.Inbox, it)
			}
		}
		after = page[len(page)-1]
		if made == 0 {
			r.queues[q] = after
		}
	}
	return nil
}

// retained is queue for the retained frames.
func (r *resealing) retained(ctx context.Context, slot slot, held []store.HeldFrame, change *store.Change, left *int) error {
	for _, page := range retainedPages(held) {
		last := page[len(page)-1].Seq
		if last <= r.frames {
			continue
		}
		if *left <= 0 {
			return nil
		}
		hashes := make([][32]byte, len(page))
		for i, f := range page {
			hashes[i] = f.Hash
		}
		records, err := r.store.Frames(ctx, r.kind, r.id, hashes...)
		if err != nil {
			return err
		}
		for _, rec := range records {
			plain, err := slot.open(roleFrame, "frame", rec.Seq, rec.Data)
			if err != nil || !r.stale(rec.Data, left) {
				continue
			}
			rec.Data = slot.seal(roleFrame, "frame", rec.Seq, plain)
			change.Frames = append(change.Frames, rec)
		}
		if len(change.Frames) == 0 {
			r.frames = last
		}
	}
	return nil
}

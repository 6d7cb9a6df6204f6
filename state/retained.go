package state

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state/store"
)

// retained is a frame that is kept to be tried again.
type retained struct {
	source string
	since  int64 // ms
	data   []byte
}

// frameChange is what a commit does to one frame record.
type frameChange struct {
	hash     [32]byte
	retain   *retained // nil: the frame is done with, or lost
	lost     bool      // there is to be no record of it
	replaces uint64    // Seq of the record of a retained frame that it replaces, 0 if there is none
	seq      uint64    // of the new record
}

// outcome returns what is said of the frame when it comes again.
func (c frameChange) outcome() error {
	switch {
	case c.retain != nil:
		return ErrRetained
	case c.lost:
		return nil
	}
	return ErrSeen
}

func (f *retained) framing() *framing { return &framing{f.source, f.since, len(f.data)} }

// readFramings fills framed, the list with the changes so far. It reads the retained frames unless somebody did before.
func (r *reception[V]) readFramings(ctx context.Context) error {
	if r.framed != nil {
		return nil
	}
	if r.base.framed == nil {
		var known []heldFrame
		for _, page := range retainedPages(r.base.frames.records(nil)) {
			frames, err := r.v.openFrames(ctx, r.id, r.base, page)
			if err != nil {
				return err
			}
			for i, f := range frames {
				if f != nil { // one that is damaged waits for the relay to send it again
					known = append(known, heldFrame{page[i], f.framing()})
				}
			}
		}
		framed := heldFrames{}.with(known...)
		r.base.framed = &framed
	}
	framed := *r.base.framed
	r.framed = &framed
	for _, c := range slices.SortedFunc(slices.Values(r.changes), bySeq) {
		r.noteFramed(c.replaces, c)
	}
	return nil
}

// noteFramed puts a change into framed, in the place of the record with a number, if it is not 0.
func (r *reception[V]) noteFramed(replaces uint64, c frameChange) {
	*r.framed = r.framed.without(replaces)
	if c.retain != nil {
		*r.framed = r.framed.with(heldFrame{store.HeldFrame{Hash: c.hash, Seq: c.seq}, c.retain.framing()})
	}
}

func bySeq(a, b frameChange) int { return cmp.Compare(a.seq, b.seq) }

// retainedPages returns retained frames in pages of at most 64, and at most 1 MiB unless one is larger.
func retainedPages(frames []store.HeldFrame) (pages [][]store.HeldFrame) {
	var page []store.HeldFrame
	bytes := 0
	for _, f := range frames {
		if len(page) == pageSize || len(page) > 0 && bytes+f.Size > pageBytes {
			pages, page, bytes = append(pages, page), nil, 0
		}
		page, bytes = append(page, f), bytes+f.Size
	}
	if len(page) > 0 {
		pages = append(pages, page)
	}
	return pages
}

// openFrames returns the retained frames of a page, nil in the place of those that are damaged, which it reports.
func (v *rows[V]) openFrames(ctx context.Context, id ID, s *snapshot[V], page []store.HeldFrame) ([]*retained, error) {
	hashes := make([][32]byte, len(page))
	for i, f := range page {
		hashes[i] = f.Hash
	}
	records, err := v.store.Frames(ctx, v.kind, id, hashes...)
	if err != nil {
		return nil, err
	}
	byHash := make(map[[32]byte]store.FrameRecord, len(records))
	for _, rec := range records {
		byHash[rec.Hash] = rec
	}
	slot := v.slot(id).with(&s.contents)
	frames := make([]*retained, len(page))
	for i, f := range page {
		rec, found := byHash[f.Hash]
		if found && rec.Seq != f.Seq {
			continue // somebody else was faster, and the commit will not be made
		}
		frame, err := v.openRetained(ctx, &slot, rec)
		if errors.Is(err, ErrCorrupt) {
			v.emit(id, Damaged{Hash: f.Hash})
			continue
		}
		if err != nil {
			return nil, err
		}
		frames[i] = frame
	}
	return frames, nil
}

// retainedFrame returns one retained frame.
func (v *rows[V]) retainedFrame(ctx context.Context, id ID, s *snapshot[V], hash [32]byte) (Frame, error) {
	rec, held := s.frames.find(hash)
	if !held {
		return Frame{}, ErrNotFound
	}
	f, err := v.openFrames(ctx, id, s, []store.HeldFrame{rec})
	if err != nil {
		return Frame{}, err
	}
	if f[0] == nil {
		return Frame{}, fmt.Errorf("%w: a retained frame", ErrCorrupt)
	}
	return Frame{f[0].source, f[0].data}, nil
}

// wanted says which retained frames are to be tried again: those with a progress beyond contents.tried.
type wanted struct {
	all    uint64 // progress with which all were
	frames map[[32]byte]uint64
}

// with returns wanted with the progress that was just made.
func (w wanted) with(all bool, frames [][32]byte, c *contents) wanted {
	if all {
		return wanted{all: c.progress}
	}
	next := wanted{w.all, maps.Clone(w.frames)}
	if next.frames == nil {
		next.frames = make(map[[32]byte]uint64)
	}
	maps.DeleteFunc(next.frames, func(_ [32]byte, progress uint64) bool { return progress <= c.tried })
	for _, f := range frames {
		next.frames[f] = c.progress
	}
	return next
}

// again returns the retained frames that are to be tried again.
func (s *snapshot[V]) again() []store.HeldFrame {
	tried := s.contents.tried
	return s.frames.records(func(f store.HeldFrame) bool { return max(s.wanted.all, s.wanted.frames[f.Hash]) > tried })
}

// openRetained opens the record of a retained frame.
func (v *rows[V]) openRetained(ctx context.Context, s *slot, rec store.FrameRecord) (*retained, error) {
	plain, err := v.keys.open(ctx, s, roleFrame, "frame", rec.Seq, rec.Data)
	if err != nil {
		return nil, err
	}
	r := wire.NewReader(plain)
	f := &retained{source: string(r.Vec16(MaxAddress)), since: int64(r.U64()), data: r.Rest()}
	if err := r.Done(); err != nil {
		return nil, corrupt("frame", err)
	}
	if (Frame{f.source, f.data}).Hash() != rec.Hash {
		return nil, fmt.Errorf("%w: a retained frame is another one", ErrCorrupt)
	}
	return f, nil
}

// noteFrames adds the fate of frames to a change, and whether retained ones are to be tried again.
func (v *rows[V]) noteFrames(s slot, frames []frameChange, tx *Tx[V], next *snapshot[V], change *store.Change) {
	c := &next.contents
	slices.SortFunc(frames, bySeq) // not the order in which they came first
	var gone []uint64
	var held []heldFrame
	tags := c.tags()
	for _, f := range frames {
		if f.replaces != 0 {
			c.frames.held.remove(tags.frame(f.replaces, f.hash))
			gone = append(gone, f.replaces)
		}
		if f.lost {
			if f.replaces != 0 {
				change.Lost = append(change.Lost, f.hash)
			}
			continue
		}
		c.frames.last = f.seq
		rec := store.FrameRecord{Hash: f.hash, Seq: f.seq}
		if f.retain != nil {
			w := wire.NewWriter(16 + len(f.retain.source) + len(f.retain.data))
			w.Vec16([]byte(f.retain.source))
			w.U64(uint64(f.retain.since))
			w.Fixed(f.retain.data)
			rec.Data = s.seal(roleFrame, "frame", f.seq, w.Bytes())
			c.frames.held.add(tags.frame(f.seq, f.hash))
			held = append(held, heldFrame{store.HeldFrame{Hash: f.hash, Seq: f.seq, Size: len(rec.Data)}, f.retain.framing()})
		}
		change.Frames = append(change.Frames, rec)
	}
	if len(gone) > 0 || len(held) > 0 {
		next.frames = next.frames.without(gone...).with(held...)
		if next.framed != nil {
			framed := next.framed.without(gone...).with(held...)
			next.framed = &framed
		}
	}
	if bound := uint64(v.options.Acknowledged); len(frames) > 0 && c.frames.last > bound {
		change.Forget = c.frames.last - bound + 1
	}
	c.tried = max(c.tried, tx.tried)
	if tx.progress && c.frames.held.n > 0 {
		c.progress++
		next.wanted = next.wanted.with(tx.all, tx.again, c)
	}
}

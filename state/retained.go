package state

import (
	"context"
	"errors"
	"fmt"
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

func (f *retained) expired(o *Options) bool {
	return o.Now().UnixMilli()-f.since > o.RetainedFor.Milliseconds()
}

// frameChange is what a commit does to one frame record.
type frameChange struct {
	hash     [32]byte
	retain   *retained // nil: the frame is done with
	replaces uint64    // Seq of the record of a retained frame that it replaces, 0 if there is none
	seq      uint64    // of the new record
	lost     bool      // the record is removed
}

// retainedIndex is what the bounds of a row's retained frames are reckoned from, in the order of their records.
type retainedIndex struct{ frames []retainedFrame }

type retainedFrame struct {
	hash   [32]byte
	seq    uint64
	source string
	since  int64
	bytes  int
}

// burden is how much is retained, of all sources or of one.
type burden struct{ frames, bytes int }

func (b *burden) add(f retainedFrame, sign int) {
	b.frames += sign
	b.bytes += sign * f.bytes
}

// makeRoom gives up retained frames for a new one: those whose time is over, and the oldest if the bounds would be exceeded.
// The new one alone does not exceed them. It returns the hashes of those given up.
func (r *reception[V]) makeRoom(ctx context.Context, fresh *retained) (ack [][32]byte, err error) {
	if err := r.openIndex(ctx); err != nil {
		return nil, err
	}
	var all, same burden
	for _, f := range r.index.frames {
		all.add(f, 1)
		if f.source == fresh.source {
			same.add(f, 1)
		}
	}
	o := &r.v.options
	for _, f := range slices.Clone(r.index.frames) {
		expired := (&retained{since: f.since}).expired(o)
		full := all.frames >= o.Retained || all.bytes+len(fresh.data) > o.RetainedBytes
		fullSource := same.frames >= o.RetainedSource || same.bytes+len(fresh.data) > o.RetainedBytesSource
		if !expired && !full && !fullSource {
			break // nor is any younger one in the way
		}
		if !expired && !full && f.source != fresh.source {
			continue
		}
		all.add(f, -1)
		if f.source == fresh.source {
			same.add(f, -1)
		}
		reason := error(ErrCrowdedOut)
		if expired {
			reason = ErrExpired
		}
		r.tx.Emit(FrameUnread{f.hash, Discard, reason})
		r.change(frameChange{hash: f.hash, replaces: f.seq})
		ack = append(ack, f.hash)
	}
	return ack, nil
}

// openIndex makes the index of the base with the changes so far. It reads the retained frames unless somebody did before.
func (r *reception[V]) openIndex(ctx context.Context) error {
	if r.index != nil {
		return nil
	}
	index := &retainedIndex{}
	if r.base.retained != nil {
		index.frames = slices.Clone(r.base.retained.frames)
	} else {
		for _, page := range retainedPages(r.base.frames) {
			frames, err := r.v.openFrames(ctx, r.id, r.base, page)
			if err != nil {
				return err
			}
			for i, f := range frames {
				if f == nil {
					continue // damaged: it waits for the relay to send it again
				}
				index.frames = append(index.frames, retainedFrame{page[i].Hash, page[i].Seq, f.source, f.since, len(f.data)})
			}
		}
		r.base.retained = &retainedIndex{slices.Clone(index.frames)}
	}
	for _, c := range r.changes {
		index.apply(c)
	}
	r.index = index
	return nil
}

// apply carries over a change.
func (x *retainedIndex) apply(c frameChange) {
	if x == nil {
		return
	}
	x.frames = slices.DeleteFunc(x.frames, func(f retainedFrame) bool { return f.hash == c.hash })
	if c.retain != nil {
		x.frames = append(x.frames, retainedFrame{c.hash, c.seq, c.retain.source, c.retain.since, len(c.retain.data)})
	}
}

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
func (v *Vault[V]) openFrames(ctx context.Context, id ID, s *snapshot[V], page []store.HeldFrame) ([]*retained, error) {
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

// openRetained opens the record of a retained frame.
func (v *Vault[V]) openRetained(ctx context.Context, s *slot, rec store.FrameRecord) (*retained, error) {
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
func (v *Vault[V]) noteFrames(s slot, frames []frameChange, tx *Tx[V], next *snapshot[V], change *store.Change) {
	c := &next.contents
	held := slices.Clone(next.frames)
	for _, f := range frames {
		if f.replaces != 0 && f.lost {
			change.Lost = append(change.Lost, f.hash)
		}
		c.frames.last = max(c.frames.last, f.seq)
		rec := store.FrameRecord{Hash: f.hash, Seq: f.seq}
		if f.replaces != 0 {
			c.frames.held.remove(c.frameTag(f.replaces, f.hash))
			held = slices.DeleteFunc(held, func(h store.HeldFrame) bool { return h.Seq == f.replaces })
		}
		if f.retain != nil {
			w := wire.NewWriter(16 + len(f.retain.source) + len(f.retain.data))
			w.Vec16([]byte(f.retain.source))
			w.U64(uint64(f.retain.since))
			w.Fixed(f.retain.data)
			rec.Data = s.seal(roleFrame, "frame", f.seq, w.Bytes())
			c.frames.held.add(c.frameTag(f.seq, f.hash))
			held = append(held, store.HeldFrame{Hash: f.hash, Seq: f.seq, Size: len(rec.Data)})
		}
		if !f.lost {
			change.Frames = append(change.Frames, rec)
		}
	}
	next.frames = held
	if next.retained != nil && len(frames) > 0 {
		next.retained = &retainedIndex{slices.Clone(next.retained.frames)}
		for _, f := range frames {
			next.retained.apply(f)
		}
	}
	if bound := uint64(v.options.Acknowledged); len(frames) > 0 && c.frames.last > bound {
		change.Forget = c.frames.last - bound + 1
	}
	if tx.progress && c.frames.held.n > 0 {
		c.progress++
	}
	c.tried = max(c.tried, tx.tried)
}

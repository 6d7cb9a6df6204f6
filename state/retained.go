package state

import (
	"context"
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

// retainedIndex is an index of a row's retained frames in the order of their records. It belongs to the snapshot used last and
// is touched only by who holds the ID.
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

// makeRoom returns what settles retained frames for a new one: those whose time is over, and the oldest if the bounds would
// be exceeded. The new one alone does not exceed them.
func (v *Vault[V]) makeRoom(ctx context.Context, id ID, base *snapshot[V], tx *Tx[V], fresh Frame) ([]frameChange, error) {
	if base.contents.retained == 0 {
		return nil, nil
	}
	if base.retained == nil {
		w, err := v.listRetained(ctx, id)
		if err != nil {
			return nil, err
		}
		base.retained = w
	}
	var all, same burden
	for _, f := range base.retained.frames {
		all.add(f, 1)
		if f.source == fresh.Source {
			same.add(f, 1)
		}
	}
	o := &v.options
	var out []frameChange
	for _, f := range base.retained.frames {
		expired := (&retained{since: f.since}).expired(o)
		full := all.frames >= o.Retained || all.bytes+len(fresh.Data) > o.RetainedBytes
		fullSource := same.frames >= o.RetainedSource || same.bytes+len(fresh.Data) > o.RetainedBytesSource
		if !expired && !full && !fullSource {
			break // nor is any younger one in the way
		}
		if !expired && !full && f.source != fresh.Source {
			continue
		}
		all.add(f, -1)
		if f.source == fresh.Source {
			same.add(f, -1)
		}
		tx.Emit(FrameGivenUp{f.hash, expired})
		out = append(out, frameChange{hash: f.hash, replaces: f.seq})
	}
	return out, nil
}

// listRetained reads the index from the store.
func (v *Vault[V]) listRetained(ctx context.Context, id ID) (*retainedIndex, error) {
	w := new(retainedIndex)
	slot := v.slot(id)
	for after := uint64(0); ; {
		records, err := v.store.Retained(ctx, v.kind, id, after, pageSize)
		if err != nil || len(records) == 0 {
			return w, err
		}
		for _, rec := range records {
			f, err := openRetained(slot, rec)
			if err != nil {
				return nil, err
			}
			w.frames = append(w.frames, retainedFrame{rec.Hash, rec.Seq, f.source, f.since, len(f.data)})
			after = rec.Seq
		}
	}
}

// apply carries over the changes of a commit that was made.
func (w *retainedIndex) apply(changes []frameChange) *retainedIndex {
	if w == nil {
		return nil
	}
	for _, c := range changes {
		if c.replaces != 0 {
			w.frames = slices.DeleteFunc(w.frames, func(f retainedFrame) bool { return f.seq == c.replaces })
		}
		if c.retain != nil {
			w.frames = append(w.frames, retainedFrame{c.hash, c.seq, c.retain.source, c.retain.since, len(c.retain.data)})
		}
	}
	return w
}

// openRetained opens the record of a retained frame.
func openRetained(s slot, rec store.FrameRecord) (*retained, error) {
	plain, err := s.open(roleFrame, "frame", rec.Seq, rec.Data)
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

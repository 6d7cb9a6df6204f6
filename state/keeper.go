package state

import (
	"context"
	"errors"

	"github.com/trefoil-im/trefoil/state/store"
)

// Keeper is what a part implements that keeps account of the frames that its value cannot read yet: what is known of each, which
// of them are to be tried, and which go at a bound. The vault then has no bounds of its own for the retained frames of the value,
// and tries those alone that the part names; so the two never disagree. What the opener put into the transaction is committed with
// the verdict Retain, too, when a frame is tried again.
//
// The opener gives frames up with Tx.Forget, and deals with others than the one that it was given with Tx.Finish.
type Keeper interface {
	// Ready returns the hashes of retained frames that are to be tried now. To try one must take it off the list.
	Ready() [][32]byte
}

// keeperOf returns what keeps account of the frames of a value.
func keeperOf(part any) (Keeper, bool) {
	k, ok := part.(Keeper)
	return k, ok
}

// Retained returns a retained frame of the value. It is not ok if there is none of that hash, or if it is damaged. Within Receive
// it knows the frames that were received before in the same commit. The error is the store's: the caller returns it.
func (tx *Tx[V]) Retained(hash [32]byte) (f Frame, ok bool, err error) {
	if tx.retained == nil {
		return Frame{}, false, nil
	}
	return tx.retained(hash)
}

// Finish says that retained frames are dealt with, beside the one that is received: they may be acknowledged. Hashes of frames
// that are not retained count for nothing.
func (tx *Tx[V]) Finish(hashes ...[32]byte) { tx.finished = append(tx.finished, hashes...) }

// Forget says that retained frames are given up for want of room. Nothing is remembered of them: they are not to be acknowledged,
// and are received anew when the relay sends them again. The frame that is received may be among them, if the verdict is Retain.
func (tx *Tx[V]) Forget(hashes ...[32]byte) { tx.lost = append(tx.lost, hashes...) }

// retainedFrame returns a retained frame of a row as it is stored.
func (v *Vault[V]) retainedFrame(ctx context.Context, id ID, base *snapshot[V], hash [32]byte) (Frame, bool, error) {
	for _, h := range base.frames {
		if h.Hash != hash {
			continue
		}
		frames, err := v.openFrames(ctx, id, base, []store.HeldFrame{h})
		if err != nil || frames[0] == nil {
			return Frame{}, false, err
		}
		return Frame{frames[0].source, frames[0].data}, true, nil
	}
	return Frame{}, false, nil
}

// retained is retainedFrame with what was received before in the same commit.
func (r *reception[V]) retained(ctx context.Context, hash [32]byte) (Frame, bool, error) {
	for _, c := range r.changes {
		if c.hash == hash {
			if c.retain == nil {
				return Frame{}, false, nil
			}
			return Frame{c.retain.source, c.retain.data}, true, nil
		}
	}
	return r.v.retainedFrame(ctx, r.id, r.base, hash)
}

// carryOut makes changes of what was said of other retained frames (Tx.Finish, Tx.Forget). It returns the hashes of those that
// may be acknowledged.
func (r *reception[V]) carryOut() (ack [][32]byte) {
	for _, h := range r.tx.finished {
		if seq, ok := r.isRetained(h); ok {
			r.change(frameChange{hash: h, replaces: seq})
			ack = append(ack, h)
		}
	}
	for _, h := range r.tx.lost {
		if seq, ok := r.isRetained(h); ok {
			r.change(frameChange{hash: h, replaces: seq, lost: true})
		}
	}
	r.tx.finished, r.tx.lost = nil, nil
	return ack
}

// isRetained reports whether a frame is retained, and with what number it is stored, 0 if it came with this commit.
func (r *reception[V]) isRetained(hash [32]byte) (seq uint64, ok bool) {
	for _, c := range r.changes {
		if c.hash == hash {
			return c.replaces, c.retain != nil
		}
	}
	for _, h := range r.base.frames {
		if h.Hash == hash {
			return h.Seq, true
		}
	}
	return 0, false
}

// toTry returns the retained frames that are to be tried now, in the order in which they came.
func toTry[V Value[V]](s *snapshot[V]) []store.HeldFrame {
	k, ok := s.value.keeper()
	if !ok {
		if s.contents.due() {
			return s.frames
		}
		return nil
	}
	ready := make(map[[32]byte]bool)
	for _, h := range k.Ready() {
		ready[h] = true
	}
	var out []store.HeldFrame
	for _, f := range s.frames {
		if ready[f.Hash] {
			out = append(out, f)
		}
	}
	return out
}

// errNoRoom is the reason of a frame that its keeper did not keep: it comes again.
var errNoRoom = errors.New("state: no room to retain the frame now")

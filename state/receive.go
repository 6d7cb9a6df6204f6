package state

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state/store"
)

// Frame is what a relay delivers.
type Frame struct {
	// Source is the mailbox the frame came from, as the caller knows it, at most 1,024 bytes. Retained frames are bounded
	// for each source, in number and in bytes; and a copy from another source is another frame, so that nobody can take
	// one over by repeating it.
	Source string
	Data   []byte // at most 8 MiB
}

// Hash names the frame: SHA-256 over the length of its source in two bytes, the source, and its data.
func (f Frame) Hash() (h [32]byte) {
	w := wire.NewWriter(2 + len(f.Source))
	w.Vec16([]byte(f.Source))
	d := sha256.New()
	d.Write(w.Bytes())
	d.Write(f.Data)
	return [32]byte(d.Sum(h[:0]))
}

// Opener reads a frame: it puts the next value, what was read and what is to be sent into the transaction. What it returns
// decides what becomes of the frame: nil for one that was read, an error with a verdict (see VerdictOf) otherwise. With
// Discard and Retain, too, everything in the transaction is committed; with Stop nothing is.
type Opener[V Value[V]] func(*Tx[V], Frame) error

// Receipt says what became of a received frame. Unless its verdict is Retain or Stop, the frame may be acknowledged to the
// relay.
type Receipt struct {
	Verdict     Verdict
	Reason      error      // why the frame was not read; nil if it was
	Acknowledge [][32]byte // hashes of frames retained earlier that may be acknowledged now
}

// Reasons that a vault itself has.
var (
	// ErrSeen: the same frame was dealt with before.
	ErrSeen = NewOutcome(Discard, "state: frame was dealt with before")
	// ErrRetained: the same frame is retained already.
	ErrRetained = NewOutcome(Retain, "state: frame is retained already")
	// ErrTooLarge: the frame, or its source's name, is larger than any frame may be, or it cannot be read yet and is larger
	// than what is retained (Options).
	ErrTooLarge = NewOutcome(Discard, "state: frame is too large")
)

// Receive is the receive loop for one frame: it runs open, commits what came of it together with the frame's fate, and, if
// there was progress, tries the retained frames again. A frame that was dealt with before is acknowledged without running
// open.
//
// An error comes with the verdict Stop, and then nothing changed and the frame must not be acknowledged; or with another
// verdict, which stands, if the frame was dealt with but trying the retained ones failed: the next Receive goes on there.
func (v *Vault[V]) Receive(ctx context.Context, id ID, f Frame, open Opener[V]) (Receipt, error) {
	if len(f.Data) > MaxFrame || len(f.Source) > MaxAddress {
		return Receipt{Verdict: Discard, Reason: ErrTooLarge}, nil
	}
	hash := f.Hash()
	var r Receipt
	s, err := v.attempt(ctx, id, func(base *snapshot[V], tx *Tx[V]) ([]frameChange, error) {
		r = Receipt{}
		known, err := v.store.Frame(ctx, v.kind, id, hash)
		switch {
		case err == nil && known.Data == nil:
			r.Verdict, r.Reason = Discard, ErrSeen
			return nil, nil
		case err == nil:
			r.Verdict, r.Reason = Retain, ErrRetained
			return nil, nil
		case !errors.Is(err, ErrNotFound):
			return nil, err
		}
		r.Reason = open(tx, f)
		if VerdictOf(r.Reason) == Retain && len(f.Data) > min(v.options.RetainedBytes, v.options.RetainedBytesSource) {
			r.Reason = fmt.Errorf("%w: %w", ErrTooLarge, r.Reason)
		}
		r.Verdict = VerdictOf(r.Reason)
		switch r.Verdict {
		case Read:
			return []frameChange{{hash: hash}}, nil
		case Discard:
			tx.Emit(FrameDiscarded{hash, r.Reason})
			return []frameChange{{hash: hash}}, nil
		case Retain:
			tx.Emit(FrameRetained{hash, r.Reason})
			changes, err := v.makeRoom(ctx, id, base, tx, f)
			for _, c := range changes {
				r.Acknowledge = append(r.Acknowledge, c.hash)
			}
			kept := &retained{source: f.Source, since: v.options.Now().UnixMilli(), data: f.Data}
			return append(changes, frameChange{hash: hash, retain: kept}), err
		}
		return nil, r.Reason
	})
	if err != nil {
		return Receipt{Verdict: Stop, Reason: err}, err
	}
	if s.contents.due() {
		var more [][32]byte
		more, err = v.Retry(ctx, id, open)
		r.Acknowledge = append(r.Acknowledge, more...)
	}
	return r, err
}

// Retry tries the retained frames of id again, in the order in which they came, if there was progress since they were
// tried last, until there is no more. It returns the hashes of those that may be acknowledged now.
func (v *Vault[V]) Retry(ctx context.Context, id ID, open Opener[V]) (ack [][32]byte, err error) {
	for {
		s, err := v.current(ctx, id)
		if err != nil || !s.contents.due() {
			return ack, err
		}
		more, err := v.retryAll(ctx, id, open)
		ack = append(ack, more...)
		if err != nil {
			return ack, err
		}
		_, err = v.attempt(ctx, id, func(_ *snapshot[V], tx *Tx[V]) ([]frameChange, error) {
			tx.tried = s.contents.progress
			return nil, nil
		})
		if err != nil {
			return ack, err
		}
	}
}

// retryAll tries each retained frame once.
func (v *Vault[V]) retryAll(ctx context.Context, id ID, open Opener[V]) (ack [][32]byte, err error) {
	slot := v.slot(id)
	for after := uint64(0); ; {
		records, err := v.store.Retained(ctx, v.kind, id, after, pageSize)
		if err != nil || len(records) == 0 {
			return ack, err
		}
		for _, rec := range records {
			after = rec.Seq
			f, err := openRetained(slot, rec)
			if err != nil {
				return ack, err
			}
			done, err := v.retry(ctx, id, rec, f, open)
			if err != nil {
				return ack, err
			}
			if done {
				ack = append(ack, rec.Hash)
			}
		}
	}
}

// retry tries one retained frame and reports whether it is done with.
func (v *Vault[V]) retry(ctx context.Context, id ID, rec store.FrameRecord, f *retained, open Opener[V]) (done bool, err error) {
	_, err = v.attempt(ctx, id, func(base *snapshot[V], tx *Tx[V]) ([]frameChange, error) {
		done = false
		known, err := v.store.Frame(ctx, v.kind, id, rec.Hash)
		if errors.Is(err, ErrNotFound) || err == nil && known.Seq != rec.Seq {
			return nil, nil // done by somebody else, who tells the relay
		}
		if err != nil {
			return nil, err
		}
		if f.expired(&v.options) {
			tx.Emit(FrameGivenUp{rec.Hash, true})
		} else {
			reason := open(tx, Frame{f.source, f.data})
			switch VerdictOf(reason) {
			case Retain:
				tx.reset(base.value)
				return nil, nil
			case Stop:
				return nil, reason
			case Discard:
				tx.Emit(FrameDiscarded{rec.Hash, reason})
			}
		}
		done = true
		return []frameChange{{hash: rec.Hash, replaces: rec.Seq}}, nil
	})
	return done, err
}

// frameChange is what a commit does to one frame record.
type frameChange struct {
	hash     [32]byte
	retain   *retained // nil settles the frame
	replaces uint64    // Seq of the record of a retained frame that it replaces, 0 if there is none
	seq      uint64    // given by noteFrames
}

// noteFrames adds the fate of frames to a change, and whether retained ones are to be tried again.
func (v *Vault[V]) noteFrames(s slot, frames []frameChange, tx *Tx[V], c *contents, change *store.Change) {
	for i := range frames {
		f := &frames[i]
		c.frames++
		f.seq = c.frames
		rec := store.FrameRecord{Hash: f.hash, Seq: f.seq}
		if f.replaces != 0 {
			c.retained--
		}
		if f.retain != nil {
			c.retained++
			w := wire.NewWriter(16 + len(f.retain.source) + len(f.retain.data))
			w.Vec16([]byte(f.retain.source))
			w.U64(uint64(f.retain.since))
			w.Fixed(f.retain.data)
			rec.Data = s.seal(roleFrame, "frame", f.seq, w.Bytes())
		}
		change.Frames = append(change.Frames, rec)
	}
	if bound := uint64(v.options.Acknowledged); len(frames) > 0 && c.frames > bound {
		change.Forget = c.frames - bound + 1
	}
	if tx.progress && c.retained > 0 {
		c.progress++
	}
	c.tried = max(c.tried, tx.tried)
}

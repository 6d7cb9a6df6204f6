package state

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"

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
// Discard and Retain, too, everything that it put into the transaction is committed; with Stop nothing is, nor with Retain for
// a frame that was retained before and is tried again, unless a part is a keeper (see Part): it notes how far it came.
type Opener[V Value[V]] func(*Tx[V], Frame) error

// Receipt says what became of a received frame. Unless its verdict is Retain or Stop, the frame may be acknowledged to the
// relay.
type Receipt struct {
	Verdict     Verdict
	Reason      error      // why the frame was not read; nil if it was
	Acknowledge [][32]byte // hashes of frames retained earlier that may be acknowledged now
}

// Receive is the receive loop for one frame: it runs open, commits what came of it together with the frame's fate, and, if
// there was progress, tries the retained frames again. A frame that was dealt with before is acknowledged without running
// open.
//
// An error comes with the verdict Stop, and then nothing changed and the frame must not be acknowledged; or with another
// verdict, which stands, if the frame was dealt with but trying the retained ones failed: the next Receive goes on there.
func (v *Vault[V]) Receive(ctx context.Context, id ID, f Frame, open Opener[V]) (Receipt, error) {
	receipts, err := v.ReceiveAll(ctx, id, []Frame{f}, open)
	if r := receipts[0]; err == nil && r.Verdict == Stop {
		err = r.Reason
	}
	return receipts[0], err
}

// ReceiveAll is Receive for many frames, with one receipt for each. Up to 128 of them, and 8 MiB, go into one commit. A frame
// whose verdict is Stop leaves nothing in the commit of the others, and is no error of ReceiveAll.
//
// After an error the receipts of the frames that were not dealt with have the verdict Stop and the error as their reason.
func (v *Vault[V]) ReceiveAll(ctx context.Context, id ID, frames []Frame, open Opener[V]) (receipts []Receipt, err error) {
	defer func() { v.stats.receive(receipts) }()
	for rest := frames; len(rest) > 0; {
		n := chunk(rest)
		done, err := receiving[V]{v, id, open}.commit(ctx, rest[:n])
		receipts, rest = append(receipts, done...), rest[n:]
		if err == nil {
			continue
		}
		for range rest {
			receipts = append(receipts, Receipt{Verdict: Stop, Reason: err})
		}
		return receipts, err
	}
	return receipts, nil
}

// chunk returns how many frames go into one commit.
func chunk(frames []Frame) int {
	bytes := 0
	for i, f := range frames {
		if len(f.Data) <= MaxFrame { // larger ones are not looked at
			bytes += len(f.Data)
		}
		if i == batchSize || i > 0 && bytes > MaxFrame {
			return i
		}
	}
	return len(frames)
}

// Retry tries the retained frames of id again, in the order in which they came, if there was progress since they were
// tried last, until there is no more; and it gives up those whose time is over. It returns the hashes of those that may be
// acknowledged now. A program calls it after an Update with progress, and now and then for values that receive nothing.
func (v *Vault[V]) Retry(ctx context.Context, id ID, open Opener[V]) (ack [][32]byte, err error) {
	r := receiving[V]{v, id, open}
	ack, err = r.retryAll(ctx)
	if err == nil {
		err = r.expire(ctx)
	}
	return ack, err
}

// receiving is the receiving of frames of one value.
type receiving[V Value[V]] struct {
	v    *Vault[V]
	id   ID
	open Opener[V]
}

// commit receives frames in one commit, and tries again what that may have made readable.
func (g receiving[V]) commit(ctx context.Context, frames []Frame) (receipts []Receipt, err error) {
	s, err := g.v.attempt(ctx, g.id, func(base *snapshot[V], tx *Tx[V]) ([]frameChange, error) {
		r := g.on(base, tx)
		receipts, err = r.receive(ctx, frames)
		return r.changes, err
	})
	if err != nil {
		return slices.Repeat([]Receipt{{Verdict: Stop, Reason: err}}, len(frames)), err
	}
	if s.contents.due() {
		var more [][32]byte
		more, err = g.retryAll(ctx)
		last := &receipts[len(receipts)-1]
		last.Acknowledge = append(last.Acknowledge, more...)
	}
	return receipts, err
}

// retryAll tries the retained frames again that are to be tried again, until there are none.
func (g receiving[V]) retryAll(ctx context.Context) (ack [][32]byte, err error) {
	for {
		s, err := g.v.current(ctx, g.id)
		if err != nil || !s.contents.due() {
			return ack, err
		}
		pages := retainedPages(s.again())
		if len(pages) == 0 {
			pages = [][]store.HeldFrame{nil} // there is nothing to try, which is to be noted
		}
		for i, page := range pages {
			tried := uint64(0)
			if i == len(pages)-1 {
				tried = s.contents.progress
			}
			more, err := g.retryPage(ctx, page, tried)
			ack = append(ack, more...)
			if err != nil {
				return ack, err
			}
		}
	}
}

// retryPage tries retained frames again in one commit, which also says that all were tried at this progress, if it is not 0.
func (g receiving[V]) retryPage(ctx context.Context, page []store.HeldFrame, tried uint64) (ack [][32]byte, err error) {
	var stopped error
	_, err = g.v.attempt(ctx, g.id, func(base *snapshot[V], tx *Tx[V]) ([]frameChange, error) {
		r := g.on(base, tx)
		ack, stopped, err = r.retry(ctx, page)
		if stopped == nil {
			tx.tried = tried
		}
		return r.changes, err
	})
	if err != nil {
		return nil, err
	}
	return ack, stopped
}

// on returns the receiving on one transaction.
func (g receiving[V]) on(base *snapshot[V], tx *Tx[V]) *reception[V] {
	return &reception[V]{receiving: g, base: base, tx: tx}
}

// reception is the receiving of frames on one transaction.
type reception[V Value[V]] struct {
	receiving[V]
	base    *snapshot[V]
	tx      *Tx[V]
	changes []frameChange
	noted   uint64           // how often something became of a frame
	at      map[[32]byte]int // place of a frame among the changes
	framed  *heldFrames      // that of the base, with the changes; nil until it is needed
	ack     [][32]byte       // frames retained earlier that are done with
}

// receive opens frames one after the other.
func (r *reception[V]) receive(ctx context.Context, frames []Frame) (receipts []Receipt, err error) {
	r.tx.retained = func(hash [32]byte) (Frame, error) { return r.frame(ctx, hash) }
	hashes := make([][32]byte, len(frames))
	for i, f := range frames {
		hashes[i] = f.Hash()
	}
	records, err := r.v.store.Frames(ctx, r.v.kind, r.id, hashes...)
	if err != nil {
		return nil, err
	}
	seen, damaged, err := r.known(ctx, records)
	if err != nil {
		return nil, err
	}
	for i, f := range frames {
		known := seen[hashes[i]]
		if n, changed := r.at[hashes[i]]; changed {
			known = r.changes[n].outcome()
		}
		switch {
		case len(f.Data) > MaxFrame || len(f.Source) > MaxAddress:
			receipts = append(receipts, Receipt{Verdict: Discard, Reason: ErrTooLarge})
		case known != nil:
			receipts = append(receipts, Receipt{Verdict: VerdictOf(known), Reason: known})
		default:
			receipt, err := r.receiveOne(ctx, f, hashes[i], damaged[hashes[i]])
			if err != nil {
				return nil, err
			}
			receipts = append(receipts, receipt)
		}
	}
	return receipts, nil
}

// known says of frames what records say of them. Of those that are retained, and damaged, it returns the numbers: they are
// received as if they had not been.
func (r *reception[V]) known(ctx context.Context, records []store.FrameRecord) (seen map[[32]byte]error, damaged map[[32]byte]uint64, err error) {
	seen, damaged = make(map[[32]byte]error), make(map[[32]byte]uint64)
	slot := r.v.slot(r.id).with(&r.base.contents)
	for _, rec := range records {
		if rec.Data == nil {
			seen[rec.Hash] = ErrSeen
			continue
		}
		switch _, err := r.v.openRetained(ctx, &slot, rec); {
		case errors.Is(err, ErrCorrupt):
			if r.base.frames.has(rec.Hash, rec.Seq) { // or else no vault has written it
				damaged[rec.Hash] = rec.Seq
			}
		case err != nil:
			return nil, nil, err
		default:
			seen[rec.Hash] = ErrRetained
		}
	}
	return seen, damaged, nil
}

// receiveOne opens a frame and notes what becomes of it, in the place of its record with the number replaces, unless that
// is 0.
func (r *reception[V]) receiveOne(ctx context.Context, f Frame, hash [32]byte, replaces uint64) (receipt Receipt, err error) {
	receipt.Reason = r.try(f)
	receipt.Verdict = VerdictOf(receipt.Reason)
	if receipt.Verdict == Stop {
		return receipt, nil
	}
	change := frameChange{hash: hash, replaces: replaces}
	if receipt.Verdict == Retain {
		change.retain = &retained{source: f.Source, since: r.v.options.Now().UnixMilli(), data: f.Data}
	}
	r.change(change)
	if receipt.Verdict != Read {
		r.tx.Emit(FrameUnread{hash, receipt.Verdict, receipt.Reason})
	}
	r.giveUpAsTold()
	if r.retains(hash) {
		err = r.makeRoom(ctx, change)
	}
	receipt.Acknowledge, r.ack = r.ack, nil
	return receipt, err
}

// try runs the opener. If it says Stop, or if what it put into the transaction is not allowed, nothing of it is left.
func (r *reception[V]) try(f Frame) error {
	saved := *r.tx
	reason := r.open(r.tx, f)
	if VerdictOf(reason) != Stop {
		if err := r.tx.allowed(r.id, &saved.value, &r.v.options); err != nil {
			reason = err
		}
	}
	if VerdictOf(reason) == Stop {
		*r.tx = saved
	}
	return reason
}

// retry tries retained frames again. It stops at the first whose verdict is Stop, for the reason it returns.
func (r *reception[V]) retry(ctx context.Context, page []store.HeldFrame) (ack [][32]byte, stopped, err error) {
	r.tx.retained = func(hash [32]byte) (Frame, error) { return r.frame(ctx, hash) }
	page = slices.DeleteFunc(slices.Clone(page), func(f store.HeldFrame) bool { return !r.base.frames.has(f.Hash, f.Seq) })
	frames, err := r.v.openFrames(ctx, r.id, r.base, page)
	if err != nil {
		return nil, nil, err
	}
	for i, f := range frames {
		hash, seq := page[i].Hash, page[i].Seq
		if _, changed := r.at[hash]; f == nil || changed {
			continue // damaged, or given up for one that was read
		}
		if r.expired(f.since) {
			r.giveUpForBound(ErrExpired, hash, seq)
			continue
		}
		saved := *r.tx
		reason := r.try(Frame{f.source, f.data})
		switch VerdictOf(reason) {
		case Stop:
			return r.ack, reason, nil
		case Retain:
			if !r.tx.value.keeps() {
				*r.tx = saved
			}
			r.giveUpAsTold()
			continue
		case Discard:
			r.tx.Emit(FrameUnread{hash, Discard, reason})
		}
		r.change(frameChange{hash: hash, replaces: seq})
		r.ack = append(r.ack, hash)
		r.giveUpAsTold()
	}
	return r.ack, nil, nil
}

// change notes what becomes of a frame: of one of which something was noted before, the new fate alone.
func (r *reception[V]) change(c frameChange) {
	r.noted++
	c.seq = r.base.contents.frames.last + r.noted
	i, again := r.at[c.hash]
	replaces := c.replaces
	if again {
		replaces, c.replaces = r.changes[i].seq, r.changes[i].replaces
		r.changes[i] = c
	} else {
		if r.at == nil {
			r.at = make(map[[32]byte]int)
		}
		r.at[c.hash] = len(r.changes)
		r.changes = append(r.changes, c)
	}
	if r.framed != nil {
		r.noteFramed(replaces, c)
	}
}

// frame returns a retained frame as it is after the changes so far.
func (r *reception[V]) frame(ctx context.Context, hash [32]byte) (Frame, error) {
	i, changed := r.at[hash]
	switch {
	case !changed:
		return r.v.retainedFrame(ctx, r.id, r.base, hash)
	case r.changes[i].retain == nil:
		return Frame{}, ErrNotFound
	}
	return Frame{r.changes[i].retain.source, r.changes[i].retain.data}, nil
}

// retains reports whether a frame is retained by a change.
func (r *reception[V]) retains(hash [32]byte) bool {
	i, changed := r.at[hash]
	return changed && r.changes[i].retain != nil
}

package state

import (
	"fmt"

	"github.com/trefoil-im/trefoil/state/store"
)

// Event is something worth knowing that happened beside the result of a call. Each kind of event is a type of its own;
// other packages add theirs. String returns one line for a log, without key material or plaintext.
type Event interface{ String() string }

// FrameUnread is the event of a frame that could not be read: retained to be tried again, or discarded. One that was retained
// before and is discarded now may be acknowledged.
type FrameUnread struct {
	Hash    [32]byte // of the frame
	Verdict Verdict
	Reason  error
}

// String implements Event.
func (e FrameUnread) String() string {
	return fmt.Sprintf("frame %x not read (%v): %v", e.Hash[:8], e.Verdict, e.Reason)
}

// FrameGivenUp is the event of a frame that is not retained any more, or was not for want of room. It is not acknowledged, so it
// comes again.
type FrameGivenUp struct {
	Hash   [32]byte // of the frame
	Reason error    // ErrNoRoom, ErrExpired, or what Tx.GiveUp was given
}

// String implements Event.
func (e FrameGivenUp) String() string {
	return fmt.Sprintf("retained frame %x given up: %v", e.Hash[:8], e.Reason)
}

// Damaged is the event of something that was stepped over because it is damaged: an item of a queue, or a retained frame that
// cannot be tried again. It stays where it is until DiscardDamaged, or until the relay sends the frame again.
type Damaged struct {
	Queue store.Queue // 0 for a retained frame
	Seq   uint64      // of an item
	Hash  [32]byte    // of a frame
}

// String implements Event.
func (e Damaged) String() string {
	switch e.Queue {
	case store.Outbox:
		return fmt.Sprintf("item %d of the outbox is damaged", e.Seq)
	case store.Inbox:
		return fmt.Sprintf("item %d of the inbox is damaged", e.Seq)
	}
	return fmt.Sprintf("retained frame %x is damaged", e.Hash[:8])
}

// SendRejected is the event of a frame that was taken out of the outbox because the network will never take it.
type SendRejected struct {
	Seq    uint64
	To     string
	Reason string
}

// String implements Event.
func (e SendRejected) String() string {
	return fmt.Sprintf("frame %d to %q rejected by the network: %s", e.Seq, e.To, e.Reason)
}

// ForgetFailed is the event of a data key that is older than Options.ForgetEvery and could not be replaced, or not
// everywhere. It belongs to no value.
type ForgetFailed struct{ Err error }

// String implements Event.
func (e ForgetFailed) String() string { return fmt.Sprintf("the data key was not replaced: %v", e.Err) }

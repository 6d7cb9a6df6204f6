package state

import "fmt"

// Event is something worth knowing that happened beside the result of a call. Each kind of event is a type of its own;
// other packages add theirs. String returns one line for a log, without key material or plaintext.
type Event interface{ String() string }

// FrameUnread is the event of a frame that could not be read: kept to be tried again if the verdict is Retain, given up if it
// is Discard. ErrExpired and ErrCrowdedOut are the reasons for which a vault gives up a retained frame.
type FrameUnread struct {
	Hash    [32]byte // of the frame
	Verdict Verdict
	Reason  error
}

// String implements Event.
func (e FrameUnread) String() string {
	return fmt.Sprintf("frame %x not read (%v): %v", e.Hash[:8], e.Verdict, e.Reason)
}

// FrameDamaged is the event of a retained frame that cannot be tried again because its record is damaged. It was not
// acknowledged, and is received anew when the relay sends it again.
type FrameDamaged struct{ Hash [32]byte }

// String implements Event.
func (e FrameDamaged) String() string { return fmt.Sprintf("retained frame %x is damaged", e.Hash[:8]) }

// ItemDamaged is the event of an item of a queue that was stepped over because it is damaged. It stays where it is.
type ItemDamaged struct {
	Outbox bool // or else of the inbox
	Seq    uint64
}

// String implements Event.
func (e ItemDamaged) String() string {
	if e.Outbox {
		return fmt.Sprintf("item %d of the outbox is damaged", e.Seq)
	}
	return fmt.Sprintf("item %d of the inbox is damaged", e.Seq)
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

package state

import "fmt"

// Event is something worth knowing that happened beside the result of a call. Each kind of event is a type of its own;
// other packages add theirs. String returns one line for a log, without key material or plaintext.
type Event interface{ String() string }

// FrameDiscarded is the event of a frame that will never be read.
type FrameDiscarded struct {
	Hash   [32]byte // of the frame
	Reason error
}

// String implements Event.
func (e FrameDiscarded) String() string {
	return fmt.Sprintf("frame %x not read: %v", e.Hash[:8], e.Reason)
}

// FrameRetained is the event of a frame that is kept to be tried again.
type FrameRetained struct {
	Hash   [32]byte // of the frame
	Reason error
}

// String implements Event.
func (e FrameRetained) String() string {
	return fmt.Sprintf("frame %x retained: %v", e.Hash[:8], e.Reason)
}

// FrameGivenUp is the event of a retained frame that is done with unread because it was too old, or the oldest when there
// were too many.
type FrameGivenUp struct {
	Hash    [32]byte // of the frame
	Expired bool
}

// String implements Event.
func (e FrameGivenUp) String() string {
	if e.Expired {
		return fmt.Sprintf("retained frame %x given up after its time", e.Hash[:8])
	}
	return fmt.Sprintf("retained frame %x given up for newer ones", e.Hash[:8])
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

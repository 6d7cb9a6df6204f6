package state

import "errors"

// Verdict says what becomes of a received frame. The zero Verdict is Stop, so that a result nobody filled in acknowledges
// nothing.
type Verdict uint8

// The verdicts.
const (
	Stop    Verdict = iota // nothing can be said of the frame now, as when a store fails: nothing changed
	Retain                 // it cannot be read yet: not acknowledged, and kept and tried again as long as there is room
	Discard                // it will never be read, for a reason that does not go away: done with
	Read                   // it was read: what it said is durable, the frame is done with
)

// String returns the verdict's name in lower case.
func (v Verdict) String() string {
	switch v {
	case Read:
		return "read"
	case Discard:
		return "discard"
	case Retain:
		return "retain"
	}
	return "stop"
}

// Outcome is an error that says what becomes of the frame that caused it. Packages declare theirs once, as variables, so
// that the list of reasons is closed and errors.Is finds them.
type Outcome struct {
	verdict Verdict
	reason  string
}

// NewOutcome returns an Outcome with a verdict other than Read. The reason is one fixed text, never made from input.
func NewOutcome(v Verdict, reason string) *Outcome { return &Outcome{v, reason} }

// Error returns the reason.
func (o *Outcome) Error() string { return o.reason }

// Verdict returns what becomes of the frame.
func (o *Outcome) Verdict() Verdict { return o.verdict }

// VerdictOf returns the verdict that err carries: Read for nil, Stop for an error that carries none.
func VerdictOf(err error) Verdict {
	if err == nil {
		return Read
	}
	var o *Outcome
	if errors.As(err, &o) {
		return o.verdict
	}
	return Stop
}

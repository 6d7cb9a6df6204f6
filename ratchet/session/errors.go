package session

import (
	"errors"
	"fmt"

	"github.com/trefoil-im/trefoil/ratchet/session/internal/double"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/state"
)

// Classes of errors, to be found with errors.Is. Those that concern received frames carry a verdict, so that a state.Opener
// can return them as they are. After each of them nothing has changed. The error of a lower package that is the reason, such
// as key.ErrMalformed, is wrapped and found as well.
var (
	// ErrMalformed: the frame, or a key in it, cannot be parsed.
	ErrMalformed = state.NewOutcome(state.Discard, "session: malformed")
	// ErrUnverified: the frame or the peer is not of the device that this slot is for, or is weaker than what the peer has
	// signed that it can do.
	ErrUnverified = state.NewOutcome(state.Discard, "session: not vouched for by a signed registration")
	// ErrReplayed: the message was read before, or its key is erased; the initialization was accepted before, or is older
	// than may be.
	ErrReplayed = state.NewOutcome(state.Discard, "session: not new")
	// ErrOneTimeUsed: the initialization names a one-time pre-key that is erased. Another one has used it, so a directory
	// handed it out twice, or it was rotated out. The peer has to begin anew.
	ErrOneTimeUsed = state.NewOutcome(state.Discard, "session: one-time pre-key is erased")
	// ErrExpired: the initialization names pre-keys that were rotated out more than 30 days ago. The peer has to begin anew.
	ErrExpired = state.NewOutcome(state.Discard, "session: pre-keys are erased")
	// ErrForged: the frame does not authenticate.
	ErrForged = state.NewOutcome(state.Discard, "session: does not authenticate")
	// ErrNotYet: no key that is held opens the frame, it is too far ahead of its chain, or it has a version of a newer
	// release. It may be readable later.
	ErrNotYet = state.NewOutcome(state.Retain, "session: no key for it yet")
	// ErrNotReady: the call does not fit the state of the session: there is no session to send on, the device is another
	// one, or a limit is reached.
	ErrNotReady = errors.New("session: not ready")
)

// classes says of which class an error of a lower package is.
var classes = []struct{ reason, class error }{
	{double.ErrNoKey, ErrNotYet},
	{double.ErrAhead, ErrNotYet},
	{key.ErrTooNew, ErrNotYet},
	{double.ErrReplayed, ErrReplayed},
	{key.ErrForged, ErrForged},
	{key.ErrUnverified, ErrUnverified},
	{key.ErrMalformed, ErrMalformed},
	{double.ErrNotReady, ErrNotReady},
	{key.ErrArgument, ErrNotReady},
}

// classify adds its class to an error of a lower package. Errors that have one stay as they are.
func classify(err error) error {
	var o *state.Outcome
	if err == nil || errors.As(err, &o) || errors.Is(err, ErrNotReady) {
		return err
	}
	for _, c := range classes {
		if errors.Is(err, c.reason) {
			return fmt.Errorf("%w: %w", c.class, err)
		}
	}
	return err
}

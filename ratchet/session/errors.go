package session

import (
	"errors"
	"fmt"

	"github.com/trefoil-im/trefoil/ratchet/session/internal/braid"
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
	// ErrReplayed: the message was read before, or its key is erased; the initiation was accepted before, or is older
	// than may be.
	ErrReplayed = state.NewOutcome(state.Discard, "session: not new")
	// ErrOneTimeUsed: the initiation is the peer's and names a one-time pre-key that is erased. Another one has used it, so
	// a directory handed it out twice, or it was rotated out. The peer begins anew when it is told (see Maintain).
	ErrOneTimeUsed = state.NewOutcome(state.Discard, "session: one-time pre-key is erased")
	// ErrExpired: the initiation names pre-keys that were rotated out more than 30 days ago. The peer begins anew
	// when it is told (see Maintain).
	ErrExpired = state.NewOutcome(state.Discard, "session: pre-keys are erased")
	// ErrBeforeDevice: no key of the device opens the frame's box. It was sealed before the device had its keys, or for another
	// device, or it is damaged.
	ErrBeforeDevice = state.NewOutcome(state.Discard, "session: not sealed for this device")
	// ErrForged: the frame does not authenticate.
	ErrForged = state.NewOutcome(state.Discard, "session: does not authenticate")
	// ErrNotYet: no key that is held opens the frame, it is too far ahead of its chain, or it has a version of a newer
	// release. It may be readable later.
	ErrNotYet = state.NewOutcome(state.Retain, "session: no key for it yet")
	// ErrNotReady: the call does not fit the state of the session: there is no session to send on, the device is another
	// one, or a limit is reached.
	ErrNotReady = errors.New("session: not ready")
)

// errGone is the reason of ErrReplayed for an initiation of a session that is held no more, or never was: it may not have been
// read.
var errGone = errors.New("its session is gone")

// isUnread reports whether an error means that there is something of the peer's, or that looks like it, that was not read.
func isUnread(err error) bool {
	if errors.Is(err, ErrBeforeDevice) {
		return false
	}
	for _, reason := range []error{double.ErrNoKey, double.ErrAhead, braid.ErrMalformed, key.ErrForged, ErrForged,
		ErrOneTimeUsed, ErrExpired, errNotIssued, errGone} {
		if errors.Is(err, reason) {
			return true
		}
	}
	return false
}

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

// Package outcome is the closed list of outcomes of what comes from outside (SPEC §7).
//
// An outcome is a class, which carries the verdict and is an error of the door, or a reason, which wraps its class: errors.Is
// finds both, and state.VerdictOf returns the verdict of the class. No outcome carries key material or plaintext.
package outcome

import (
	"errors"
	"fmt"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state"
)

// Classes. Package ratchet documents them, as they are its errors.
var (
	ErrNotYet      = state.NewOutcome(state.Retain, "ratchet: not yet")
	ErrStale       = state.NewOutcome(state.Discard, "ratchet: of no use any more")
	ErrLost        = state.NewOutcome(state.Discard, "ratchet: lost")
	ErrForged      = state.NewOutcome(state.Discard, "ratchet: forged")
	ErrMalformed   = state.NewOutcome(state.Discard, "ratchet: malformed")
	ErrRemoved     = state.NewOutcome(state.Discard, "ratchet: removed from the space")
	ErrInviteDead  = state.NewOutcome(state.Discard, "ratchet: invite is dead")
	ErrInviteTaken = state.NewOutcome(state.Discard, "ratchet: invite is taken")
)

// Reasons of ErrNotYet.
var (
	// ErrUnknownEpoch: no key held opens it. An epoch, commit or ticket that arrives later may.
	ErrUnknownEpoch = because(ErrNotYet, "message of an unknown epoch")
	// ErrUnknownSender: the sender's introduction was not seen yet.
	ErrUnknownSender = because(ErrNotYet, "message of an unknown sender")
	// ErrDeferred: others are to answer this request first. If they do not, it is this member's turn.
	ErrDeferred = because(ErrNotYet, "request for others to answer first")
	// ErrBound: a bound of what is kept. It comes in when there is room, or when others need it.
	ErrBound = because(ErrNotYet, "beyond a bound for now")
	// ErrNewVersion: it is of a newer version of the protocol, which may be read after an update. It comes with wire.ErrTooNew.
	ErrNewVersion = because(ErrNotYet, "frame of a newer version")
)

// Reasons of ErrStale.
var (
	// ErrDuplicate: the message was read before.
	ErrDuplicate = because(ErrStale, "message was read before")
	// ErrOwn: it is this member's own message.
	ErrOwn = because(ErrStale, "own message")
)

// Reasons of ErrLost.
var (
	// ErrBeforeJoin: it was sent before this member joined.
	ErrBeforeJoin = because(ErrLost, "message from before joining")
	// ErrExpired: the key that would have read it was dropped.
	ErrExpired = because(ErrLost, "message arrived too late")
	// ErrLimit: it leaves out more messages, or makes more epochs, than one sender may.
	ErrLimit = because(ErrLost, "beyond a limit")
	// ErrSenderRolledBack: its sender used one number for two messages. It is no proof against anyone.
	ErrSenderRolledBack = because(ErrLost, "number used twice by its sender")
)

// Reasons of ErrMalformed.
var (
	// ErrOldVersion: it is of an old version of the protocol. It comes with wire.ErrTooOld.
	ErrOldVersion = because(ErrMalformed, "frame of an old version")
)

// Hints: what members that cannot answer a request say of it. They carry no verdict.
var (
	ErrHintExpired     = errors.New("ratchet: the link may have ended")
	ErrHintClosed      = errors.New("ratchet: the invite may have been taken back")
	ErrHintOldCounter  = errors.New("ratchet: a later request is known")
	ErrHintNotListed   = errors.New("ratchet: not listed")
	ErrHintOwnerNeeded = errors.New("ratchet: an owner has to answer")
)

// Errors of calls that a caller should not have made now. They carry no verdict.
var (
	ErrPhase   = errors.New("ratchet: not possible in this phase of the space")
	ErrOrphan  = errors.New("ratchet: the space would be left without an owner")
	ErrTooSoon = errors.New("ratchet: too soon")
	ErrTooLong = errors.New("ratchet: too long")
	ErrPolicy  = errors.New("ratchet: against the policy")
)

// reason is an outcome of a class.
type reason struct {
	class *state.Outcome
	text  string
}

func because(class *state.Outcome, text string) error { return &reason{class, "ratchet: " + text} }

// Error returns the reason.
func (r *reason) Error() string { return r.text }

// Unwrap returns the class.
func (r *reason) Unwrap() error { return r.class }

// Malformed returns the outcome of what a parser refused with err. An outcome, and nil, stay what they are.
func Malformed(err error) error {
	switch {
	case state.VerdictOf(err) != state.Stop:
		return err
	case errors.Is(err, wire.ErrTooOld):
		return fmt.Errorf("%w: %w", ErrOldVersion, err)
	case errors.Is(err, wire.ErrTooNew):
		return fmt.Errorf("%w: %w", ErrNewVersion, err)
	}
	return fmt.Errorf("%w: %w", ErrMalformed, err)
}

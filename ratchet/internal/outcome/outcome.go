// Package outcome is the closed list of outcomes of what comes from outside (SPEC §7), each with its verdict.
package outcome

import (
	"errors"
	"fmt"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state"
)

// Malformed makes the exported error of what a decoder of this package refused: the outcome, beside what was wrong.
func Malformed(err error) error {
	switch {
	case err == nil || errors.Is(err, ErrMalformed):
		return err
	case errors.Is(err, wire.ErrTooOld):
		return fmt.Errorf("%w: %w", errOldVersion, err)
	case errors.Is(err, wire.ErrTooNew):
		return fmt.Errorf("%w: %w", errNewVersion, err)
	}
	return fmt.Errorf("%w: %w", ErrMalformed, err)
}

// Outcomes of what comes from outside (§7), each with the verdict that says what becomes of the frame. The list is closed.
// None of them, and no error of this package, carries key material or plaintext.
var (
	// ErrDuplicate: the message was read before.
	ErrDuplicate = state.NewOutcome(state.Discard, "ratchet: message was read before")
	// ErrOwn: it is this member's own message.
	ErrOwn = state.NewOutcome(state.Discard, "ratchet: own message")
	// ErrUnknownEpoch: no key held opens it. An epoch, commit or ticket that arrives later may.
	ErrUnknownEpoch = state.NewOutcome(state.Retain, "ratchet: message of an unknown epoch")
	// ErrUnknownSender: the sender's introduction was not seen yet.
	ErrUnknownSender = state.NewOutcome(state.Retain, "ratchet: message of an unknown sender")
	// ErrOthersFirst: others are to answer this request first. If they do not, it is this member's turn (Due.Answer).
	ErrOthersFirst = state.NewOutcome(state.Retain, "ratchet: request for others to answer first")
	// ErrBeforeJoin: it was sent before this member joined.
	ErrBeforeJoin = state.NewOutcome(state.Discard, "ratchet: message from before joining")
	// ErrExpired: the key that would have read it was dropped.
	ErrExpired = state.NewOutcome(state.Discard, "ratchet: message arrived too late")
	// ErrSenderRolledBack: its sender used one number for two messages. It is no proof against anyone.
	ErrSenderRolledBack = state.NewOutcome(state.Discard, "ratchet: number used twice by its sender")
	// ErrLimit: it leaves out more messages, or makes more epochs, than one sender may. The message is lost.
	ErrLimit = state.NewOutcome(state.Discard, "ratchet: beyond a limit")
	// ErrForged: body or signature are false. Some insider misbehaved, not necessarily the one named.
	ErrForged = state.NewOutcome(state.Discard, "ratchet: forged")
	// ErrRemoved: this member is removed from the space, or the statement is one of somebody who is. History stays.
	ErrRemoved = state.NewOutcome(state.Discard, "ratchet: removed from the space")
	// ErrStale: a statement that is held already, was answered, or belongs to something dropped.
	ErrStale = state.NewOutcome(state.Discard, "ratchet: of no use any more")
	// ErrMalformed: no envelope of this protocol.
	ErrMalformed = state.NewOutcome(state.Discard, "ratchet: malformed")
	// ErrInviteDead: the invite was revoked, was for somebody removed, or died with a rekey.
	ErrInviteDead = state.NewOutcome(state.Discard, "ratchet: invite is dead")
	// ErrInviteTaken: somebody else used the invite.
	ErrInviteTaken = state.NewOutcome(state.Discard, "ratchet: invite is taken")
	// ErrInvitesExhausted: no more invites can be made or had.
	ErrInvitesExhausted = state.NewOutcome(state.Discard, "ratchet: no more invites")
)

// Outcomes of frames of another version of the protocol, which are known by what they wrap. A newer one may be read after an
// update, if that comes while the frame is retained.
var (
	errOldVersion = state.NewOutcome(state.Discard, "ratchet: frame of an old version")                 // state.ErrTooOld
	errNewVersion = state.NewOutcome(state.Retain, "ratchet: frame of a newer version")                 // state.ErrTooNew
	ErrRekeyFrame = state.NewOutcome(state.Discard, "ratchet: frame of a rekey, which is not followed") // state.ErrTooNew
)

// ErrTooLong: a plaintext or application data is longer than its limit.
var ErrTooLong = errors.New("ratchet: too long")

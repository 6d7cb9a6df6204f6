package ratchet

import "github.com/trefoil-im/trefoil/ratchet/internal/outcome"

// Errors of this package, to be found with errors.Is. Those of a frame carry its verdict (state.VerdictOf): ErrNotYet retains it,
// the others discard it. Their texts say the reason more closely, and show no key and no plaintext. Hints, and the last five,
// which are of calls that cannot be made now, carry no verdict.
var (
	// ErrNotYet: the frame cannot be read or answered yet. An epoch, commit, introduction, ticket or update of the program may
	// change that.
	ErrNotYet = outcome.ErrNotYet
	// ErrStale: the frame is of no use any more: read or answered before, this member's own, or of something that was dropped.
	ErrStale = outcome.ErrStale
	// ErrLost: the message can never be read: from before joining, too late, or under a number that its sender used twice. What is
	// beyond a bound is no such message: it waits (ErrNotYet).
	ErrLost = outcome.ErrLost
	// ErrBeforeJoin is an ErrLost: it was sent before this member joined, which is owed nothing of it.
	ErrBeforeJoin = outcome.ErrBeforeJoin
	// ErrForged: a signature or proof is false. Some insider misbehaved, not necessarily the one named.
	ErrForged = outcome.ErrForged
	// ErrMalformed: no frame, link or message of this protocol. It comes with state.ErrTooOld or state.ErrTooNew for one of
	// another version that is not kept.
	ErrMalformed = outcome.ErrMalformed
	// ErrRemoved: this member is removed from the space. What it read stays.
	ErrRemoved = outcome.ErrRemoved
	// ErrInviteDead: the invite was revoked, was for somebody removed, or died with a rekey.
	ErrInviteDead = outcome.ErrInviteDead
	// ErrInviteTaken: somebody else used the invite.
	ErrInviteTaken = outcome.ErrInviteTaken

	// The reasons of the event Hint: what members say that cannot answer a request. A hint has no proof, and asking goes on.
	ErrHintExpired     = outcome.ErrHintExpired     // the lifetime of the link is over
	ErrHintClosed      = outcome.ErrHintClosed      // the invite was taken back
	ErrHintOldCounter  = outcome.ErrHintOldCounter  // members know of a later request: this device was restored from a copy
	ErrHintNotListed   = outcome.ErrHintNotListed   // this member is not listed
	ErrHintOwnerNeeded = outcome.ErrHintOwnerNeeded // only an owner can answer

	// ErrPhase: the space is not in a phase in which this can be done: still joining, restored and not brought up to date yet
	// (Restore), left already, or not the owner's.
	ErrPhase = outcome.ErrPhase
	// ErrOrphan: the space would be left without an owner, or without the root owner key (step.Orphan).
	ErrOrphan = outcome.ErrOrphan
	// ErrTooLong: a plaintext, application data or ticket is longer than its limit.
	ErrTooLong = outcome.ErrTooLong
	// ErrPolicy: the space's policy, or a policy itself, does not allow it.
	ErrPolicy = outcome.ErrPolicy
)

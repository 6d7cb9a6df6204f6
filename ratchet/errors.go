package ratchet

import "github.com/trefoil-im/trefoil/ratchet/internal/outcome"

// Errors of this package, to be found with errors.Is. Those of a frame carry its verdict (state.VerdictOf): ErrNotYet retains it,
// the others discard it. Their texts say the reason more closely, and show no key and no plaintext. The last four are of calls
// that cannot be made now; they carry no verdict.
var (
	// ErrNotYet: the frame cannot be read or answered yet. An epoch, commit, introduction, ticket or update of the program may
	// change that.
	ErrNotYet = outcome.ErrNotYet
	// ErrStale: the frame is of no use any more: read or answered before, this member's own, or of something that was dropped.
	ErrStale = outcome.ErrStale
	// ErrLost: the message can never be read: from before joining, too late, or under a number that its sender used twice. What is
	// beyond a bound is no such message: it waits (ErrNotYet).
	ErrLost = outcome.ErrLost
	// ErrForged: a signature or proof is false. Some insider misbehaved, not necessarily the one named.
	ErrForged = outcome.ErrForged
	// ErrMalformed: no frame, grant or message of this protocol. It comes with state.ErrTooOld or state.ErrTooNew for one of
	// another version that is not kept.
	ErrMalformed = outcome.ErrMalformed
	// ErrRemoved: this member is removed from the space. What it read stays.
	ErrRemoved = outcome.ErrRemoved
	// ErrInviteDead: the invite was revoked, was for somebody removed, or died with a rekey.
	ErrInviteDead = outcome.ErrInviteDead
	// ErrInviteTaken: somebody else used the invite.
	ErrInviteTaken = outcome.ErrInviteTaken

	// ErrPhase: the space is not in a phase in which this can be done: still joining, left already, or not the owner's.
	ErrPhase = outcome.ErrPhase
	// ErrTooSoon: it was done too short a time ago.
	ErrTooSoon = outcome.ErrTooSoon
	// ErrTooLong: a plaintext, application data or ticket is longer than its limit.
	ErrTooLong = outcome.ErrTooLong
	// ErrPolicy: the space's policy, or a policy itself, does not allow it.
	ErrPolicy = outcome.ErrPolicy
)

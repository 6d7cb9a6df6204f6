package state

import (
	"errors"
	"fmt"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state/store"
)

// Errors of this package, to be found with errors.Is. None changes anything: after each of them the store holds what it
// held before, except after ErrUncertain.
var (
	// ErrNotFound: there is no value of this ID.
	ErrNotFound = store.ErrNotFound
	// ErrExists: Create found a value of this ID.
	ErrExists = store.ErrExists
	// ErrDeleted: there is no value of this ID, and there was one. It is an ErrNotFound.
	ErrDeleted = store.ErrDeleted
	// ErrIncomplete: a value that was not made by New or NewOne, or lacks a part.
	ErrIncomplete = store.ErrIncomplete
	// ErrStale: the next value would take something back that the stored one has done.
	ErrStale = errors.New("state: the next value does not succeed the stored one")
	// ErrWrongKey: the store, or a row in it, was sealed under another key.
	ErrWrongKey = errors.New("state: sealed under another key")
	// ErrRolledBack: the database is older than the anchor says (Options.Anchor), or has gone another way since.
	ErrRolledBack = errors.New("state: an older database")
	// ErrCorrupt: the row is damaged: a part or segment is missing, left over, swapped, of another version or row, or was
	// altered; what lies in a queue or is retained is not what was put there; or the store refuses the head that it returns.
	ErrCorrupt = errors.New("state: damaged row")
	// ErrTooOld: the row, or a part in it, has a format that is no longer read.
	ErrTooOld = wire.ErrTooOld
	// ErrTooNew: the row, or a part in it, was written by a newer release. It is not overwritten.
	ErrTooNew = store.ErrTooNew
	// ErrFull: the outbox or inbox is at its bound. Send or read first, then try again.
	ErrFull = errors.New("state: queue is full")
	// ErrUncertain: the store failed during a commit and could not be asked afterwards whether it was carried out. Load
	// the value before deciding what to do next.
	ErrUncertain = errors.New("state: unknown whether the commit was carried out")

	// ErrSeen is the outcome of a frame that was dealt with before.
	ErrSeen = NewOutcome(Discard, "state: frame was dealt with before")
	// ErrRetained is the outcome of a frame that is retained already.
	ErrRetained = NewOutcome(Retain, "state: frame is retained already")
	// ErrTooLarge is the outcome of a frame that is larger than any frame may be, or its source's name is.
	ErrTooLarge = NewOutcome(Discard, "state: frame is too large")
	// ErrExpired is why a retained frame is given up whose time is over (Options.RetainedFor).
	ErrExpired = NewOutcome(Retain, "state: retained for too long")
	// ErrNoRoom is why a retained frame is given up that was the oldest when there were too many, or that is larger than all
	// that is retained may be (Options).
	ErrNoRoom = NewOutcome(Retain, "state: too much is retained")
)

// corrupt wraps what made a record unreadable. A version error stays what it is, so that a newer row is not taken for a
// damaged one.
func corrupt(path string, err error) error {
	if errors.Is(err, ErrTooOld) || errors.Is(err, ErrTooNew) || errors.Is(err, ErrCorrupt) || errors.Is(err, ErrWrongKey) {
		return err
	}
	return fmt.Errorf("%w: %s: %w", ErrCorrupt, path, err)
}

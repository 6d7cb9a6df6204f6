package epochs

import (
	"errors"
	"fmt"
)

// Errors of commits (§4). With each the forest stays as it was.
var (
	// ErrFalse: no member can follow the commit.
	ErrFalse = errors.New("ratchet: false commit")
	// ErrMisled is ErrFalse of a commit whose keys do not fit the derived tree: a liar may have given its maker a false node.
	ErrMisled = fmt.Errorf("%w: its keys do not fit", ErrFalse)
	// ErrWaits: no word of the parent's tree fits; another one may be told.
	ErrWaits = errors.New("ratchet: no word fits the commit yet")
	// ErrClosed: the place of the commit is used up, or was never known.
	ErrClosed = errors.New("ratchet: the place of the commit is used up")
	// ErrOwnCommit: a commit of the own index, which no share opens.
	ErrOwnCommit = errors.New("ratchet: commit of the own index")
	// ErrUnknown: an epoch, a root or a share that is not held.
	ErrUnknown = errors.New("ratchet: epoch is not held")
	// ErrQuota: a bound of §7 on children and epochs of one maker, or on the size of a tree.
	ErrQuota = errors.New("ratchet: bound of epochs")
)

// Errors of message keys (§7).
var (
	// ErrDuplicate: the number was read before.
	ErrDuplicate = errors.New("ratchet: number was read before")
	// ErrRolledBack: another message with this number was read before.
	ErrRolledBack = errors.New("ratchet: number was read with another header")
	// ErrExpired: the key was given up.
	ErrExpired = errors.New("ratchet: key was given up")
	// ErrSkips: the message passes over too many numbers.
	ErrSkips = errors.New("ratchet: too many numbers passed over")
	// ErrNone: nothing is known of the sender's chain.
	ErrNone = errors.New("ratchet: no key of the sender")
	// ErrBelowStart: the number is below the start of every word that was told of the chain.
	ErrBelowStart = errors.New("ratchet: number is below what was told")
	// ErrNoExporter: there is no exporter secret, since a ticket told the epoch, or since it is too far behind.
	ErrNoExporter = errors.New("ratchet: no exporter secret")
)

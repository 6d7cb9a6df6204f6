package ratchet

import (
	"errors"
	"fmt"

	"github.com/trefoil-im/trefoil/internal/wire"
)

// Why a piece of the protocol was refused, for the code that makes outcomes of it. A malformed encoding is a
// wire.ErrMalformed instead. None of them says more: an adversary chooses the input.
var (
	// errNotOpened: a key does not open this.
	errNotOpened = errors.New("ratchet: does not open")
	// errInvalid: a signature, a proof or a key is false, or fields contradict each other.
	errInvalid = errors.New("ratchet: does not verify")
	// errPunctured: the place in the tree was used before or erased.
	errPunctured = errors.New("ratchet: used before")
	// errFull: the tree without one leaf more would be larger than any that is stored.
	errFull = errors.New("ratchet: tree is full")
	// errOwnCommit: a commit of the own index, which only its maker can follow.
	errOwnCommit = errors.New("ratchet: commit of the own index")
)

// malformed makes the exported error of what a decoder of this package refused: the outcome, beside what was wrong.
func malformed(err error) error {
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

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
	// errOwnCommit: a commit of the own index, which only its maker can follow.
	errOwnCommit = errors.New("ratchet: commit of the own index")
)

// malformed makes the exported error of what a decoder of this package refused: ErrMalformed, beside what was wrong. The
// error for another version stays what it is.
func malformed(err error) error {
	if err == nil || errors.Is(err, wire.ErrTooOld) || errors.Is(err, wire.ErrTooNew) || errors.Is(err, ErrMalformed) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrMalformed, err)
}

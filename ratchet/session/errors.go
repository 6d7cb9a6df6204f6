package session

import (
	"errors"
	"fmt"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state"
)

// Errors of this package, to be found with errors.Is. Those that concern received frames carry a verdict, so that a
// state.Opener can return them as they are. After each of them everything is as it was before.
var (
	// ErrMalformed: these bytes are no frame, key, address or registration. A point that is not in the prime-order
	// subgroup, or is the identity, is no key.
	ErrMalformed = state.NewOutcome(state.Discard, "session: malformed")
	// ErrUnverified: a signature is not valid, a key or address is not the one that a signed registration names, or an
	// initialization is weaker than what the peer has signed that it can do.
	ErrUnverified = state.NewOutcome(state.Discard, "session: not vouched for by a signed registration")
	// ErrReplayed: the message was read before, or its key is erased; the initialization was accepted before, is older
	// than may be, or names a one-time pre-key that was used up.
	ErrReplayed = state.NewOutcome(state.Discard, "session: not new")
	// ErrForged: the frame does not authenticate.
	ErrForged = state.NewOutcome(state.Discard, "session: does not authenticate")
	// ErrNotYet: no key that is held opens the frame, or it is too far ahead of its chain. It may be readable once what
	// it depends on has arrived.
	ErrNotYet = state.NewOutcome(state.Retain, "session: no key for it yet")
	// ErrNotReady: the call does not fit the state of the session: there is nothing to send on, no key left to claim, or
	// a limit is reached.
	ErrNotReady = errors.New("session: not ready")
)

// malformed wraps what a decoder refused. A version that only a newer release reads is worth keeping the frame for.
func malformed(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, wire.ErrTooNew):
		return fmt.Errorf("%w: %w", ErrNotYet, err)
	}
	return fmt.Errorf("%w: %w", ErrMalformed, err)
}

// errAhead is the ErrNotYet of a message of a known chain. It becomes readable when the chain moves on.
var errAhead = fmt.Errorf("%w: too far ahead", ErrNotYet)

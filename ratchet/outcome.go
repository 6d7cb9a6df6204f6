package ratchet

import "errors"

// ErrPhase: the space is not in a phase in which this can be done: still joining, left already, or not the owner's.
var ErrPhase = errors.New("ratchet: not possible in this phase of the space")

// ErrTooSoon: it was done too short a time ago.
var ErrTooSoon = errors.New("ratchet: too soon")

// ErrPolicy: the space's policy, or a policy itself, does not allow it.
var ErrPolicy = errors.New("ratchet: against the policy")

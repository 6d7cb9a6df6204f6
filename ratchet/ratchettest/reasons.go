// Package ratchettest is groups of members for tests: their devices, the receive loop, and a seed that a failure names.
package ratchettest

import "github.com/trefoil-im/trefoil/ratchet/internal/outcome"

// Reasons below the errors of package ratchet, by which a test tells apart what a program need not.
var (
	ErrUnknownEpoch     = outcome.ErrUnknownEpoch
	ErrDuplicate        = outcome.ErrDuplicate
	ErrSenderRolledBack = outcome.ErrSenderRolledBack
)

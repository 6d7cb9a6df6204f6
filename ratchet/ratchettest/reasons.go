// Package ratchettest is what tests outside of package ratchet see of its inside.
package ratchettest

import "github.com/trefoil-im/trefoil/ratchet/internal/outcome"

// Reasons below the errors of package ratchet, by which a test tells apart what a program need not.
var (
	ErrUnknownEpoch     = outcome.ErrUnknownEpoch
	ErrDuplicate        = outcome.ErrDuplicate
	ErrLimit            = outcome.ErrLimit
	ErrSenderRolledBack = outcome.ErrSenderRolledBack
)

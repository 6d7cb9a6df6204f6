package store

import (
	"errors"

	"github.com/trefoil-im/trefoil/internal/wire"
)

// Errors that a Store returns, to be found with errors.Is. None of them changes anything.
var (
	// ErrNotFound: there is no row of this ID.
	ErrNotFound = errors.New("store: not found")
	// ErrExists: a row is to be created that exists.
	ErrExists = errors.New("store: exists already")
	// ErrConflict: the row's head is not the one that the change was made from. Another writer was faster.
	ErrConflict = errors.New("store: changed meanwhile")
	// ErrIncomplete: a change would leave a row without one of its parts.
	ErrIncomplete = errors.New("store: incomplete value")
	// ErrTooNew: what is stored was written by a newer release. It is not overwritten.
	ErrTooNew = wire.ErrTooNew
)

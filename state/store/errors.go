package store

import (
	"errors"
	"fmt"

	"github.com/trefoil-im/trefoil/internal/wire"
)

// Errors that a Store returns, to be found with errors.Is. After each but ErrUndecided nothing was changed.
var (
	// ErrNotFound: there is no row of this ID.
	ErrNotFound = errors.New("store: not found")
	// ErrDeleted: there is no row of this ID, and there was one. It is an ErrNotFound.
	ErrDeleted = fmt.Errorf("%w: it was deleted", ErrNotFound)
	// ErrExists: a row is to be created that exists.
	ErrExists = errors.New("store: exists already")
	// ErrConflict: the row's head is not the one that the change was made from. Another writer was faster.
	ErrConflict = errors.New("store: changed meanwhile")
	// ErrIncomplete: a change would leave a row without one of its parts.
	ErrIncomplete = errors.New("store: incomplete value")
	// ErrTooNew: what is stored was written by a newer release. It is not overwritten.
	ErrTooNew = wire.ErrTooNew
	// ErrBusy: others held what the call needed for too long. It can be made again.
	ErrBusy = errors.New("store: busy")
	// ErrDiskFull: the medium has no room left.
	ErrDiskFull = errors.New("store: disk is full")
	// ErrReadOnly: the medium may be read and not written to.
	ErrReadOnly = errors.New("store: read-only")
	// ErrDamaged: the medium returns what nobody has put there.
	ErrDamaged = errors.New("store: damaged")
	// ErrReplaced: what lies in the place of the database is another one, or none.
	ErrReplaced = errors.New("store: another database in its place")
	// ErrUndecided: the medium went away during a commit and did not come back. The changes were made, or will be, or not.
	ErrUndecided = errors.New("store: a commit is not decided")
)

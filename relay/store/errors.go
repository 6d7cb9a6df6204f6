package store

import "errors"

// Errors of a Store, to be found with errors.Is. After each of them but ErrUndecided nothing was changed.
var (
	// ErrExists: a row to be inserted has the key of another one, or what is unique in another one.
	ErrExists = errors.New("relay/store: exists already")
	// ErrConstraint: a row has the wrong columns, a value out of range, refers to a row that is not there, or is to be deleted
	// and is referred to.
	ErrConstraint = errors.New("relay/store: constraint")
	// ErrBusy: others held what the transaction needed for too long, or were always faster. It can be run again.
	ErrBusy = errors.New("relay/store: busy")
	// ErrTooNew: a newer release has made the tables. They are not touched.
	ErrTooNew = errors.New("relay/store: the tables are of a newer release")
	// ErrMismatch: the tables are not those that this release makes. They are not touched.
	ErrMismatch = errors.New("relay/store: the tables are others than this release makes")
	// ErrUndecided: the database went away while it committed. The transaction was made, or was not.
	ErrUndecided = errors.New("relay/store: a commit is not decided")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("relay/store: closed")
)

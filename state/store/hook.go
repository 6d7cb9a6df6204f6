package store

import "context"

// Hook is what a program does in the transaction of a commit. What tx is, the store that calls it says.
type Hook func(ctx context.Context, tx any) error

// Hooked is a Store that runs a program's function in the transaction of a commit: package sqlstore's is one.
type Hooked interface {
	Store

	// CommitHook is Commit, and runs hook after the changes were written and before they are committed. What hook does with
	// its tx is committed together with the changes, or not at all. hook may be run again, from the beginning, and what it did
	// before is undone then. If it returns an error nothing is changed, and CommitHook returns that error.
	CommitHook(ctx context.Context, hook Hook, changes ...Change) error
}

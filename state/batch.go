package state

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/trefoil-im/trefoil/state/store"
)

// Step is what a Batch does to one value. Vault.Updating and Vault.Creating make one.
type Step struct{ step }

// Updating returns the Step that Vault.Update makes by itself.
func (v *Vault[V]) Updating(id ID, fn func(*Tx[V]) error) Step {
	return Step{&update[V]{v: v, id: id, fn: v.plain(id, fn)}}
}

// Creating returns the Step that Vault.Create makes by itself.
func (v *Vault[V]) Creating(first V, fn func(*Tx[V]) error) Step {
	return Step{&update[V]{v: v, id: first.ID(), first: &first, fn: v.plain(first.ID(), fn)}}
}

// Batch makes all of the steps in one commit, or none: values of one store, in vaults of any types. The functions run in the
// order given, so one may use what another has put into a variable; all run again if somebody else committed first. A value
// that a function only looked at is part of the commit: it is still that one when the others are written.
//
// An error about one value is a *BatchError. Two steps on one value are refused, and steps on different stores.
func Batch(ctx context.Context, steps ...Step) error {
	inner := make([]step, len(steps))
	for i, s := range steps {
		if inner[i] = s.step; s.step == nil {
			return errors.New("state: a step that no vault made")
		}
	}
	return run(ctx, inner...)
}

// BatchError says which value of a Batch failed.
type BatchError struct {
	Index int // among the steps
	ID    ID
	Err   error
}

// Error returns the ID and the reason.
func (e *BatchError) Error() string { return fmt.Sprintf("value %v: %v", e.ID, e.Err) }

// Unwrap returns the reason.
func (e *BatchError) Unwrap() error { return e.Err }

// step is one value's share of a commit.
type step interface {
	backend() store.Store
	keyring() *keyring
	row() (store.Kind, ID)
	// lock waits for other writers of the value in the same vault.
	lock(context.Context) (unlock func(), err error)
	// prepare runs the caller's function on the current value and returns the change that comes of it, an assertion if there
	// is nothing to write.
	prepare(context.Context) (store.Change, error)
	// sealedUnder returns the ring that prepare used.
	sealedUnder() *ring
	// hooks returns what is to run in the transaction.
	hooks() []store.Hook
	// conflicted is called when the store has refused the change for another head. It returns an error if the store will
	// never take it.
	conflicted() error
	// abandoned is called if the commit failed, committed if it was made, and report when the lock is released after that.
	abandoned()
	committed()
	report()
	// tidy replaces the data key if it is old.
	tidy(context.Context)
}

// errRefused is the error for a head that a store returns and does not accept.
var errRefused = fmt.Errorf("%w: the store does not accept the head that it returns", ErrCorrupt)

// run makes steps in one commit. It alone commits changes of values.
func run(ctx context.Context, steps ...step) error {
	if err := commitLocked(ctx, steps); err != nil {
		return err
	}
	for _, s := range steps {
		s.report()
	}
	if len(steps) > 0 {
		steps[0].tidy(ctx)
	}
	return nil
}

// commitLocked holds the locks of all values, which are taken in the order of kind and ID, so that no two batches wait for
// each other.
func commitLocked(ctx context.Context, steps []step) error {
	order := slices.Clone(steps)
	compare := func(a, b step) int {
		ka, ia := a.row()
		kb, ib := b.row()
		return cmp.Or(cmp.Compare(ka, kb), ia.Compare(ib))
	}
	slices.SortFunc(order, compare)
	for i, s := range order {
		if i > 0 && compare(order[i-1], s) == 0 {
			return errors.New("state: two steps on one value")
		}
		if i > 0 && s.backend() != order[0].backend() {
			return errors.New("state: steps on different stores")
		}
	}
	for _, s := range order {
		unlock, err := s.lock(ctx)
		if err != nil {
			return err
		}
		defer unlock()
	}
	for {
		again, err := commitOnce(ctx, steps)
		if err != nil {
			for _, s := range steps {
				s.abandoned()
			}
		}
		if !again {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// commitOnce prepares the steps and commits them. It reports whether to do so again after a conflict.
func commitOnce(ctx context.Context, steps []step) (again bool, err error) {
	at := func(i int, err error) error {
		if _, id := steps[i].row(); len(steps) > 1 {
			return &BatchError{i, id, err}
		}
		return err
	}
	changes := make([]store.Change, 1+len(steps)) // the first asserts the ring
	idle := true
	for i, s := range steps {
		if changes[1+i], err = s.prepare(ctx); err != nil {
			again := errors.Is(err, ErrWrongKey) && renew(ctx, steps[i:i+1]) == nil
			return again, at(i, err)
		}
		idle = idle && changes[1+i].Action() == store.Assert
	}
	if idle {
		return false, nil
	}
	changes[0] = steps[0].sealedUnder().assertion()
	for _, s := range steps[1:] {
		if !s.sealedUnder().head.Equal(changes[0].Base) {
			err = renew(ctx, steps)
			return err == nil, err
		}
	}
	err = commit(ctx, steps, changes)
	var refused *store.ChangeError
	switch isRefused := errors.As(err, &refused); {
	case isRefused && refused.Index == 0:
		err = renew(ctx, steps)
		return err == nil, err
	case isRefused:
		refused = &store.ChangeError{Index: refused.Index - 1, Err: refused.Err}
	}
	switch {
	case refused != nil && errors.Is(err, store.ErrConflict):
		if err := steps[refused.Index].conflicted(); err != nil {
			return false, at(refused.Index, err)
		}
		return true, err
	case refused != nil:
		return false, at(refused.Index, refused.Err)
	case err != nil:
		err = resolve(ctx, steps[0].backend(), changes, err)
	}
	if err == nil {
		for _, s := range steps {
			s.committed()
		}
	}
	return false, err
}

// renew lets all steps read the store's own row again. It returns errRefused if it is the same for all.
func renew(ctx context.Context, steps []step) error {
	result := errRefused
	for _, s := range steps {
		err := s.keyring().renew(ctx, s.sealedUnder())
		if err != nil && err != errRefused {
			return err
		}
		if err == nil {
			result = nil
		}
	}
	return result
}

// commit commits changes, with the hooks of all steps in their order.
func commit(ctx context.Context, steps []step, changes []store.Change) error {
	var hooks []store.Hook
	for _, s := range steps {
		hooks = append(hooks, s.hooks()...)
	}
	if len(hooks) == 0 {
		return steps[0].backend().Commit(ctx, changes...)
	}
	hooked, ok := steps[0].backend().(store.Hooked)
	if !ok {
		return errors.New("state: the store runs nothing of the program's own in a commit")
	}
	return hooked.CommitHook(ctx, func(ctx context.Context, tx any) error {
		for _, hook := range hooks {
			if err := hook(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	}, changes...)
}

// reason returns what is below a ChangeError.
func reason(err error) error {
	var refused *store.ChangeError
	if errors.As(err, &refused) {
		return refused.Err
	}
	return err
}

// resolveTime bounds the look at the store after a commit that failed.
const resolveTime = 5 * time.Second

// resolve finds out whether a commit that returned cause was carried out after all. Heads are unique, and all changes are made
// or none, so the head of one of them tells. It looks even if the caller's context has ended, since that may be the cause.
func resolve(ctx context.Context, s store.Store, changes []store.Change, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), resolveTime)
	defer cancel()
	i := slices.IndexFunc(changes, func(c store.Change) bool { return c.Action() != store.Assert })
	c := changes[i]
	head, err := s.Head(ctx, c.Kind, c.ID)
	switch {
	case err == nil && head.Equal(c.Next):
		return nil
	case errors.Is(cause, store.ErrUndecided): // it may still land
	case err == nil && head.Equal(c.Base), errors.Is(err, store.ErrNotFound) && c.Action() == store.Create:
		return cause
	}
	return fmt.Errorf("%w: %w", ErrUncertain, cause)
}

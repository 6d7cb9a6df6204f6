package storetest

import (
	"context"
	"errors"
	"sync"

	"github.com/trefoil-im/trefoil/state/store"
)

// ErrFault is what a call returns that was made to fail.
var ErrFault = errors.New("storetest: injected fault")

// Fault says how a call fails.
type Fault uint8

// The ways to fail.
const (
	None   Fault = iota // it does not
	Before              // nothing was done
	After               // it was carried out, but its result is lost: the error hides a commit that happened
)

// Call is one call of a method of a Store.
type Call struct {
	N      int    // 1 for the first call of any method
	Method string // "Load", "Commit", ...
}

// Fail returns a Store that passes its calls on to s, except for those that decide says are to fail, with ErrFault.
// Concurrent calls are numbered in some order; decide is asked for one at a time.
func Fail(s store.Store, decide func(Call) Fault) store.Store {
	return &faulty{s: s, decide: decide}
}

// Nth makes the nth call fail, and no other. A test that runs once for each n, until a run has no fault, has tried them
// all.
func Nth(n int, f Fault) func(Call) Fault {
	return func(c Call) Fault {
		if c.N == n {
			return f
		}
		return None
	}
}

type faulty struct {
	s      store.Store
	mu     sync.Mutex
	calls  int
	decide func(Call) Fault
}

// call carries out one call, if it is to be.
func call[T any](f *faulty, method string, do func() (T, error)) (T, error) {
	f.mu.Lock()
	f.calls++
	fault := f.decide(Call{f.calls, method})
	f.mu.Unlock()
	var zero T
	switch fault {
	case Before:
		return zero, ErrFault
	case After:
		do()
		return zero, ErrFault
	}
	return do()
}

func (f *faulty) Load(ctx context.Context, k store.Kind, id store.ID) (store.Row, error) {
	return call(f, "Load", func() (store.Row, error) { return f.s.Load(ctx, k, id) })
}

func (f *faulty) Head(ctx context.Context, k store.Kind, id store.ID) (store.Head, error) {
	return call(f, "Head", func() (store.Head, error) { return f.s.Head(ctx, k, id) })
}

func (f *faulty) List(ctx context.Context, k store.Kind, after store.ID, limit int) ([]store.ID, error) {
	return call(f, "List", func() ([]store.ID, error) { return f.s.List(ctx, k, after, limit) })
}

func (f *faulty) Commit(ctx context.Context, changes ...store.Change) error {
	_, err := call(f, "Commit", func() (struct{}, error) { return struct{}{}, f.s.Commit(ctx, changes...) })
	return err
}

func (f *faulty) Items(ctx context.Context, k store.Kind, id store.ID, q store.Queue, seqs ...uint64) ([]store.Item, error) {
	return call(f, "Items", func() ([]store.Item, error) { return f.s.Items(ctx, k, id, q, seqs...) })
}

func (f *faulty) Frames(ctx context.Context, k store.Kind, id store.ID, hashes ...[32]byte) ([]store.FrameRecord, error) {
	return call(f, "Frames", func() ([]store.FrameRecord, error) { return f.s.Frames(ctx, k, id, hashes...) })
}

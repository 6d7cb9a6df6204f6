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

// act is call for a method without a result.
func act(f *faulty, method string, do func() error) error {
	_, err := call(f, method, func() (struct{}, error) { return struct{}{}, do() })
	return err
}

func (f *faulty) Load(ctx context.Context, k store.Kind, id store.ID) (store.Row, error) {
	return call(f, "Load", func() (store.Row, error) { return f.s.Load(ctx, k, id) })
}

func (f *faulty) Head(ctx context.Context, k store.Kind, id store.ID) (store.Head, error) {
	return call(f, "Head", func() (store.Head, error) { return f.s.Head(ctx, k, id) })
}

func (f *faulty) List(ctx context.Context, k store.Kind) ([]store.ID, error) {
	return call(f, "List", func() ([]store.ID, error) { return f.s.List(ctx, k) })
}

func (f *faulty) Commit(ctx context.Context, k store.Kind, id store.ID, c store.Change) error {
	return act(f, "Commit", func() error { return f.s.Commit(ctx, k, id, c) })
}

func (f *faulty) Delete(ctx context.Context, k store.Kind, id store.ID, h store.Head) error {
	return act(f, "Delete", func() error { return f.s.Delete(ctx, k, id, h) })
}

func (f *faulty) Items(ctx context.Context, k store.Kind, id store.ID, q store.Queue, after uint64, limit int) ([]store.Item, error) {
	return call(f, "Items", func() ([]store.Item, error) { return f.s.Items(ctx, k, id, q, after, limit) })
}

func (f *faulty) Count(ctx context.Context, k store.Kind, id store.ID, q store.Queue) (int, error) {
	return call(f, "Count", func() (int, error) { return f.s.Count(ctx, k, id, q) })
}

func (f *faulty) Remove(ctx context.Context, k store.Kind, id store.ID, q store.Queue, items ...store.Item) error {
	return act(f, "Remove", func() error { return f.s.Remove(ctx, k, id, q, items...) })
}

func (f *faulty) Frame(ctx context.Context, k store.Kind, id store.ID, hash [32]byte) (store.FrameRecord, error) {
	return call(f, "Frame", func() (store.FrameRecord, error) { return f.s.Frame(ctx, k, id, hash) })
}

func (f *faulty) Retained(ctx context.Context, k store.Kind, id store.ID, after uint64, limit int) ([]store.FrameRecord, error) {
	return call(f, "Retained", func() ([]store.FrameRecord, error) { return f.s.Retained(ctx, k, id, after, limit) })
}

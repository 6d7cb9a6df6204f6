package storetest

import (
	"context"
	"slices"

	"github.com/trefoil-im/trefoil/state/store"
)

// broken is a sound store with some of its methods replaced. A nil function leaves the method as it is.
type broken struct {
	store.Store
	load   func(context.Context, store.Kind, store.ID) (store.Row, error)
	head   func(context.Context, store.Kind, store.ID) (store.Head, error)
	list   func(context.Context, store.Kind, store.ID, int) ([]store.ID, error)
	commit func(context.Context, ...store.Change) error
	items  func(context.Context, store.Kind, store.ID, store.Queue, ...uint64) ([]store.Item, error)
	frames func(context.Context, store.Kind, store.ID, ...[32]byte) ([]store.FrameRecord, error)
}

func (b broken) Load(ctx context.Context, k store.Kind, id store.ID) (store.Row, error) {
	if b.load == nil {
		return b.Store.Load(ctx, k, id)
	}
	return b.load(ctx, k, id)
}

func (b broken) Head(ctx context.Context, k store.Kind, id store.ID) (store.Head, error) {
	if b.head == nil {
		return b.Store.Head(ctx, k, id)
	}
	return b.head(ctx, k, id)
}

func (b broken) List(ctx context.Context, k store.Kind, after store.ID, limit int) ([]store.ID, error) {
	if b.list == nil {
		return b.Store.List(ctx, k, after, limit)
	}
	return b.list(ctx, k, after, limit)
}

func (b broken) Commit(ctx context.Context, changes ...store.Change) error {
	if b.commit == nil {
		return b.Store.Commit(ctx, changes...)
	}
	return b.commit(ctx, changes...)
}

func (b broken) Items(ctx context.Context, k store.Kind, id store.ID, q store.Queue, seqs ...uint64) ([]store.Item, error) {
	if b.items == nil {
		return b.Store.Items(ctx, k, id, q, seqs...)
	}
	return b.items(ctx, k, id, q, seqs...)
}

func (b broken) Frames(ctx context.Context, k store.Kind, id store.ID, hashes ...[32]byte) ([]store.FrameRecord, error) {
	if b.frames == nil {
		return b.Store.Frames(ctx, k, id, hashes...)
	}
	return b.frames(ctx, k, id, hashes...)
}

// changing breaks Commit by altering the changes that it is given.
func changing(s store.Store, alter func(*store.Change)) store.Store {
	return broken{Store: s, commit: func(ctx context.Context, changes ...store.Change) error {
		changes = slices.Clone(changes)
		for i := range changes {
			alter(&changes[i])
		}
		return s.Commit(ctx, changes...)
	}}
}

// loading breaks Load by altering the rows that it returns.
func loading(s store.Store, alter func(*store.Row)) store.Store {
	return broken{Store: s, load: func(ctx context.Context, k store.Kind, id store.ID) (store.Row, error) {
		row, err := s.Load(ctx, k, id)
		if err == nil {
			alter(&row)
		}
		return row, err
	}}
}

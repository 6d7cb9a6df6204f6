package storetest

import (
	"context"

	"github.com/trefoil-im/trefoil/state/store"
)

// broken is a sound store with some of its methods replaced. A nil function leaves the method as it is.
type broken struct {
	store.Store
	load     func(context.Context, store.Kind, store.ID) (store.Row, error)
	head     func(context.Context, store.Kind, store.ID) (store.Head, error)
	list     func(context.Context, store.Kind) ([]store.ID, error)
	commit   func(context.Context, store.Kind, store.ID, store.Change) error
	delete   func(context.Context, store.Kind, store.ID, store.Head) error
	items    func(context.Context, store.Kind, store.ID, store.Queue, uint64, int) ([]store.Item, error)
	count    func(context.Context, store.Kind, store.ID, store.Queue) (int, error)
	remove   func(context.Context, store.Kind, store.ID, store.Queue, store.Item) error
	frame    func(context.Context, store.Kind, store.ID, [32]byte) (store.FrameRecord, error)
	retained func(context.Context, store.Kind, store.ID, uint64, int) ([]store.FrameRecord, error)
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

func (b broken) List(ctx context.Context, k store.Kind) ([]store.ID, error) {
	if b.list == nil {
		return b.Store.List(ctx, k)
	}
	return b.list(ctx, k)
}

func (b broken) Commit(ctx context.Context, k store.Kind, id store.ID, c store.Change) error {
	if b.commit == nil {
		return b.Store.Commit(ctx, k, id, c)
	}
	return b.commit(ctx, k, id, c)
}

func (b broken) Delete(ctx context.Context, k store.Kind, id store.ID, h store.Head) error {
	if b.delete == nil {
		return b.Store.Delete(ctx, k, id, h)
	}
	return b.delete(ctx, k, id, h)
}

func (b broken) Items(ctx context.Context, k store.Kind, id store.ID, q store.Queue, after uint64, limit int) ([]store.Item, error) {
	if b.items == nil {
		return b.Store.Items(ctx, k, id, q, after, limit)
	}
	return b.items(ctx, k, id, q, after, limit)
}

func (b broken) Count(ctx context.Context, k store.Kind, id store.ID, q store.Queue) (int, error) {
	if b.count == nil {
		return b.Store.Count(ctx, k, id, q)
	}
	return b.count(ctx, k, id, q)
}

func (b broken) Remove(ctx context.Context, k store.Kind, id store.ID, q store.Queue, items ...store.Item) error {
	if b.remove == nil {
		return b.Store.Remove(ctx, k, id, q, items...)
	}
	for _, it := range items {
		if err := b.remove(ctx, k, id, q, it); err != nil {
			return err
		}
	}
	return nil
}

func (b broken) Frame(ctx context.Context, k store.Kind, id store.ID, hash [32]byte) (store.FrameRecord, error) {
	if b.frame == nil {
		return b.Store.Frame(ctx, k, id, hash)
	}
	return b.frame(ctx, k, id, hash)
}

func (b broken) Retained(ctx context.Context, k store.Kind, id store.ID, after uint64, limit int) ([]store.FrameRecord, error) {
	if b.retained == nil {
		return b.Store.Retained(ctx, k, id, after, limit)
	}
	return b.retained(ctx, k, id, after, limit)
}

// firstOnly removes the first of several items.
type firstOnly struct{ store.Store }

func (f firstOnly) Remove(ctx context.Context, k store.Kind, id store.ID, q store.Queue, items ...store.Item) error {
	return f.Store.Remove(ctx, k, id, q, items[:min(1, len(items))]...)
}

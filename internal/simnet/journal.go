package simnet

import (
	"bytes"
	"context"
	"maps"
	"slices"

	"github.com/trefoil-im/trefoil/state/store"
)

// journal is a Store that remembers everything done to it, so that it can be done again to an empty one: a copy of the
// store as of any moment.
type journal struct {
	store.Store
	done []func(context.Context, store.Store) error
}

func (j *journal) note(err error, again func(context.Context, store.Store) error) error {
	if err == nil {
		j.done = append(j.done, again)
	}
	return err
}

func (j *journal) Commit(ctx context.Context, changes ...store.Change) error {
	kept := slices.Clone(changes)
	for i, c := range kept {
		kept[i] = cloneChange(c)
	}
	return j.note(j.Store.Commit(ctx, changes...), func(ctx context.Context, s store.Store) error { return s.Commit(ctx, kept...) })
}

// copyTo does the first count changes again.
func (j *journal) copyTo(ctx context.Context, s store.Store, count int) error {
	for _, again := range j.done[:count] {
		if err := again(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// cloneChange copies what a Store must not keep.
func cloneChange(c store.Change) store.Change {
	c.Base.Sealed, c.Next.Sealed = bytes.Clone(c.Base.Sealed), bytes.Clone(c.Next.Sealed)
	c.Parts = slices.Clone(c.Parts)
	for i := range c.Parts {
		c.Parts[i] = bytes.Clone(c.Parts[i])
	}
	c.Put = maps.Clone(c.Put)
	for path, b := range c.Put {
		c.Put[path] = bytes.Clone(b)
	}
	c.Drop, c.Sent, c.Taken = slices.Clone(c.Drop), slices.Clone(c.Sent), slices.Clone(c.Taken)
	for _, items := range []*[]store.Item{&c.Outbox, &c.Inbox} {
		*items = slices.Clone(*items)
		for i := range *items {
			(*items)[i].Data = bytes.Clone((*items)[i].Data)
		}
	}
	c.Frames, c.Lost = slices.Clone(c.Frames), slices.Clone(c.Lost)
	for i := range c.Frames {
		c.Frames[i].Data = bytes.Clone(c.Frames[i].Data)
	}
	return c
}

package storetest

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"runtime"
	"slices"
	"time"

	"github.com/trefoil-im/trefoil/state/store"
)

// endedContext makes every call with a context that has ended, and again with one that has not.
func endedContext(p *probe) {
	k, id, ended := store.Spaces, store.NewID(), p.ended()
	p.refused(apply(ended, p.s, k, id, full(k, model{})), context.Canceled)
	p.holds(k, id, model{})
	m := p.create(k, id)
	for range 3 {
		p.refused(apply(ended, p.s, k, id, full(k, m)), context.Canceled)
		p.refused(apply(ended, p.s, k, id, store.Change{Base: m.head, Delete: true}), context.Canceled)
		_, err := p.s.Load(ended, k, id)
		p.refused(err, context.Canceled)
		_, err = p.s.Head(ended, k, id)
		p.refused(err, context.Canceled)
		_, err = p.s.List(ended, k, store.ID{}, 9)
		p.refused(err, context.Canceled)
		_, err = p.s.Items(ended, k, id, store.Outbox, 1, 2)
		p.refused(err, context.Canceled)
		_, err = p.s.Frames(ended, k, id, hash(3), hash(4))
		p.refused(err, context.Canceled)
		p.holds(k, id, m)
		m = p.commit(k, id, m, full(k, m))
	}
}

// endingContext ends contexts while calls are under way, later and later. A change that fails so may have been made or
// not, but not in part, and whatever comes next succeeds.
func endingContext(p *probe) {
	k, id := store.Spaces, store.NewID()
	m := p.create(k, id)
	for i := range 16 {
		c := full(k, m)
		c.Put["state/long"] = text(1 << 16)
		ctx, cancel := context.WithTimeout(p.Context(), time.Duration(15*i*i)*time.Microsecond)
		_, readErr := p.s.Load(ctx, k, id)
		err := apply(ctx, p.s, k, id, c)
		cancel()
		if readErr != nil {
			p.refused(readErr, context.DeadlineExceeded)
		}
		head, headErr := p.s.Head(p.Context(), k, id)
		p.must(headErr)
		switch {
		case err == nil || !sameHead(head, m.head):
			m = m.next(c)
		case !errors.Is(err, context.DeadlineExceeded):
			p.Fatalf("a context that ended made Commit return %v", err)
		}
		p.holds(k, id, m)
		m = p.commit(k, id, m, full(k, m))
	}
}

// decided ends contexts while Commit is under way, and then looks again and again at what was found first: it stays.
func decided(p *probe) {
	k, id := store.Spaces, store.NewID()
	m := p.create(k, id)
	for i := range 20 {
		c := full(k, m)
		ctx, cancel := context.WithTimeout(p.Context(), time.Duration(4*i*i)*time.Microsecond)
		err := apply(ctx, p.s, k, id, c)
		cancel()
		first, headErr := p.s.Head(p.Context(), k, id)
		p.must(headErr)
		if err == nil && !sameHead(first, c.Next) {
			p.Fatalf("a commit that was made is not found")
		}
		for range 20 {
			for _, s := range []store.Store{p.s, p.other} {
				again, headErr := s.Head(p.Context(), k, id)
				p.must(headErr)
				if !sameHead(again, first) {
					p.Fatalf("a commit changed the row after it had returned %v", err)
				}
			}
			runtime.Gosched()
		}
		if sameHead(first, c.Next) {
			m = m.next(c)
		}
	}
}

// scribbling overwrites what was handed to a store, and what it has handed out.
func scribbling(p *probe) {
	for _, k := range kinds {
		id := store.NewID()
		var m model
		for range 3 {
			c := full(k, m)
			given := copied(c)
			p.must(p.apply(k, id, given))
			m = m.next(c)
			scribbleChange(given)
			p.holds(k, id, m)
		}
		for range 2 {
			row, err := p.s.Load(p.Context(), k, id)
			p.must(err)
			head, err := p.s.Head(p.Context(), k, id)
			p.must(err)
			out, err := p.s.Items(p.Context(), k, id, store.Outbox, seqs(m.queues[store.Outbox])...)
			p.must(err)
			kept, err := p.s.Frames(p.Context(), k, id, slices.Collect(maps.Keys(m.frames))...)
			p.must(err)
			scribbleChange(store.Change{Base: head, Next: row.Head, Parts: row.Parts, Put: row.Segments, Outbox: out, Frames: kept})
			clear(out)
			clear(kept)
			clear(row.Parts)
			clear(row.Segments)
			clear(row.Outbox)
			clear(row.Inbox)
			clear(row.Retained)
			p.holds(k, id, m)
		}
		ids, err := p.s.List(p.Context(), k, store.ID{}, 9)
		p.must(err)
		clear(ids)
		ids, err = p.s.List(p.Context(), k, store.ID{}, 9)
		if err != nil || len(ids) != 1 || ids[0] != id {
			p.Fatalf("List returns %v (error %v), not %v", ids, err, id)
		}
	}
}

// copied returns a copy of c that shares nothing with it.
func copied(c store.Change) store.Change {
	items := func(list []store.Item) (out []store.Item) {
		for _, it := range list {
			it.Data = bytes.Clone(it.Data)
			out = append(out, it)
		}
		return out
	}
	out := store.Change{
		Base:   store.Head{Version: c.Base.Version, Sealed: bytes.Clone(c.Base.Sealed)},
		Next:   store.Head{Version: c.Next.Version, Sealed: bytes.Clone(c.Next.Sealed)},
		Put:    map[string][]byte{},
		Drop:   append([]string(nil), c.Drop...),
		Outbox: items(c.Outbox),
		Inbox:  items(c.Inbox),
		Sent:   append([]uint64(nil), c.Sent...),
		Taken:  append([]uint64(nil), c.Taken...),
		Lost:   append([][32]byte(nil), c.Lost...),
		Forget: c.Forget,
		Revive: c.Revive,
	}
	for _, part := range c.Parts {
		out.Parts = append(out.Parts, bytes.Clone(part))
	}
	for path, b := range c.Put {
		out.Put[path] = bytes.Clone(b)
	}
	for _, f := range c.Frames {
		out.Frames = append(out.Frames, store.FrameRecord{Hash: f.Hash, Seq: f.Seq, Data: bytes.Clone(f.Data)})
	}
	return out
}

// scribbleChange overwrites all slices in c.
func scribbleChange(c store.Change) {
	clear(c.Sent)
	clear(c.Taken)
	clear(c.Drop)
	clear(c.Lost)
	scribble(c.Base.Sealed)
	scribble(c.Next.Sealed)
	for _, b := range c.Parts {
		scribble(b)
	}
	for _, b := range c.Put {
		scribble(b)
	}
	for _, list := range [][]store.Item{c.Outbox, c.Inbox} {
		for _, it := range list {
			scribble(it.Data)
		}
	}
	for _, f := range c.Frames {
		scribble(f.Data)
	}
}

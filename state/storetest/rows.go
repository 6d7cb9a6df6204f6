package storetest

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/trefoil-im/trefoil/state/store"
)

func createAndLoad(p *probe) {
	for _, k := range kinds {
		id := store.NewID()
		m := p.create(k, id)
		for range 3 {
			p.reopen()
			m = p.commit(k, id, m, full(k, m))
		}
	}
}

func incomplete(p *probe) {
	for _, k := range kinds {
		held := store.NewID()
		m := p.create(k, held)
		for i := range k.Parts() {
			id := store.NewID()
			c := full(k, model{})
			c.Parts[i] = nil
			p.refused(p.apply(k, id, c), store.ErrIncomplete)
			p.holds(k, id, model{})
		}
		for _, parts := range []int{0, len(k.Parts()) - 1, len(k.Parts()) + 1} {
			id := store.NewID()
			c, update := full(k, model{}), full(k, m)
			c.Parts = slices.Repeat([][]byte{text(9)}, parts)
			update.Parts = c.Parts
			p.refused(p.apply(k, id, c), store.ErrIncomplete)
			p.holds(k, id, model{})
			p.refused(p.apply(k, held, update), store.ErrIncomplete)
			p.holds(k, held, m)
		}
	}
	id := store.NewID()
	for _, k := range []store.Kind{0, 77, 255} {
		if p.apply(k, id, full(store.Spaces, model{})) == nil {
			p.Fatalf("a row of %v was created", k)
		}
	}
}

func partsStay(p *probe) {
	for _, k := range kinds {
		id := store.NewID()
		m := p.create(k, id)
		for mask := range 1 << len(k.Parts()) {
			c := change(k, m)
			for i, name := range k.Parts() {
				if mask>>i&1 == 1 {
					c.Parts[i] = sealed(name)
				}
			}
			m = p.commit(k, id, m, c)
		}
	}
}

func segments(p *probe) {
	for _, k := range kinds {
		id := store.NewID()
		m := p.create(k, id)
		paths := []string{"state/a", "state/A", "state/a/b", "state/a b", "state/a%", "state/a_", "state/ab", "state/'\"`;--", "state/ä\u0308🜁", "state/\u00e4", "state/a\u0308", "state/\xff\xfe", "state/\x00", "state/a ", "state/" + strings.Repeat("x", 249)}
		c := change(k, m)
		c.Put = map[string][]byte{}
		for _, path := range paths {
			c.Put[path] = sealed(path)
		}
		m = p.commit(k, id, m, c)
		for _, path := range paths {
			c := change(k, m)
			c.Put = map[string][]byte{path: sealed("replaced")}
			m = p.commit(k, id, m, c)
		}
		for i, path := range paths {
			c := change(k, m)
			c.Drop = []string{path, "state/never was", paths[0]}
			c.Put = map[string][]byte{fmt.Sprint("state/new", i): sealed("new")}
			m = p.commit(k, id, m, c)
		}
	}
}

func anyBytes(p *probe) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for _, data := range [][]byte{{}, {0}, all, []byte("NULL"), []byte("\xff\xfe'"), text(4096), text(1 << 20)} {
		for _, k := range kinds {
			id := store.NewID()
			var m model
			for range 2 { // once to create the row, once to change it
				c := full(k, m)
				c.Parts[0], c.Put["state/all"], c.Outbox[0].Data, c.Frames[1].Data = data, data, data, data
				m = p.commit(k, id, m, c)
			}
			p.must(p.remove(k, id, m.head))
			p.holds(k, id, model{})
		}
	}
}

func presentOrAbsent(p *probe) {
	for _, k := range kinds {
		id := store.NewID()
		p.holds(k, id, model{}, hash(1))
		p.refused(p.remove(k, id, store.Head{Version: 1, Sealed: sealed("head")}), store.ErrNotFound)

		m := p.create(k, id)
		p.refused(p.apply(k, id, full(k, model{})), store.ErrExists)
		again := full(k, model{})
		again.Revive = false
		p.refused(p.apply(k, id, again), store.ErrExists)
		p.holds(k, id, m)

		other := store.NewID()
		p.refused(p.apply(k, other, full(k, m)), store.ErrNotFound)
		p.holds(k, other, model{})
	}
}

// assertions are made of rows that have the head and of such as have not, and change nothing.
func assertions(p *probe) {
	for _, k := range kinds {
		id, absent := store.NewID(), store.NewID()
		m := p.create(k, id)
		p.must(p.apply(k, id, store.Change{Base: m.head}))
		p.must(p.apply(k, absent, store.Change{}))
		p.refused(p.apply(k, absent, store.Change{Base: m.head}), store.ErrNotFound)
		p.refused(p.apply(k, id, store.Change{}), store.ErrConflict)
		next := p.commit(k, id, m, full(k, m))
		p.refused(p.apply(k, id, store.Change{Base: m.head}), store.ErrConflict)
		p.refused(p.apply(k, id, store.Change{Base: store.Head{Version: next.head.Version, Sealed: sealed("head")}}), store.ErrConflict)
		p.holds(k, id, next)
		p.holds(k, absent, model{})
		p.must(p.remove(k, id, next.head))
		p.refused(p.apply(k, id, store.Change{Base: next.head}), store.ErrDeleted)
	}
}

// isolation changes and deletes rows beside others whose IDs differ from theirs in one bit, or in their kind.
func isolation(p *probe) {
	id := store.NewID()
	ids := []store.ID{id}
	for _, i := range []int{0, 15, 31} {
		near := id
		near[i] ^= 1
		ids = append(ids, near)
	}
	rows := map[store.Kind]map[store.ID]model{}
	for _, k := range kinds {
		rows[k] = map[store.ID]model{}
		for _, id := range ids {
			rows[k][id] = p.create(k, id)
		}
	}
	same := func() {
		p.Helper()
		for k, of := range rows {
			for id, m := range of {
				p.holds(k, id, m, hash(3), hash(4))
			}
		}
	}
	same()
	for _, k := range kinds {
		m := rows[k][id]
		c := full(k, m)
		c.Forget = 100
		m = p.commit(k, id, m, c)
		rows[k][id] = m
		same()
		c = change(k, m)
		c.Sent = seqs(m.queues[store.Outbox])
		m = p.commit(k, id, m, c)
		rows[k][id] = m
		same()
		p.must(p.remove(k, id, m.head))
		rows[k][id] = model{}
		same()
	}
}

func list(p *probe) {
	want := map[store.Kind][]store.ID{}
	check := func() {
		p.Helper()
		for _, k := range kinds {
			slices.SortFunc(want[k], store.ID.Compare)
			for _, s := range []store.Store{p.s, p.other} {
				got, err := s.List(p.Context(), k, store.ID{}, 1000)
				p.must(err)
				if !slices.Equal(got, want[k]) {
					p.Fatalf("List(%v) returns %d IDs %v, not %d %v", k, len(got), got, len(want[k]), want[k])
				}
			}
		}
	}
	check()
	heads := map[store.ID]store.Head{}
	for i := range 20 {
		k, id := kinds[i%3%2], store.NewID()
		c := change(k, model{})
		p.must(p.apply(k, id, c))
		want[k], heads[id] = append(want[k], id), c.Next
		check()
	}
	for _, k := range kinds {
		gone := want[k][1]
		p.must(p.remove(k, gone, heads[gone]))
		want[k] = slices.Delete(want[k], 1, 2)
		check()
		p.listPages(k, want[k], gone)
	}
}

// listPages lists from every place on, also from such as no row has, with every limit.
func (p *probe) listPages(k store.Kind, want []store.ID, afters ...store.ID) {
	p.Helper()
	last := store.ID(bytes.Repeat([]byte{255}, len(store.ID{})))
	afters = append(append(afters, store.ID{}, store.ID{31: 1}, last), want...)
	for _, after := range afters {
		for _, limit := range []int{-1, 0, 1, 2, len(want), math.MaxInt32} {
			page := slices.DeleteFunc(slices.Clone(want), func(id store.ID) bool { return id.Compare(after) <= 0 })
			page = page[:min(len(page), max(limit, 0))]
			got, err := p.s.List(p.Context(), k, after, limit)
			p.must(err)
			if !slices.Equal(got, page) {
				p.Fatalf("List after %v, %d at most: %v, not %v", after, limit, got, page)
			}
		}
	}
}

// conflicts makes changes from heads that are not, or no longer, the row's: older ones, one of the same version with
// another seal, as after a deletion and a new creation, and one of another version with the same seal.
func conflicts(p *probe) {
	for _, k := range kinds {
		id := store.NewID()
		first := p.create(k, id)
		p.must(p.remove(k, id, first.head))
		again := p.create(k, id)
		m := p.commit(k, id, again, full(k, again))
		bases := map[string]store.Head{
			"an older version":                  again.head,
			"an older version of a deleted row": first.head,
			"a newer version":                   {Version: 3, Sealed: sealed("head")},
			"the same version of another row":   {Version: 2, Sealed: sealed("head")},
			"no seal":                           {Version: 2},
			"a prefix of the seal":              {Version: 2, Sealed: m.head.Sealed[:5]},
			"another version of the same seal":  {Version: 3, Sealed: m.head.Sealed},
		}
		for name, base := range bases {
			c := full(k, m)
			c.Base, c.Next.Version = base, base.Version+1
			if err := p.apply(k, id, c); err != nil {
				p.refused(err, store.ErrConflict)
			} else {
				p.Fatalf("a change made from %s was carried out", name)
			}
			p.holds(k, id, m)
			if err := p.remove(k, id, base); err != nil {
				p.refused(err, store.ErrConflict)
			} else {
				p.Fatalf("a row was deleted by %s", name)
			}
			p.holds(k, id, m)
		}
		p.commit(k, id, m, full(k, m))
	}
}

// atomicity makes changes that a store can refuse only after it has begun, because a number is taken among the frames.
func atomicity(p *probe) {
	for _, k := range kinds {
		id := store.NewID()
		m := p.create(k, id)
		for name, spoil := range map[string]func(*store.Change){
			"frames": func(c *store.Change) { c.Frames = append(c.Frames, store.FrameRecord{Hash: hash(99), Seq: 2}) },
		} {
			c := full(k, m)
			c.Forget = 100
			spoil(&c)
			if p.apply(k, id, c) == nil {
				p.Fatalf("a change was carried out though a number of its %s is taken", name)
			}
			p.holds(k, id, m, hash(99), c.Frames[0].Hash, c.Frames[1].Hash)
		}
		p.commit(k, id, m, full(k, m))
	}
}

func deletion(p *probe) {
	for _, k := range kinds {
		id, other := store.NewID(), store.NewID()
		rest := p.create(k, other)
		m := p.create(k, id)
		m = p.commit(k, id, m, full(k, m))
		p.must(p.remove(k, id, m.head))
		hashes := slices.Collect(maps.Keys(m.frames))
		p.holds(k, id, model{}, hashes...)
		items, err := p.s.Items(p.Context(), k, id, store.Outbox, seqs(m.queues[store.Outbox])...)
		if len(items) > 0 || err != nil {
			p.Fatalf("%d items are left of a row that was deleted (error %v)", len(items), err)
		}
		p.refused(p.remove(k, id, m.head), store.ErrDeleted)
		again := p.commit(k, id, model{}, change(k, model{})) // nothing of the old row comes back
		p.holds(k, id, again, hashes...)
		p.holds(k, other, rest)
	}
}

// memory creates rows that were deleted: not unless that is asked for.
func memory(p *probe) {
	for _, k := range kinds {
		id := store.NewID()
		for range 3 {
			m := p.create(k, id)
			p.must(p.remove(k, id, m.head))
			p.reopen()
			c := full(k, model{})
			c.Revive = false
			p.refused(p.apply(k, id, c), store.ErrDeleted)
			p.refused(p.apply(k, id, c), store.ErrNotFound) // which it is, too
			_, err := p.s.Head(p.Context(), k, id)
			p.refused(err, store.ErrDeleted)
			_, err = p.s.Load(p.Context(), k, id)
			p.refused(err, store.ErrDeleted)
			p.must(p.apply(kinds[0]+kinds[1]-k, id, store.Change{})) // the other kind has none of it
		}
	}
}

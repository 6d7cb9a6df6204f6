package storetest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/trefoil-im/trefoil/state/store"
)

// randomChanges does what comes to mind to a few rows, some of it wrong, and compares the one it was
// done to with its model, and now and then all. The steps are the same in every run.
func randomChanges(p *probe) {
	type key struct {
		k  store.Kind
		id store.ID
	}
	r := rand.New(rand.NewPCG(1, 2))
	rows := map[key]model{}
	old := map[key][]store.Head{}
	var keys []key
	for i := range 4 {
		keys = append(keys, key{kinds[i%2], store.NewID()})
	}
	for n := range 160 {
		at := keys[r.IntN(len(keys))]
		m := rows[at]
		switch step := r.IntN(20); {
		case step < 18:
			c := randomChange(r, at.k, m)
			stale := len(old[at]) > 0 && r.IntN(4) == 0
			if stale {
				c.Base = old[at][r.IntN(len(old[at]))]
				c.Next.Version, c.Revive = c.Base.Version+1, false
			}
			err := p.apply(at.k, at.id, c)
			switch {
			case !stale:
				p.must(err)
				if m.exists() {
					old[at] = append(old[at], m.head)
				}
				m = m.next(c)
			case !m.exists():
				p.refused(err, store.ErrNotFound)
			default:
				p.refused(err, store.ErrConflict)
			}
		case step < 19 && m.exists():
			p.must(p.remove(at.k, at.id, m.head))
			old[at] = append(old[at], m.head)
			m = model{}
		default:
			p.reopen()
		}
		rows[at] = m
		if r.IntN(2) == 0 {
			p.s, p.other = p.other, p.s
		}
		looked := []key{at}
		if n%20 == 0 {
			looked = keys
		}
		for _, key := range looked {
			for _, s := range []store.Store{p.s, p.other} {
				if err := rows[key].differs(p.Context(), s, key.k, key.id); err != nil {
					p.Fatalf("%v %v: %v", key.k, key.id, err)
				}
			}
		}
	}
}

func randomChange(r *rand.Rand, k store.Kind, m model) store.Change {
	c := change(k, m)
	for i, name := range k.Parts() {
		if r.IntN(2) == 0 {
			c.Parts[i] = sealed(name)
		}
	}
	c.Put = map[string][]byte{}
	for range r.IntN(4) {
		c.Put[fmt.Sprintf("state/%d", r.IntN(30))] = text(r.IntN(300))
	}
	for _, path := range slices.Sorted(maps.Keys(m.segments)) {
		if _, put := c.Put[path]; !put && r.IntN(8) == 0 {
			c.Drop = append(c.Drop, path)
		}
	}
	n := 10 * c.Next.Version
	for q, out := range map[store.Queue]*[]uint64{store.Outbox: &c.Sent, store.Inbox: &c.Taken} {
		for i, it := range m.queues[q] {
			if (uint64(i)+c.Next.Version)%3 == 0 {
				*out = append(*out, it.Seq)
			}
		}
	}
	for i := range uint64(r.IntN(4)) {
		c.Outbox = append(c.Outbox, store.Item{Seq: n + i, Lane: i, Data: text(r.IntN(300))})
	}
	for i := range uint64(r.IntN(3)) {
		c.Inbox = append(c.Inbox, store.Item{Seq: n + 2*i, Data: text(r.IntN(300))})
	}
	for i := range uint64(r.IntN(4)) {
		f := store.FrameRecord{Hash: hash(n + i), Seq: n + i}
		if r.IntN(2) == 0 {
			f.Data = text(r.IntN(300))
		}
		c.Frames = append(c.Frames, f)
	}
	for _, f := range m.retained() {
		if r.IntN(6) == 0 {
			c.Frames = append(c.Frames, store.FrameRecord{Hash: f.Hash, Seq: n + 9})
			break
		}
	}
	for i, f := range m.retained() {
		if written := func(g store.FrameRecord) bool { return g.Hash == f.Hash }; i%5 == 0 && !slices.ContainsFunc(c.Frames, written) {
			c.Lost = append(c.Lost, f.Hash)
		}
	}
	if r.IntN(3) == 0 {
		c.Forget = uint64(r.IntN(int(n) + 10))
	}
	return c
}

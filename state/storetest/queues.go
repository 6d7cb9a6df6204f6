package storetest

import (
	"math"
	"slices"

	"github.com/trefoil-im/trefoil/state/store"
)

// queues fills both queues with numbers that have gaps, and reads them in pages of every size.
func queues(p *probe) {
	for _, k := range kinds {
		id := store.NewID()
		m := p.create(k, id)
		for _, n := range []uint64{9, 10, 255, 260, 1 << 16, 1 << 32, math.MaxInt64 - 4} {
			c := change(k, m)
			c.Outbox = []store.Item{{Seq: n, Data: sealed("envelope")}, {Seq: n + 3, Data: sealed("envelope")}}
			c.Inbox = []store.Item{{Seq: n + 1, Data: sealed("text")}, {Seq: n + 4, Data: sealed("text")}}
			if n == 10 {
				c.Outbox, c.Inbox = nil, c.Inbox[1:] // 9+3 and 9+4 lie behind
			}
			m = p.commit(k, id, m, c)
			p.reopen()
		}
		for _, q := range []store.Queue{store.Outbox, store.Inbox} {
			p.pages(k, id, q, m.queues[q])
		}
		items, err := p.s.Items(p.Context(), k, id, 3, 0, 9)
		if len(items) > 0 {
			p.Fatalf("there is no queue 3, but it has %d items (error %v)", len(items), err)
		}
	}
}

// pages reads a queue from every place on, with every limit.
func (p *probe) pages(k store.Kind, id store.ID, q store.Queue, want []store.Item) {
	p.Helper()
	afters := []uint64{0, 1, math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64}
	for _, it := range want {
		afters = append(afters, it.Seq-1, it.Seq, it.Seq+1)
	}
	for _, after := range afters {
		for _, limit := range []int{-1, 0, 1, 2, len(want), math.MaxInt32} {
			page := slices.DeleteFunc(slices.Clone(want), func(it store.Item) bool { return it.Seq <= after })
			page = page[:min(len(page), max(limit, 0))]
			got, err := p.s.Items(p.Context(), k, id, q, after, limit)
			p.must(err)
			if !slices.EqualFunc(got, page, sameItem) {
				p.Fatalf("Items after %d, %d at most: %v, not %v", after, limit, seqs(got), seqs(page))
			}
		}
	}
}

func removal(p *probe) {
	for _, k := range kinds {
		id := store.NewID()
		m := p.create(k, id)
		c := change(k, m)
		// In the other queue lies the same item.
		twin := store.Item{Seq: 5, Data: sealed("item")}
		c.Outbox = []store.Item{{Seq: 4, Data: sealed("item")}, twin, {Seq: 6, Data: sealed("item")}}
		c.Inbox = []store.Item{twin, {Seq: 7, Data: sealed("item")}}
		m = p.commit(k, id, m, c)
		for _, not := range []store.Item{
			{Seq: 5, Data: sealed("item")}, {Seq: 5, Data: twin.Data[:4]}, {Seq: 5, Data: []byte{}}, {Seq: 5}, // another item of this number
			{Seq: 6, Data: twin.Data}, {Seq: 0, Data: twin.Data}, {Seq: 99, Data: twin.Data}, {Seq: math.MaxUint64, Data: twin.Data},
		} {
			p.must(p.s.Remove(p.Context(), k, id, store.Outbox, not))
			p.holds(k, id, m)
		}
		for _, it := range []store.Item{twin, m.queues[store.Outbox][0], c.Outbox[2]} { // from the middle, the front, the end
			m = m.without(store.Outbox, it.Seq)
			for range 2 { // it is no error the second time
				p.must(p.s.Remove(p.Context(), k, id, store.Outbox, it))
				p.holds(k, id, m)
			}
			p.reopen()
		}
		p.must(p.s.Remove(p.Context(), k, id, store.Inbox, twin, c.Outbox[0], c.Inbox[1])) // several, of which one is not there
		m = m.without(store.Inbox, twin.Seq).without(store.Inbox, c.Inbox[1].Seq)
		p.holds(k, id, m)
		p.must(p.s.Remove(p.Context(), k, id, store.Inbox)) // none
		p.commit(k, id, m, full(k, m))                      // the head has not changed
	}
}

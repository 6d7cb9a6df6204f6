package storetest

import (
	"math"
	"slices"

	"github.com/trefoil-im/trefoil/state/store"
)

// queues fills both queues with numbers that have gaps, and asks for some of them, and for others.
func queues(p *probe) {
	for _, k := range kinds {
		id := store.NewID()
		m := p.create(k, id)
		for _, n := range []uint64{9, 10, 255, 260, 1 << 16, 1 << 32, math.MaxInt64 - 4} {
			c := change(k, m)
			c.Outbox = []store.Item{{Seq: n, Lane: 1, Data: sealed("envelope")}, {Seq: n + 3, Lane: math.MaxInt64, Data: sealed("envelope")}}
			c.Inbox = []store.Item{{Seq: n + 1, Data: sealed("text")}, {Seq: n + 4, Data: sealed("text")}}
			if n == 10 {
				c.Outbox, c.Inbox = nil, c.Inbox[1:] // 9+3 and 9+4 lie behind
			}
			m = p.commit(k, id, m, c)
			p.swap()
		}
		p.reopen()
		p.holds(k, id, m)
		for _, q := range []store.Queue{store.Outbox, store.Inbox} {
			p.some(k, id, q, m.queues[q])
		}
		items, err := p.s.Items(p.Context(), k, id, 3, 9, 10)
		if len(items) > 0 {
			p.Fatalf("there is no queue 3, but it has %d items (error %v)", len(items), err)
		}
	}
}

// some asks for items of a queue in several orders, between numbers that are not there.
func (p *probe) some(k store.Kind, id store.ID, q store.Queue, held []store.Item) {
	p.Helper()
	all := seqs(held)
	backwards := slices.Clone(all)
	slices.Reverse(backwards)
	var between []uint64
	for _, n := range all {
		between = append(between, n-1, n, n+1)
	}
	slices.Sort(between)
	between = slices.Compact(between)
	for _, asked := range [][]uint64{nil, all, backwards, all[1:2], {0}, {math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64}, between} {
		var want []store.Item
		for _, n := range asked {
			if at := slices.IndexFunc(held, func(it store.Item) bool { return it.Seq == n }); at >= 0 {
				want = append(want, held[at])
			}
		}
		got, err := p.s.Items(p.Context(), k, id, q, asked...)
		p.must(err)
		if !slices.EqualFunc(got, want, sameItem) {
			p.Fatalf("Items of %v: %v, not %v", asked, seqs(got), seqs(want))
		}
	}
}

// removal takes items out of queues: from the middle, the front and the end, several at once, and such as are not there.
func removal(p *probe) {
	for _, k := range kinds {
		id := store.NewID()
		m := p.create(k, id)
		c := change(k, m)
		for n := range uint64(6) {
			// Both queues hold the same numbers.
			it := store.Item{Seq: n + 10, Data: sealed("item")}
			c.Outbox, c.Inbox = append(c.Outbox, it), append(c.Inbox, it)
		}
		m = p.commit(k, id, m, c)
		for _, sent := range [][]uint64{{12}, {10}, {15}, {12}, {0, 99, math.MaxUint64}, {11, 12, 13}, nil} {
			c := change(k, m)
			c.Sent = sent
			m = p.commit(k, id, m, c)
			p.swap()
		}
		c = change(k, m)
		c.Outbox = []store.Item{{Seq: 18, Data: sealed("item")}}
		m = p.commit(k, id, m, c)
		c = change(k, m)
		c.Taken, c.Sent = []uint64{10, 14}, []uint64{14, 18}
		c.Outbox = []store.Item{{Seq: 20, Data: sealed("item")}} // into an empty queue
		m = p.commit(k, id, m, c)
		c = change(k, m)
		c.Sent, c.Outbox = []uint64{20}, []store.Item{{Seq: math.MaxInt64, Data: sealed("item")}} // out and in
		m = p.commit(k, id, m, c)
		c = change(k, m)
		c.Sent = []uint64{math.MaxInt64 + 1, math.MaxUint64}
		m = p.commit(k, id, m, c)
		c = change(k, m)
		c.Outbox = []store.Item{{Seq: math.MaxInt64, Lane: 5, Data: sealed("in its place")}}
		c.Inbox = []store.Item{{Seq: 11, Data: sealed("in its place")}, {Seq: 15, Data: sealed("in its place")}, {Seq: 99, Data: sealed("new")}}
		p.commit(k, id, m, c)
	}
}

// batches writes and takes out as many items and records as a batch of frames leaves, and more, and asks for all at once: a store may
// treat several in one statement.
func batches(p *probe) {
	for _, k := range kinds {
		id := store.NewID()
		m := p.create(k, id)
		for _, n := range []uint64{7, 8, 64, 65, 213} {
			c := change(k, m)
			for i := range n {
				it := store.Item{Seq: 1000*n + i, Lane: i % 3, Data: sealed("item")}
				c.Outbox, c.Inbox = append(c.Outbox, it), append(c.Inbox, it)
				f := store.FrameRecord{Hash: hash(it.Seq), Seq: it.Seq}
				if i%3 == 0 {
					f.Data = sealed("frame")
				}
				c.Frames = append(c.Frames, f)
			}
			m = p.commit(k, id, m, c)
			p.swap()
		}
		c := change(k, m) // a part of each replaced, another taken out, with numbers between that are not there
		for i := range uint64(300) {
			switch n := 213_000 + i; i % 4 {
			case 0:
				c.Sent, c.Lost = append(c.Sent, n), append(c.Lost, hash(n))
			case 1:
				c.Taken = append(c.Taken, n, n-100_000)
			case 2:
				c.Inbox = append(c.Inbox, store.Item{Seq: n, Lane: 9, Data: sealed("in its place")})
				c.Frames = append(c.Frames, store.FrameRecord{Hash: hash(n), Seq: n, Data: sealed("in its place")})
			}
		}
		m = p.commit(k, id, m, c)
		p.reopen()
		p.holds(k, id, m)
	}
}

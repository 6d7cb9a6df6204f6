package storetest

import (
	"math"
	"slices"

	"github.com/trefoil-im/trefoil/state/store"
)

func records(p *probe) {
	for _, k := range kinds {
		id := store.NewID()
		m := p.create(k, id)
		note := func(forget uint64, frames ...store.FrameRecord) {
			p.Helper()
			c := change(k, m)
			c.Frames, c.Forget = frames, forget
			m = p.commit(k, id, m, c)
			p.holds(k, id, m, hash(1), hash(2), hash(3), hash(4), hash(5))
			p.reopen()
		}
		near := hash(1)
		near[31] ^= 1
		note(0, store.FrameRecord{Hash: hash(1), Seq: 10, Data: sealed("frame")},
			store.FrameRecord{Hash: hash(2), Seq: 11},
			store.FrameRecord{Hash: near, Seq: 12, Data: sealed("frame")})
		note(0, store.FrameRecord{Hash: hash(1), Seq: 13, Data: sealed("retained again")})
		note(0, store.FrameRecord{Hash: hash(1), Seq: 14})                        // settled
		note(0, store.FrameRecord{Hash: hash(2), Seq: 15, Data: sealed("frame")}) // a settled one is retained
		note(0, store.FrameRecord{Hash: near, Seq: 12, Data: sealed("in place")}) // under its own number
		note(0, store.FrameRecord{Hash: hash(3), Seq: 10})                        // a number that became free
		note(0, store.FrameRecord{Hash: hash(4), Seq: 20}, store.FrameRecord{Hash: hash(5), Seq: 16})
		note(14)             // 1 is not below
		note(15)             // 1 is
		note(15)             // and is gone
		note(21)             // 4 goes; those that are retained stay
		note(math.MaxUint64) // though everything is below
		note(0, store.FrameRecord{Hash: hash(1), Seq: 30})
		note(31, store.FrameRecord{Hash: hash(2), Seq: 31}) // with the one that is settled in the same change
		note(31, store.FrameRecord{Hash: near, Seq: 30})    // which may also be below
	}
}

// retained writes frames in another order than that of their numbers, between settled ones, and reads them in pages.
func retained(p *probe) {
	for _, k := range kinds {
		id := store.NewID()
		m := p.create(k, id)
		for i, n := range []uint64{40, 20, 1 << 40, 30, 256, 255, math.MaxInt64 - 1} {
			c := change(k, m)
			c.Frames = []store.FrameRecord{
				{Hash: hash(100 + n), Seq: n, Data: sealed("frame")},
				{Hash: hash(100 + n + 1), Seq: n + 1},
			}
			if i == 3 {
				c.Frames = append(c.Frames, store.FrameRecord{Hash: hash(140), Seq: 50}) // 40 is settled
			}
			m = p.commit(k, id, m, c)
			p.reopen()
		}
		want := m.retained()
		afters := []uint64{0, math.MaxInt64, math.MaxUint64}
		for _, f := range want {
			afters = append(afters, f.Seq-1, f.Seq, f.Seq+1)
		}
		for _, after := range afters {
			for _, limit := range []int{-1, 0, 1, 2, len(want), math.MaxInt32} {
				page := slices.DeleteFunc(slices.Clone(want), func(f store.FrameRecord) bool { return f.Seq <= after })
				page = page[:min(len(page), max(limit, 0))]
				got, err := p.s.Retained(p.Context(), k, id, after, limit)
				p.must(err)
				if !slices.EqualFunc(got, page, sameFrame) {
					p.Fatalf("Retained after %d, %d at most: %d frames, not %d, or others", after, limit, len(got), len(page))
				}
			}
		}
	}
}

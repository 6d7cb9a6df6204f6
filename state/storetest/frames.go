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
			p.must(p.apply(k, id, c))
			m = m.next(c)
			p.holds(k, id, m, hash(1), hash(2), hash(3), hash(4), hash(5))
			p.swap()
		}
		near := hash(1)
		near[31] ^= 1
		note(0, store.FrameRecord{Hash: hash(1), Seq: 10, Data: sealed("frame")},
			store.FrameRecord{Hash: hash(2), Seq: 11},
			store.FrameRecord{Hash: near, Seq: 12, Data: sealed("frame")})
		note(0, store.FrameRecord{Hash: hash(1), Seq: 13, Data: sealed("retained again")})
		note(0, store.FrameRecord{Hash: hash(1), Seq: 14})                        // done
		note(0, store.FrameRecord{Hash: hash(2), Seq: 15, Data: sealed("frame")}) // a done one is retained
		note(0, store.FrameRecord{Hash: near, Seq: 12, Data: sealed("in place")}) // under its own number
		note(0, store.FrameRecord{Hash: hash(3), Seq: 10})                        // a number that became free
		note(0, store.FrameRecord{Hash: hash(4), Seq: 20}, store.FrameRecord{Hash: hash(5), Seq: 16})
		note(14)             // 1 is not below
		note(15)             // 1 is
		note(15)             // and is gone
		note(21)             // 4 goes; those that are retained stay
		note(math.MaxUint64) // though everything is below
		note(0, store.FrameRecord{Hash: hash(1), Seq: 30})
		note(31, store.FrameRecord{Hash: hash(2), Seq: 31}) // with the one that is done in the same change
		note(31, store.FrameRecord{Hash: near, Seq: 30})    // which may also be below
		note(0, store.FrameRecord{Hash: hash(1), Seq: 40, Data: sealed("frame")}, store.FrameRecord{Hash: hash(3), Seq: 41},
			store.FrameRecord{Hash: near, Seq: 42, Data: sealed("frame")})
		c := change(k, m)
		c.Lost = [][32]byte{hash(1), hash(3), hash(6)} // retained, done with, and never there
		c.Frames = []store.FrameRecord{{Hash: hash(2), Seq: 43, Data: sealed("frame")}}
		p.must(p.apply(k, id, c))
		m = m.next(c)
		p.holds(k, id, m, hash(1), hash(3), near)
		p.reopen()
		p.holds(k, id, m, hash(1), hash(3), near)
	}
}

// retained writes frames in another order than that of their numbers, between such as are done with.
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
				c.Frames = append(c.Frames, store.FrameRecord{Hash: hash(140), Seq: 50}) // 40 is done
			}
			m = p.commit(k, id, m, c)
			p.swap()
		}
		p.reopen()
		p.holds(k, id, m)
		var asked [][32]byte
		var want []store.FrameRecord
		for _, n := range []uint64{140, 141, 142, 120, 355, 140, 7, 100 + math.MaxInt64 - 1} { // some twice, some never there
			if slices.Contains(asked, hash(n)) {
				continue
			}
			asked = append(asked, hash(n))
			if f, found := m.frames[hash(n)]; found {
				want = append(want, f)
			}
		}
		got, err := p.s.Frames(p.Context(), k, id, asked...)
		p.must(err)
		if !slices.EqualFunc(got, want, sameFrame) {
			p.Fatalf("Frames returns %d records, not %d, or in another order", len(got), len(want))
		}
	}
}

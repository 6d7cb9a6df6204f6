package storetest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"sync"
	"sync/atomic"

	"github.com/trefoil-im/trefoil/state/store"
)

// manyWriters lets 64 goroutines on two handles count in one row. Each commit also appends to both queues and settles a
// frame, so a lost or doubled one shows in five places.
func manyWriters(p *probe) {
	const writers = 64
	times := 1 // each writer meets 32 others on average, and reads all that they have written
	if os.Getenv("TREFOIL_LONG") != "" {
		times = 4
	}
	total := writers * times
	k, id := store.Spaces, store.NewID()
	c := change(k, model{})
	c.Parts[0] = binary.BigEndian.AppendUint64(nil, 0)
	p.must(p.apply(k, id, c))

	var wg sync.WaitGroup
	for i := range writers {
		s := p.s
		if i%2 == 1 {
			s = p.other
		}
		wg.Go(func() {
			for range times {
				if err := p.count(s, k, id, total); err != nil {
					p.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()

	row, err := p.s.Load(p.Context(), k, id)
	p.must(err)
	if n := binary.BigEndian.Uint64(row.Parts[0]); n != uint64(total) || row.Head.Version != uint64(total)+1 || len(row.Segments) != total {
		p.Fatalf("%d changes were made, but the row says %d, has version %d and %d segments", total, n, row.Head.Version, len(row.Segments))
	}
	for name, items := range map[string][]store.Held{"outbox": row.Outbox, "inbox": row.Inbox} {
		for i, it := range items {
			if it.Seq != uint64(i+1) {
				p.Fatalf("the %s has item %d where %d belongs", name, it.Seq, i+1)
			}
		}
		if len(items) != total {
			p.Fatalf("the %s has %d items, not %d", name, len(items), total)
		}
	}
	for n := range uint64(total) {
		if f, err := p.s.Frames(p.Context(), k, id, hash(n+1)); err != nil || len(f) != 1 || f[0].Seq != n+1 {
			p.Fatalf("the record of frame %d is not there (error %v)", n+1, err)
		}
	}
}

// count adds one to the number in a row. Each conflict on the way means that another writer was faster, so there can be
// no more of them than there are changes.
func (p *probe) count(s store.Store, k store.Kind, id store.ID, changes int) error {
	for range changes {
		row, err := s.Load(p.Context(), k, id)
		if err != nil {
			return err
		}
		n := binary.BigEndian.Uint64(row.Parts[0]) + 1
		c := store.Change{
			Base:   row.Head,
			Next:   store.Head{Version: row.Head.Version + 1, Sealed: sealed("head")},
			Parts:  [][]byte{binary.BigEndian.AppendUint64(nil, n), nil, nil},
			Put:    map[string][]byte{fmt.Sprint("state/", n): sealed("segment")},
			Outbox: []store.Item{{Seq: n, Data: sealed("envelope")}},
			Inbox:  []store.Item{{Seq: n, Data: sealed("text")}},
			Frames: []store.FrameRecord{{Hash: hash(n), Seq: n}},
		}
		if err := apply(p.Context(), s, k, id, c); !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	return errors.New("a writer finds conflicts though nobody else writes")
}

// wholeRows writes rows in which everything says the same, for as long as others are reading.
func wholeRows(p *probe) {
	const readers, reads, width = 4, 150, 6
	k, id := store.Spaces, store.NewID()
	fill := func(m model) store.Change {
		c := change(k, m)
		stamp := sealed("the same everywhere")
		c.Next.Sealed = stamp
		c.Parts = [][]byte{stamp, stamp, stamp}
		c.Put = map[string][]byte{}
		for i := range uint64(width) { // each row has segments of its own
			c.Put[fmt.Sprint("state/", c.Next.Version*width+i)] = stamp
		}
		for path := range m.segments {
			c.Drop = append(c.Drop, path)
		}
		return c
	}
	c := fill(model{})
	p.must(p.apply(k, id, c))
	m := model{}.next(c)

	var reading atomic.Int32
	reading.Store(readers)
	var wg sync.WaitGroup
	for i := range readers {
		s := p.s
		if i%2 == 1 {
			s = p.other
		}
		wg.Go(func() {
			defer reading.Add(-1)
			last := uint64(0)
			for range reads {
				row, err := s.Load(p.Context(), k, id)
				if err == nil {
					err = tornRow(row, width)
				}
				if err == nil && row.Head.Version < last {
					err = fmt.Errorf("version %d was read after version %d", row.Head.Version, last)
				}
				if err != nil {
					p.Error(err)
					return
				}
				last = row.Head.Version
			}
		})
	}
	for reading.Load() > 0 {
		c := fill(m)
		if err := p.apply(k, id, c); err != nil {
			p.Error(err)
			break
		}
		m = m.next(c)
	}
	wg.Wait()
	p.holds(k, id, m)
}

// tornRow returns an error if not everything in a row says the same.
func tornRow(row store.Row, width int) error {
	if len(row.Segments) != width {
		return fmt.Errorf("version %d has %d segments, not %d", row.Head.Version, len(row.Segments), width)
	}
	for b := range maps.Values(row.Segments) {
		if !bytes.Equal(b, row.Head.Sealed) {
			return fmt.Errorf("version %d has a segment of another version", row.Head.Version)
		}
	}
	for i, b := range row.Parts {
		if !bytes.Equal(b, row.Head.Sealed) {
			return fmt.Errorf("version %d has part %d of another version", row.Head.Version, i)
		}
	}
	return nil
}

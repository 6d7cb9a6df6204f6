package relaytest

import (
	"fmt"
	"math"
	"slices"

	"github.com/trefoil-im/trefoil/relay/store"
)

func keys(p *probe) {
	for _, t := range store.Schema {
		r := p.ready(t, 1)
		before := p.dump()
		p.refused(p.insert(t, r), store.ErrExists, t.Name)
		if p.dump() != before {
			p.Fatalf("%s: an insertion that was refused changed something", t.Name)
		}
	}
}

// uniques makes a row that is row 2 but for what must be unique, which it has from row 1.
func uniques(p *probe) {
	for _, t := range store.Schema {
		for _, x := range t.Indexes {
			if !x.Unique {
				continue
			}
			first := p.ready(t, 1)
			second := p.ready(t, 2)
			p.must(p.update(func(tx store.Tx) error { return remove(tx, t, second) }))
			for _, name := range x.Columns {
				second[column(t, name)] = first[column(t, name)]
			}
			if equal(store.Row(t.Key(second)), store.Row(t.Key(first))) {
				continue // the key says so already
			}
			p.refused(p.insert(t, second), store.ErrExists, t.Name+" "+x.Name)
			p.refused(p.update(func(tx store.Tx) error { return tx.Put(t, second) }), store.ErrExists, t.Name+" "+x.Name)
		}
	}
}

// remove deletes a row and all rows with the same numbers that refer to it.
func remove(tx store.Tx, t *store.Table, r store.Row) error {
	for _, by := range slices.Backward(store.Schema) {
		if by == t {
			break
		}
		for _, ref := range by.Refer {
			if ref.Table != t {
				continue
			}
			rows, err := tx.Scan(by, store.Query{Limit: page})
			if err != nil {
				return err
			}
			for _, child := range rows {
				if refers(by, ref, child, t.Key(r)) {
					if err := remove(tx, by, child); err != nil {
						return err
					}
				}
			}
		}
	}
	return tx.Delete(t, t.Key(r))
}

func refers(by *store.Table, ref store.Reference, child store.Row, k store.Key) bool {
	for i, name := range ref.Columns {
		c := column(by, name)
		if store.Compare(child[c:c+1], k[i:i+1]) != 0 {
			return false
		}
	}
	return true
}

// references shows for each one that no row is written without what it refers to, and that this cannot be deleted.
func references(p *probe) {
	for _, t := range store.Schema {
		for _, ref := range t.Refer {
			what := t.Name + " to " + ref.Table.Name
			r := p.ready(t, 1)
			parent := store.Key{}
			for _, name := range ref.Columns {
				parent = append(parent, r[column(t, name)])
			}
			p.refused(p.update(func(tx store.Tx) error { return tx.Delete(ref.Table, parent) }), store.ErrConstraint, what)
			orphan := r.Clone()
			for _, name := range ref.Columns {
				c := t.Columns[column(t, name)]
				orphan[column(t, name)] = value(t, c, 77) // no row 77 was written
			}
			if t.Below != nil && store.Compare(orphan[:1], orphan[1:2]) > 0 {
				orphan[0], orphan[1] = orphan[1], orphan[0]
			}
			p.refused(p.update(func(tx store.Tx) error {
				if err := tx.Delete(t, t.Key(r)); err != nil && !isReferred(t) {
					return err
				}
				return tx.Put(t, orphan)
			}), store.ErrConstraint, what)
		}
	}
}

// isReferred reports whether rows of a table are referred to, so that they may not be deleted.
func isReferred(t *store.Table) bool {
	return slices.ContainsFunc(store.Schema, func(by *store.Table) bool {
		return slices.ContainsFunc(by.Refer, func(ref store.Reference) bool { return ref.Table == t })
	})
}

// ranges writes each column one too short or low, and one too long or high, and of another type.
func ranges(p *probe) {
	for _, t := range store.Schema {
		good := p.ready(t, 1)
		for i, c := range t.Columns {
			bad := []any{nil, "text", 1.5, int64(7)}
			if c.IsBytes {
				bad = append(bad, []byte(nil), data("long", int(c.Max)+1))
				if c.Min > 0 {
					bad = append(bad, make([]byte, c.Min-1))
				}
			} else {
				bad = append(bad[:3], []byte("bytes"))
				if c.Max < math.MaxInt64 {
					bad = append(bad, c.Max+1)
				}
				bad = append(bad, c.Min-1)
			}
			for _, v := range bad {
				r := good.Clone()
				r[i] = v
				what := fmt.Sprintf("%s.%s of %T", t.Name, c.Name, v)
				p.refused(p.update(func(tx store.Tx) error { return tx.Put(t, r) }), store.ErrConstraint, what)
			}
		}
		p.refused(p.insert(t, good[1:]), store.ErrConstraint, t.Name+" without a column")
	}
}

func below(p *probe) {
	for _, t := range store.Schema {
		if t.Below == nil {
			continue
		}
		r := p.ready(t, 1)
		low, high := column(t, t.Below[0]), column(t, t.Below[1])
		r[low], r[high] = r[high], r[low]
		p.refused(p.update(func(tx store.Tx) error { return tx.Put(t, r) }), store.ErrConstraint, t.Name)
		r[low] = r[high]
		p.refused(p.update(func(tx store.Tx) error { return tx.Put(t, r) }), store.ErrConstraint, t.Name)
	}
}

package store

import "slices"

// memoryTable holds the rows of a table in the orders in which they are scanned.
type memoryTable struct {
	t      *Table
	orders map[string]*memoryOrder // by the name of the index, "" for the key
}

func newMemoryTable(t *Table) *memoryTable {
	mt := &memoryTable{t, make(map[string]*memoryOrder)}
	for _, x := range append([]Index{{}}, t.Indexes...) {
		places, err := t.Order(x.Name)
		if err != nil {
			panic(err) // not of an index that the table has
		}
		mt.orders[x.Name] = &memoryOrder{places: places}
	}
	return mt
}

// find returns the row of a key.
func (mt *memoryTable) find(k []any) (Row, bool) {
	o := mt.orders[""]
	if near := o.from(k, nil); len(near) > 0 && o.begins(*near[0], k) {
		return *near[0], true
	}
	return nil, false
}

func (mt *memoryTable) add(r *Row) {
	for _, o := range mt.orders {
		o.rows = slices.Insert(o.rows, o.place(*r), r)
	}
}

func (mt *memoryTable) remove(r Row) {
	for _, o := range mt.orders {
		i := o.place(r)
		o.rows = slices.Delete(o.rows, i, i+1)
	}
}

// refers reports whether a row refers to the row of that key in another table.
func (mt *memoryTable) refers(ref Reference, k []any) bool {
	places := mt.t.places(ref.Columns)
	for _, o := range mt.orders {
		if len(places) <= len(o.places) && slices.Equal(o.places[:len(places)], places) {
			near := o.from(k, nil)
			return len(near) > 0 && o.begins(*near[0], k)
		}
	}
	return slices.ContainsFunc(mt.orders[""].rows, func(r *Row) bool { return Compare(pick(*r, places), k) == 0 })
}

// places returns where columns are.
func (t *Table) places(names []string) []int {
	var places []int
	for _, name := range names {
		places = append(places, t.column(name))
	}
	return places
}

// memoryOrder is rows in ascending order of some columns, no two of which are alike in all of them.
type memoryOrder struct {
	places []int
	rows   []*Row
}

// place returns where a row is, or would be.
func (o *memoryOrder) place(r Row) int {
	i, _ := slices.BinarySearchFunc(o.rows, pick(r, o.places), o.compare)
	return i
}

// compare compares the first columns of a row, in this order, with values.
func (o *memoryOrder) compare(r *Row, values []any) int {
	for i, v := range values {
		if c := compare((*r)[o.places[i]], v); c != 0 {
			return c
		}
	}
	return 0
}

// begins reports whether the first columns of a row, in this order, have these values.
func (o *memoryOrder) begins(r Row, values []any) bool { return o.compare(&r, values) == 0 }

// from returns the rows from the first one on that begins with equal; if after is given, those whose other columns are above it.
func (o *memoryOrder) from(equal, after []any) []*Row {
	at, found := slices.BinarySearchFunc(o.rows, slices.Concat(equal, after), o.compare)
	if found && after != nil {
		at++
	}
	return o.rows[at:]
}

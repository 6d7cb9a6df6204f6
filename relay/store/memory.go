package store

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// Memory is a Store that forgets everything when the program ends: for tests, and to try things out. It checks what a database
// checks. Its rows lie in sorted slices, so that a write takes time in proportion to the rows of the table. The zero Memory is
// empty and ready; it must not be copied.
type Memory struct {
	mu     sync.RWMutex
	tables map[*Table]*memoryTable
}

// NewMemory returns an empty Memory.
func NewMemory() *Memory { return new(Memory) }

// View implements Store.
func (m *Memory) View(ctx context.Context, f func(Reader) error) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	tx := &memoryTx{ctx: ctx, m: m}
	defer tx.end()
	if err := f(tx.reader()); err != nil {
		return err
	}
	return tx.err
}

// Update implements Store.
func (m *Memory) Update(ctx context.Context, f func(Tx) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.tables == nil {
		m.tables = make(map[*Table]*memoryTable)
		for _, t := range Schema {
			m.tables[t] = newMemoryTable(t)
		}
	}
	tx := &memoryTx{ctx: ctx, m: m}
	done := false
	defer func() {
		if !done { // f failed or panics
			for _, undo := range slices.Backward(tx.undo) {
				undo()
			}
		}
		tx.end()
	}()
	if err := f(tx); err != nil {
		return err
	}
	if tx.err == nil {
		tx.err = ctx.Err()
	}
	done = tx.err == nil
	return tx.err
}

// memoryTx is a transaction, which writes in place and remembers how to undo it.
type memoryTx struct {
	ctx  context.Context
	m    *Memory
	undo []func()
	err  error // the first one
}

// end makes the transaction useless for who kept it.
func (tx *memoryTx) end() { tx.err = fmt.Errorf("%w: the transaction has ended", ErrClosed) }

// reader hides the methods that write.
func (tx *memoryTx) reader() Reader { return struct{ Reader }{tx} }

// at returns a table, or the error that ended the transaction.
func (tx *memoryTx) at(t *Table) (*memoryTable, error) {
	if tx.err == nil {
		tx.err = tx.ctx.Err()
	}
	if tx.err != nil {
		return nil, tx.err
	}
	mt := tx.m.tables[t]
	if mt == nil && tx.m.tables != nil {
		tx.err = fmt.Errorf("%w: no table %s", ErrConstraint, t.Name)
	}
	if mt == nil {
		mt = newMemoryTable(t)
	}
	return mt, tx.err
}

// failed notes an error.
func (tx *memoryTx) failed(err error) error {
	if err != nil {
		tx.err = err
	}
	return err
}

// Get implements Reader.
func (tx *memoryTx) Get(t *Table, keys ...Key) ([]Row, error) {
	mt, err := tx.at(t)
	if err != nil {
		return nil, err
	}
	var out []Row
	for _, k := range keys {
		if err := t.CheckKey(k); err != nil {
			return nil, tx.failed(err)
		}
		if r, found := mt.find(k); found {
			out = append(out, r.Clone())
		}
	}
	slices.SortFunc(out, func(a, b Row) int { return Compare(t.Key(a), t.Key(b)) })
	return slices.CompactFunc(out, func(a, b Row) bool { return Compare(t.Key(a), t.Key(b)) == 0 }), nil
}

// Scan implements Reader.
func (tx *memoryTx) Scan(t *Table, q Query) ([]Row, error) {
	mt, err := tx.at(t)
	if err != nil {
		return nil, err
	}
	if _, err := t.CheckQuery(q); err != nil {
		return nil, tx.failed(err)
	}
	var out []Row
	for _, r := range mt.orders[q.Index].from(q.Equal, q.After) {
		if len(out) >= q.Limit || !mt.orders[q.Index].begins(*r, q.Equal) {
			break
		}
		out = append(out, r.Clone())
	}
	return out, nil
}

// Insert implements Tx.
func (tx *memoryTx) Insert(t *Table, rows ...Row) error {
	return tx.write(t, rows, func(mt *memoryTable, r Row) error {
		if _, found := mt.find(t.Key(r)); found {
			return fmt.Errorf("%w: a row of %s", ErrExists, t.Name)
		}
		return nil
	})
}

// Put implements Tx.
func (tx *memoryTx) Put(t *Table, rows ...Row) error {
	return tx.write(t, rows, func(mt *memoryTable, r Row) error {
		if old, found := mt.find(t.Key(r)); found {
			tx.remove(mt, old)
		}
		return nil
	})
}

func (tx *memoryTx) write(t *Table, rows []Row, before func(*memoryTable, Row) error) error {
	mt, err := tx.at(t)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if err := t.CheckRow(r); err != nil {
			return tx.failed(err)
		}
		if err := before(mt, r); err != nil {
			return tx.failed(err)
		}
		if err := tx.refuses(mt, r); err != nil {
			return tx.failed(err)
		}
		tx.add(mt, r.Clone())
	}
	return nil
}

// refuses returns why a row cannot be added beside the others: something unique is taken, or what it refers to is missing.
func (tx *memoryTx) refuses(mt *memoryTable, r Row) error {
	for _, x := range mt.t.Indexes {
		o := mt.orders[x.Name]
		values := pick(r, o.places[:len(x.Columns)])
		if near := o.from(values, nil); x.Unique && len(near) > 0 && o.begins(*near[0], values) {
			return fmt.Errorf("%w: %s of %s", ErrExists, x.Name, mt.t.Name)
		}
	}
	for _, ref := range mt.t.Refer {
		if _, found := tx.m.tables[ref.Table].find(pick(r, mt.t.places(ref.Columns))); !found {
			return fmt.Errorf("%w: %s refers to no row of %s", ErrConstraint, mt.t.Name, ref.Table.Name)
		}
	}
	return nil
}

// Delete implements Tx.
func (tx *memoryTx) Delete(t *Table, keys ...Key) error {
	mt, err := tx.at(t)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if err := t.CheckKey(k); err != nil {
			return tx.failed(err)
		}
		r, found := mt.find(k)
		if !found {
			continue
		}
		for _, by := range Schema {
			for _, ref := range by.Refer {
				if ref.Table == t && tx.m.tables[by].refers(ref, k) {
					return tx.failed(fmt.Errorf("%w: %s refers to a row of %s", ErrConstraint, by.Name, t.Name))
				}
			}
		}
		tx.remove(mt, r)
	}
	return nil
}

func (tx *memoryTx) add(mt *memoryTable, r Row) {
	mt.add(&r)
	tx.undo = append(tx.undo, func() { mt.remove(r) })
}

func (tx *memoryTx) remove(mt *memoryTable, r Row) {
	mt.remove(r)
	tx.undo = append(tx.undo, func() { mt.add(&r) })
}

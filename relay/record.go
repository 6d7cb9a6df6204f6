package relay

import (
	"fmt"
	"reflect"

	"github.com/trefoil-im/trefoil/relay/store"
)

// record is a row as a struct: fields returns pointers to what stands in the columns.
type record[T any] interface {
	*T
	fields() []any
}

// table is a store.Table whose rows are of type T.
type table[T any, P record[T]] struct{ t *store.Table }

// get returns the row of a key; ok is false if there is none.
func (t table[T, P]) get(r store.Reader, key ...any) (out T, ok bool, err error) {
	rows, err := r.Get(t.t, values(key))
	if err != nil || len(rows) == 0 {
		return out, false, err
	}
	return t.parse(rows[0]), true, nil
}

// all returns the rows of some keys, in the order of the keys.
func (t table[T, P]) all(r store.Reader, keys []store.Key) ([]T, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	return t.parseAll(r.Get(t.t, keys...))
}

// scan returns at most limit rows of an index that begin with equal.
func (t table[T, P]) scan(r store.Reader, limit int, index string, equal ...any) ([]T, error) {
	return t.parseAll(r.Scan(t.t, store.Query{Index: index, Equal: values(equal), Limit: limit}))
}

// after is scan from behind a place: the values of all columns of the index, and of the key, that come after those of equal.
func (t table[T, P]) after(r store.Reader, limit int, index string, equal, after store.Key) ([]T, error) {
	return t.parseAll(r.Scan(t.t, store.Query{Index: index, Equal: values(equal), After: values(after), Limit: limit}))
}

// has reports whether an index has a row that begins with equal.
func (t table[T, P]) has(r store.Reader, index string, equal ...any) (bool, error) {
	rows, err := t.scan(r, 1, index, equal...)
	return len(rows) > 0, err
}

func (t table[T, P]) insert(tx store.Tx, records ...T) error {
	return tx.Insert(t.t, t.rows(records)...)
}
func (t table[T, P]) put(tx store.Tx, records ...T) error { return tx.Put(t.t, t.rows(records)...) }

// remove deletes the rows of records.
func (t table[T, P]) remove(tx store.Tx, records ...T) error {
	var keys []store.Key
	for _, r := range t.rows(records) {
		keys = append(keys, t.t.Key(r))
	}
	return tx.Delete(t.t, keys...)
}

// clear deletes all rows of an index that begin with equal, batch by batch.
func (t table[T, P]) clear(tx store.Tx, index string, equal ...any) error {
	for {
		rows, err := t.scan(tx, batch, index, equal...)
		if err != nil || len(rows) == 0 {
			return err
		}
		if err := t.remove(tx, rows...); err != nil {
			return err
		}
	}
}

func (t table[T, P]) rows(records []T) []store.Row {
	rows := make([]store.Row, len(records))
	for i := range records {
		for _, f := range P(&records[i]).fields() {
			rows[i] = append(rows[i], value(reflect.ValueOf(f).Elem()))
		}
	}
	return rows
}

func (t table[T, P]) parseAll(rows []store.Row, err error) ([]T, error) {
	if err != nil {
		return nil, err
	}
	out := make([]T, len(rows))
	for i, r := range rows {
		out[i] = t.parse(r)
	}
	return out, nil
}

// parse reads a row, whose form the store has checked.
func (t table[T, P]) parse(r store.Row) (out T) {
	for i, f := range P(&out).fields() {
		v := reflect.ValueOf(f).Elem()
		switch v.Kind() {
		case reflect.Array:
			reflect.Copy(v, reflect.ValueOf(r[i]))
		case reflect.Slice:
			v.SetBytes(r[i].([]byte))
		case reflect.String:
			v.SetString(string(r[i].([]byte)))
		case reflect.Bool:
			v.SetBool(r[i] != int64(0))
		case reflect.Int64:
			v.SetInt(r[i].(int64))
		default:
			v.SetUint(uint64(r[i].(int64)))
		}
	}
	return out
}

// values returns Go values as those of a store.
func values(all []any) store.Key {
	if all == nil {
		return nil
	}
	out := make(store.Key, len(all))
	for i, v := range all {
		out[i] = value(reflect.ValueOf(v))
	}
	return out
}

func value(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Array:
		b := make([]byte, v.Len())
		reflect.Copy(reflect.ValueOf(b), v)
		return b
	case reflect.Slice:
		if v.IsNil() {
			return []byte{}
		}
		return v.Bytes()
	case reflect.String:
		return []byte(v.String())
	case reflect.Bool:
		if v.Bool() {
			return int64(1)
		}
		return int64(0)
	case reflect.Int, reflect.Int64:
		return v.Int()
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		return int64(v.Uint())
	}
	panic(fmt.Sprintf("relay: no column is of %v", v.Type()))
}

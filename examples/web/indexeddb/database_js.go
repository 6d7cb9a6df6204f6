package indexeddb

import (
	"context"
	"errors"
	"fmt"
	"syscall/js"
)

// database is a database of IndexedDB: object stores of bytes by bytes.
type database struct {
	js.Value
	stores []any
}

// open opens a database with some object stores.
func open(ctx context.Context, name string, stores ...any) (db database, err error) {
	defer thrown(&err)
	if err := ctx.Err(); err != nil {
		return db, err
	}
	req := js.Global().Get("indexedDB").Call("open", name, 1)
	made := js.FuncOf(func(js.Value, []js.Value) any {
		for _, s := range stores {
			req.Get("result").Call("createObjectStore", s)
		}
		return nil
	})
	defer made.Release()
	req.Set("onupgradeneeded", made)
	v, err := await(req)
	return database{v, stores}, err
}

func (d database) close() { d.Call("close") }

// do runs a function in a transaction of all object stores, and returns once it is durable, or was undone because of an error.
//
// A transaction of IndexedDB ends when its page goes on to something else and no request is under way. f may therefore wait for
// its requests and for nothing else.
func (d database) do(ctx context.Context, writes bool, f func(transaction) error) (err error) {
	defer thrown(&err)
	if err := ctx.Err(); err != nil {
		return err
	}
	mode := "readonly"
	if writes {
		mode = "readwrite"
	}
	t := transaction{d.Call("transaction", js.ValueOf(d.stores), mode, map[string]any{"durability": "strict"})}
	ended := make(chan error, 1)
	defer on(t.Value, "oncomplete", func() { ended <- nil })()
	defer on(t.Value, "onabort", func() { ended <- failure(t.Value) })()
	if err := t.run(f); err != nil {
		t.abort()
		<-ended
		return err
	}
	return <-ended
}

// transaction is a transaction while it goes on.
type transaction struct{ js.Value }

func (t transaction) run(f func(transaction) error) (err error) {
	defer thrown(&err)
	return f(t)
}

// abort undoes a transaction, unless it has ended by itself, which is an exception.
func (t transaction) abort() {
	var ended error
	defer thrown(&ended)
	t.Call("abort")
}

func (t transaction) get(from string, key []byte) ([]byte, bool, error) {
	v, err := await(t.Call("objectStore", from).Call("get", toJS(key)))
	if err != nil || v.IsUndefined() {
		return nil, false, err
	}
	return fromJS(v), true, nil
}

func (t transaction) put(into string, key, value []byte) error {
	_, err := await(t.Call("objectStore", into).Call("put", toJS(value), toJS(key)))
	return err
}

func (t transaction) remove(from string, key []byte) error {
	_, err := await(t.Call("objectStore", from).Call("delete", toJS(key)))
	return err
}

// keys returns at most limit keys above one, up to another one.
func (t transaction) keys(of string, above, upTo []byte, limit int) (out [][]byte, err error) {
	between := js.Global().Get("IDBKeyRange").Call("bound", toJS(above), toJS(upTo), true, false)
	v, err := await(t.Call("objectStore", of).Call("getAllKeys", between, limit))
	if err != nil {
		return nil, err
	}
	for i := range v.Length() {
		out = append(out, fromJS(js.Global().Get("Uint8Array").New(v.Index(i))))
	}
	return out, nil
}

// on has a function be called for an event, and returns what ends that.
func on(v js.Value, event string, f func()) (end func()) {
	callback := js.FuncOf(func(js.Value, []js.Value) any {
		f()
		return nil
	})
	v.Set(event, callback)
	return callback.Release
}

// await waits for a request. The goroutine that waits goes on before the page goes on to something else, so that the transaction of the
// request has not ended.
func await(req js.Value) (js.Value, error) {
	ended := make(chan error, 1)
	defer on(req, "onsuccess", func() { ended <- nil })()
	defer on(req, "onerror", func() { ended <- failure(req) })()
	if err := <-ended; err != nil {
		return js.Value{}, err
	}
	return req.Get("result"), nil
}

// failure returns the error of a request or a transaction.
func failure(of js.Value) error {
	if e := of.Get("error"); e.Truthy() {
		return fmt.Errorf("indexeddb: %s: %s", e.Get("name").String(), e.Get("message").String())
	}
	return errors.New("indexeddb: aborted")
}

// thrown makes an error of an exception of JavaScript.
func thrown(err *error) {
	switch e := recover().(type) {
	case nil:
	case js.Error:
		*err = fmt.Errorf("indexeddb: %w", e)
	default:
		panic(e)
	}
}

func toJS(b []byte) js.Value {
	v := js.Global().Get("Uint8Array").New(len(b))
	js.CopyBytesToJS(v, b)
	return v
}

func fromJS(v js.Value) []byte {
	b := make([]byte, v.Length())
	js.CopyBytesToGo(b, v)
	return b
}

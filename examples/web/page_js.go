package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"syscall/js"

	"github.com/trefoil-im/trefoil/examples/chat/app"
	"github.com/trefoil-im/trefoil/examples/web/indexeddb"
	"github.com/trefoil-im/trefoil/state"
)

// The program of the page: the same as that of the terminal, with the database of the browser and two elements of the page.
func main() {
	lines := make(chan string, 100)
	js.Global().Set("do", js.FuncOf(func(_ js.Value, args []js.Value) any {
		lines <- args[0].String()
		return nil
	}))
	if err := run(context.Background(), lines); err != nil {
		show("error: " + err.Error())
	}
}

// show adds a line to the page.
func show(line string) { js.Global().Call("show", line) }

func run(ctx context.Context, lines <-chan string) error {
	s, err := indexeddb.Open(ctx, "chat")
	if err != nil {
		return err
	}
	key, err := storedKey()
	if err != nil {
		return err
	}
	location := js.Global().Get("location")
	name := js.Global().Get("URLSearchParams").New(location.Get("search")).Call("get", "name")
	o := app.Options{URL: location.Get("origin").String(), Name: "Browser", Show: show}
	if name.Truthy() {
		o.Name = name.String()
	}
	a, err := app.Open(ctx, s, key, o)
	if err != nil {
		return err
	}
	go func() { show(fmt.Sprint("error: ", a.Run(ctx))) }()
	// A link that was opened is joined by, once: a page that is loaded again has no link any more.
	if location.Get("hash").String() != "" {
		link := location.Get("href").String()
		js.Global().Get("history").Call("replaceState", nil, "", location.Get("pathname").String()+location.Get("search").String())
		do(ctx, a, "/join "+link)
	}
	for line := range lines {
		do(ctx, a, line)
	}
	return nil
}

func do(ctx context.Context, a *app.App, line string) {
	if err := a.Do(ctx, line); err != nil {
		show("error: " + err.Error())
	}
}

// storedKey returns the key that everything is sealed under. A browser has no key store for pages, so whoever reads its profile has the
// key and what it seals.
func storedKey() (state.Key, error) {
	storage := js.Global().Get("localStorage")
	text := storage.Call("getItem", "key")
	if text.IsNull() {
		raw := make([]byte, 32)
		rand.Read(raw)
		storage.Call("setItem", "key", hex.EncodeToString(raw))
		return state.NewKey(raw)
	}
	raw, err := hex.DecodeString(text.String())
	if err != nil {
		return state.Key{}, err
	}
	return state.NewKey(raw)
}

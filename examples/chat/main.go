// Chat is a chat program for a terminal, with the server of examples/backend:
//
//	go run ./examples/backend
//	go run ./examples/chat -home ann -name Ann
//	go run ./examples/chat -home bob -name Bob
//
// It reads commands and messages line by line from its standard input, so that a script can use it like a person: /help lists them.
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/boombuler/barcode/qr"
	_ "modernc.org/sqlite"

	"github.com/trefoil-im/trefoil/examples/chat/app"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/sqlstore"
)

func main() {
	home := flag.String("home", "chat", "the directory that this device lives in")
	server := flag.String("server", "http://localhost:8080", "the URL of the server")
	name := flag.String("name", "somebody", "what others see of you in spaces")
	further := flag.Bool("further", false, "this device is a further one of a person: /accept the code that the other one shows")
	verbose := flag.Bool("verbose", false, "say on standard error what goes wrong and is tried again")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o := app.Options{URL: *server, Name: *name, Files: files(filepath.Join(*home, "files")), Further: *further}
	if *verbose {
		o.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	var mu sync.Mutex
	o.Show = func(line string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Println(line)
	}
	o.ShowURL = func(url string) { o.Show(codeOf(url)) }
	if err := run(ctx, *home, os.Stdin, o); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run is a device until its input or ctx ends.
func run(ctx context.Context, home string, in io.Reader, o app.Options) error {
	key, err := keyOf(home)
	if err != nil {
		return err
	}
	db, err := sql.Open("sqlite", filepath.Join(home, "chat.db"))
	if err != nil {
		return err
	}
	defer db.Close()
	s, err := sqlstore.SQLite(ctx, db)
	if err != nil {
		return err
	}
	a, err := app.Open(ctx, s, key, o)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var ran sync.WaitGroup
	defer ran.Wait()
	defer cancel()
	ran.Go(func() { a.Run(ctx) })
	for lines := linesOf(in); ; {
		select {
		case line, ok := <-lines:
			if !ok {
				return nil
			}
			if err := a.Do(ctx, line); err != nil {
				o.Show("error: " + err.Error())
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// linesOf returns the lines of a reader. Nothing can end a read from a terminal, so it goes on until the program ends.
func linesOf(in io.Reader) <-chan string {
	out := make(chan string)
	go func() {
		defer close(out)
		for lines := bufio.NewScanner(in); lines.Scan(); {
			out <- lines.Text()
		}
	}()
	return out
}

// keyOf returns the key that everything is sealed under. A program for people keeps it where the platform keeps keys, not in a file
// beside what it seals: see package state/vaultkey.
func keyOf(home string) (state.Key, error) {
	if err := os.MkdirAll(home, 0o700); err != nil {
		return state.Key{}, err
	}
	name := filepath.Join(home, "key")
	raw, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		raw = make([]byte, 32)
		rand.Read(raw)
		err = os.WriteFile(name, raw, 0o600)
	}
	if err != nil {
		return state.Key{}, err
	}
	return state.NewKey(raw)
}

// files are those of this machine; what comes is saved in one directory, beside nothing else.
type files string

func (f files) Open(name string) (io.ReadCloser, error) { return os.Open(name) }

func (f files) Create(name string) (io.WriteCloser, error) {
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return nil, err
	}
	return os.OpenFile(filepath.Join(string(f), name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

// codeOf returns a QR code in half blocks, dark on light, with the margin that readers need.
func codeOf(url string) string {
	code, err := qr.Encode(url, qr.L, qr.Auto)
	if err != nil {
		return "the link is too long for a code"
	}
	const margin = 4
	size := code.Bounds().Dx()
	dark := func(x, y int) bool {
		if x < 0 || y < 0 || x >= size || y >= size {
			return false
		}
		r, _, _, _ := code.At(x, y).RGBA()
		return r == 0
	}
	var out strings.Builder
	for y := -margin; y < size+margin; y += 2 {
		out.WriteString("\x1b[30;47m") // black on white, whatever the terminal has
		for x := -margin; x < size+margin; x++ {
			switch top, bottom := dark(x, y), dark(x, y+1); {
			case top && bottom:
				out.WriteString("█")
			case top:
				out.WriteString("▀")
			case bottom:
				out.WriteString("▄")
			default:
				out.WriteString(" ")
			}
		}
		out.WriteString("\x1b[0m\n")
	}
	return out.String()
}

// Inspect looks into a store: what each value holds, in sizes and numbers, what waits, and what is damaged. It shows nothing
// that was said, and no key.
//
//	go run ./examples/inspect
//
// makes a small store and looks into it. To look into one of your own, name its SQLite file and a file with the vault's key
// in 64 hexadecimal digits; the program that uses it may go on meanwhile:
//
//	go run ./examples/inspect -key key.hex trefoil.db
package main

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	_ "modernc.org/sqlite"

	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/session"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/inspect"
	"github.com/trefoil-im/trefoil/state/sqlstore"
	"github.com/trefoil-im/trefoil/state/store"
)

// The exit statuses.
const (
	statusFine    = 0
	statusDamaged = 1 // something is damaged, or the file could not be looked into
	statusUsage   = 2
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("inspect", flag.ContinueOnError)
	flags.SetOutput(stderr)
	keyFile := flags.String("key", "", "`file` with the vault's key, 64 hexadecimal digits")
	switch err := flags.Parse(args); {
	case err == flag.ErrHelp:
		return statusFine
	case err != nil:
		return statusUsage
	case flags.NArg() > 1 || (flags.NArg() == 1) != (*keyFile != ""):
		fmt.Fprintln(stderr, "inspect: a database and its key go together: inspect -key file database")
		return statusUsage
	}
	var damaged int
	var err error
	if flags.NArg() == 0 {
		damaged, err = sample(ctx, stdout)
	} else {
		damaged, err = lookInto(ctx, flags.Arg(0), *keyFile, stdout)
	}
	if err != nil {
		fmt.Fprintf(stderr, "inspect: %v\n", err)
	}
	if err != nil || damaged > 0 {
		return statusDamaged
	}
	return statusFine
}

// lookInto shows what a database holds.
func lookInto(ctx context.Context, path, keyFile string, out io.Writer) (damaged int, err error) {
	key, err := readKey(keyFile)
	if err != nil {
		return 0, err
	}
	if _, err := os.Stat(path); err != nil {
		return 0, err // SQLite would make a new file
	}
	err = withStore(ctx, path, func(s store.Store) (err error) {
		damaged, err = show(ctx, s, key, out)
		return err
	})
	return damaged, err
}

func readKey(path string) (state.Key, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return state.Key{}, err
	}
	b, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		return state.Key{}, fmt.Errorf("%s does not hold %d hexadecimal digits", path, 2*state.KeySize)
	}
	return state.NewKey(b)
}

// withStore opens a database for as long as use runs.
func withStore(ctx context.Context, path string, use func(store.Store) error) (err error) {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	s, err := sqlstore.SQLite(ctx, db)
	if err != nil {
		return err
	}
	return errors.Join(use(s), s.Close())
}

// show prints every value of a store, and returns in how many something is damaged.
func show(ctx context.Context, s store.Store, key state.Key, out io.Writer) (damaged int, err error) {
	spaces, err1 := state.Open[ratchet.Space](ctx, s, key, state.Options{})
	sessions, err2 := state.Open[session.Session](ctx, s, key, state.Options{})
	devices, err3 := state.Open[session.StoredDevice](ctx, s, key, state.Options{})
	if err := errors.Join(err1, err2, err3); err != nil {
		return 0, err
	}
	var total inspect.Pending
	values := 0
	for _, v := range []vault{spaces, sessions, devices} {
		ids, err := v.List(ctx)
		if err != nil {
			return damaged, err
		}
		for _, id := range ids {
			value, err := v.Inspect(ctx, id)
			if errors.Is(err, state.ErrNotFound) {
				continue // deleted meanwhile
			}
			if err != nil {
				return damaged, err
			}
			fmt.Fprint(out, value)
			values++
			total.Outbox += value.Pending.Outbox
			total.Inbox += value.Pending.Inbox
			total.Retained += value.Pending.Retained
			if len(value.Problems) > 0 {
				damaged++
			}
		}
	}
	fmt.Fprintf(out, "%d values, %d damaged; %d frames to be sent, %d items to be read, %d frames retained\n",
		values, damaged, total.Outbox, total.Inbox, total.Retained)
	return damaged, nil
}

// vault is what the vaults of all types have in common here.
type vault interface {
	List(context.Context) ([]state.ID, error)
	Inspect(context.Context, state.ID) (inspect.Value, error)
}

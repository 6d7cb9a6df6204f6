// Direct shows direct conversations: registration, a first message to somebody who is offline, replies, both sides that
// start at once, a restart from disk, and a second device that is linked to the first.
//
//	go run ./examples/direct
//
// Each device is a program of its own, a client that keeps everything in one SQLite file. Between them is a server that holds
// registrations, pre-keys and mailboxes, and can read none of what it carries.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

// run returns the exit status: 0, 1 if something failed, 2 for flags that are malformed.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("direct", flag.ContinueOnError)
	flags.SetOutput(stderr)
	dir := flags.String("db", "", "keep the SQLite files in this `directory` (default a temporary one, removed at the end)")
	switch err := flags.Parse(args); {
	case err == flag.ErrHelp:
		return 0
	case err != nil:
		return 2
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "direct: unexpected argument %q\n", flags.Arg(0))
		return 2
	}
	if *dir == "" {
		temp, err := os.MkdirTemp("", "trefoil-direct-")
		if err != nil {
			fmt.Fprintln(stderr, "direct:", err)
			return 1
		}
		defer os.RemoveAll(temp)
		*dir = temp
	}
	if err := tell(ctx, *dir, stdout); err != nil {
		fmt.Fprintln(stderr, "direct:", err)
		return 1
	}
	return 0
}

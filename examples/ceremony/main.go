// Ceremony shows a signing key that five people hold together and any three can use: how it is made although one of
// them cheats, how shares are refreshed and repaired, and how three of them sign. Then it shows a space whose root owner key is such
// a key, and whose owner loses her device.
//
//	go run ./examples/ceremony
//
// Each person's side is stored before its messages are sent, and loaded again before each step, as after a crash.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

// run returns the exit status: 0, 1 if something failed, 2 for arguments, of which there are none.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 {
		fmt.Fprintf(stderr, "ceremony: unexpected argument %q\n", args[0])
		return 2
	}
	if err := tell(ctx, stdout); err != nil {
		fmt.Fprintln(stderr, "ceremony:", err)
		return 1
	}
	return 0
}

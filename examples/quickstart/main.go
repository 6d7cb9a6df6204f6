// Quickstart shows the library at work: people with a program each, which keeps everything in an SQLite file of its own,
// and a relay between them that sees envelopes only.
//
//	go run ./examples/quickstart
//
// plays and explains the cases for which the library was made. With -conversation it plays the lines of a file instead, if wanted
// over a network that repeats, delays and reorders, with members that are removed and keys that are made anew, and checks that
// everybody read everything that was sent to it exactly once, and nothing else.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/trefoil-im/trefoil/invite"
)

// The exit statuses.
const (
	statusFine    = 0
	statusMissing = 1 // something was not read, or something failed
	statusUsage   = 2 // flags or the conversation are malformed
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.SetOutput(stderr)
	conversation := flags.String("conversation", "", "play the lines of this `file`, each a name, a tab and a text, instead of the story")
	chaos := flags.Uint64("chaos", 0, "`seed` for a network that repeats, delays and reorders what -conversation sends; 0 is an orderly one")
	out := flags.String("out", "", "write what each member of -conversation read to name.tsv in this `directory`")
	public := flags.Bool("public", false, "let the members of -conversation join by one public link, instead of a private one each")
	rekey := flags.Int("rekey", 0, "have the owner of -conversation make the keys anew every `N` lines; 0 is never")
	var kicks []kick
	flags.Func("kick", "have the owner of -conversation remove NAME before line LINE is sent, as `NAME@LINE`; lines of NAME from then on are skipped; may be repeated", func(s string) error {
		k, err := parseKick(s)
		kicks = append(kicks, k)
		return err
	})
	db := flags.String("db", "", "keep the SQLite files in this `directory` (default a temporary one, removed at the end)")
	switch err := flags.Parse(args); {
	case err == flag.ErrHelp:
		return statusFine
	case err != nil:
		return statusUsage
	}
	usage := func(format string, args ...any) int {
		fmt.Fprintf(stderr, "quickstart: "+format+"\n", args...)
		return statusUsage
	}
	if flags.NArg() > 0 {
		return usage("unexpected argument %q", flags.Arg(0))
	}
	given := make(map[string]bool)
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if !given["conversation"] && (given["chaos"] || given["out"] || given["public"] || given["kick"] || given["rekey"]) {
		return usage("-chaos, -kick, -out, -public and -rekey go with -conversation")
	}
	if *rekey < 0 {
		return usage("-rekey %d: not a number of lines", *rekey)
	}
	var lines []line
	if given["conversation"] {
		file, err := os.ReadFile(*conversation)
		if err != nil {
			return usage("%v", err)
		}
		if lines, err = parseConversation(file); err != nil {
			return usage("%s: %v", *conversation, err)
		}
		if err := checkKicks(kicks, lines); err != nil {
			return usage("-kick: %v", err)
		}
	}
	fail := func(err error) int {
		fmt.Fprintf(stderr, "quickstart: %v\n", err)
		return statusMissing
	}
	dir := *db
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "quickstart-"); err != nil {
			return fail(err)
		}
		defer os.RemoveAll(dir)
	} else if err := os.MkdirAll(dir, 0o700); err != nil {
		return fail(err)
	}
	if lines == nil {
		if err := tellStory(ctx, dir, stdout); err != nil {
			return fail(err)
		}
		return statusFine
	}
	t := newTalk(dir, *chaos)
	t.kicks, t.rekey = kicks, *rekey
	if *public {
		t.places = places(len(names(lines)))
	}
	missing, err := playConversation(ctx, t, *out, lines, stdout)
	if err != nil {
		return fail(err)
	}
	for _, m := range missing {
		fmt.Fprintln(stderr, m)
	}
	if len(missing) > 0 {
		return statusMissing
	}
	return statusFine
}

// places returns how many places a public invite for so many people has: they draw one each, so that there are many more.
func places(people int) uint32 {
	return uint32((4*people + invite.Unit - 1) / invite.Unit * invite.Unit)
}

// playConversation plays lines and returns what is missing at the end.
func playConversation(ctx context.Context, t *talk, out string, lines []line, stdout io.Writer) (missing []string, err error) {
	defer func() {
		if cerr := t.close(); err == nil {
			err = cerr
		}
	}()
	if err := t.play(ctx, lines); err != nil {
		return nil, err
	}
	if out != "" {
		if err := t.save(ctx, out); err != nil {
			return nil, err
		}
	}
	if missing, err = t.missing(ctx, lines); err != nil {
		return nil, err
	}
	fmt.Fprintf(stdout, "%d lines by %d members in %d frames of %d KB: %d missing\n",
		len(lines), len(t.members), t.world.network.frames, t.world.network.bytes/1000, len(missing))
	return missing, nil
}

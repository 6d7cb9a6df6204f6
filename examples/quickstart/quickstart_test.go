package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/state/storetest"
)

// conversation makes lines by a number of people, who come one after the other.
func conversation(seed uint64, lines, people int) (out []line) {
	chance := rand.New(rand.NewPCG(seed, 0))
	for n := range lines {
		here := min(people, 1+n*people*2/lines)
		out = append(out, line{n + 1, fmt.Sprint("member ", chance.IntN(here)), strings.Repeat("é\t\r", chance.IntN(30))})
	}
	return out
}

func file(lines []line) (b []byte) {
	for _, l := range lines {
		b = fmt.Appendf(b, "%s\t%s\n", l.name, l.text)
	}
	return b
}

// The story runs, and everybody it names reads what it says.
func TestStory(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	require.Equal(t, statusFine, run(t.Context(), nil, &out, &errs), errs.String())
	text := out.String()
	require.Empty(t, errs.String())
	for _, want := range []string{
		`Bob   reads "welcome, Bob" by Ann`, `Ann   reads "I say coffee" by Bob`, `Cleo  reads "I say tea" by Ann`,
		`Ann   reads "sent by a program that had ended" by Bob`, `Bob   reads "six", "five", "four", "three", "two", "one" by Ann`,
		"place 2 is used", "place 3 is used",
	} {
		require.Contains(t, text, want)
	}
	require.Equal(t, 1, strings.Count(text, `Cleo  reads "six", "five", "four", "three", "two", "one" by Ann`))
	var shared []string
	for l := range strings.Lines(text) {
		if strings.Contains(l, "in epoch") {
			shared = append(shared, strings.Fields(l)[1])
		}
	}
	require.Len(t, shared, 3)
	require.Equal(t, shared[0], shared[1])
	require.Equal(t, shared[0], shared[2])
}

// G12: whatever the network does, everybody reads everything from its own first line on, once.
func TestConversationUnderChaos(t *testing.T) {
	t.Parallel()
	for _, seed := range []uint64{0, 1, 2, 3, 4} {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			dir, public := t.TempDir(), seed%2 == 1
			lines := conversation(seed, 60, 5)
			path := filepath.Join(dir, "conversation")
			require.NoError(t, os.WriteFile(path, file(lines), 0o600))
			var out, errs bytes.Buffer
			status := run(t.Context(), []string{
				"-conversation", path, "-chaos", fmt.Sprint(seed), fmt.Sprint("-public=", public), "-out", filepath.Join(dir, "out"), "-db", filepath.Join(dir, "db"),
			}, &out, &errs)
			require.Equal(t, statusFine, status, errs.String())
			first := make(map[string]int)
			for _, l := range lines {
				if first[l.name] == 0 {
					first[l.name] = l.number
				}
			}
			for name, from := range first {
				var want strings.Builder
				for _, l := range lines {
					if l.number >= from && l.name != name {
						fmt.Fprintf(&want, "%d\t%s\t%s\n", l.number, l.name, l.text)
					}
				}
				got, err := os.ReadFile(filepath.Join(dir, "out", name+".tsv"))
				require.NoError(t, err)
				require.Equal(t, want.String(), string(got), name)
				require.FileExists(t, filepath.Join(dir, "db", name+".db"))
			}
		})
	}
}

// G4: the same with stores of which every twentieth call fails, before it was carried out or after.
func TestConversationOnFailingStores(t *testing.T) {
	t.Parallel()
	for _, seed := range []uint64{1, 2} {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			lines := conversation(seed, 40, 4)
			talk := newTalk(t.TempDir(), seed)
			failed := make(chan struct{}, 1<<20)
			stores := uint64(0)
			talk.world.wrap = func(s store.Store) store.Store {
				stores++
				chance := rand.New(rand.NewPCG(seed, stores))
				return storetest.Fail(s, func(c storetest.Call) storetest.Fault {
					if c.N <= 3 || chance.IntN(20) > 0 { // the first calls are those of Open
						return storetest.None
					}
					failed <- struct{}{}
					return storetest.Fault(1 + chance.IntN(2))
				})
			}
			require.NoError(t, talk.play(t.Context(), lines))
			require.Empty(t, talk.missing(lines))
			require.NoError(t, talk.close())
			require.Greater(t, len(failed), 50, "stores did fail")
		})
	}
}

// Long lines travel in several messages, empty ones in one, and none is changed.
func TestAnyText(t *testing.T) {
	t.Parallel()
	texts := []string{
		"", "\t", " \r", "\x00\x01", "<&>\u2028", strings.Repeat("long ", 40_000), strings.Repeat("\x01", 20_000),
		strings.Repeat("€", maxText), `{"line":7}`,
	}
	lines := []line{{1, "ann", "first"}, {2, "bob", "second"}}
	for _, text := range texts {
		lines = append(lines, line{len(lines) + 1, "ann", text})
	}
	parsed, err := parseConversation(file(lines))
	require.NoError(t, err)
	require.Equal(t, lines, parsed)
	talk := newTalk(t.TempDir(), 3)
	require.NoError(t, talk.play(t.Context(), lines))
	require.Empty(t, talk.missing(lines))
	require.NoError(t, talk.close())
}

// A check that cannot fail would be worth nothing.
func TestMissingIsFound(t *testing.T) {
	t.Parallel()
	lines := []line{{1, "ann", "a"}, {2, "bob", "b"}, {3, "ann", "c"}}
	talk := newTalk(t.TempDir(), 0)
	require.NoError(t, talk.play(t.Context(), lines))
	require.NoError(t, talk.close())
	require.Empty(t, talk.missing(lines))
	bob := talk.byName["bob"]
	require.Equal(t, []line{{3, "ann", "c"}}, bob.read, "what was said before he came is not his")

	read := bob.read
	bob.read = nil
	require.Equal(t, []string{"bob read line 3 by ann 0 times"}, talk.missing(lines))
	bob.read = append(read, read...)
	require.Equal(t, []string{"bob read line 3 by ann 2 times"}, talk.missing(lines))
	bob.read = append(read, line{1, "ann", "a"})
	require.Equal(t, []string{"bob read a line 1 by ann that was not sent to it"}, talk.missing(lines))
	bob.read = []line{{3, "ann", "x"}}
	require.Len(t, talk.missing(lines), 2)
}

// One clear error and status 2 for what is malformed.
func TestUsage(t *testing.T) {
	dir := t.TempDir()
	write := func(text string) string {
		path := filepath.Join(dir, "malformed")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"unknown flag": {[]string{"-x"}, "-x"},
		"argument":     {[]string{"file"}, `"file"`},
		"chaos alone":  {[]string{"-chaos", "1"}, "-conversation"},
		"out alone":    {[]string{"-out", dir}, "-conversation"},
		"public alone": {[]string{"-public"}, "-conversation"},
		"bad seed":     {[]string{"-chaos", "x"}, "-chaos"},
		"no file":      {[]string{"-conversation", filepath.Join(dir, "none")}, "none"},
		"empty name":   {[]string{"-conversation", ""}, "no such file"},
		"no tab":       {[]string{"-conversation", write("ann\ta\nbob")}, "line 2"},
	} {
		var out, errs bytes.Buffer
		require.Equal(t, statusUsage, run(t.Context(), c.args, &out, &errs), name)
		require.Contains(t, errs.String(), c.want, name)
		require.Empty(t, out.String(), name)
	}
	var out, errs bytes.Buffer
	require.Equal(t, statusUsage, run(t.Context(), []string{"-conversation", write("ann\ta\n\xff\tb\n")}, &out, &errs))
	require.Equal(t, 1, strings.Count(errs.String(), "\n"), "one line of error")
}

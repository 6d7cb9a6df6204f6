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
		`Ann   reads "written by a program that had ended" by Bob`, `Bob   reads "six", "five", "four", "three", "two", "one" by Ann`,
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
	require.Len(t, shared, 2)
	require.Equal(t, shared[0], shared[1])
}

// play runs the program on a conversation, and returns the directory of what was read.
func play(t *testing.T, lines []line, args ...string) string {
	dir := t.TempDir()
	path := filepath.Join(dir, "conversation")
	require.NoError(t, os.WriteFile(path, file(lines), 0o600))
	args = append(args, "-conversation", path, "-out", filepath.Join(dir, "out"), "-db", filepath.Join(dir, "db"))
	var out, errs bytes.Buffer
	status := run(t.Context(), args, &out, &errs)
	require.Equal(t, statusFine, status, "%v: %s", args, errs.String())
	require.Empty(t, errs.String())
	require.Contains(t, out.String(), "0 missing")
	for _, name := range names(lines) {
		require.FileExists(t, filepath.Join(dir, "db", name+".db"))
	}
	return filepath.Join(dir, "out")
}

// requireRead requires that each member read what it is owed, by the rules of the program alone: from its own first line on, up to
// the line before which it was removed, what others wrote before they were.
func requireRead(t *testing.T, lines []line, kicked map[string]int, out string) {
	t.Helper()
	first := make(map[string]int)
	isIn := func(name string, n int) bool { return n >= first[name] && (kicked[name] == 0 || n < kicked[name]) }
	for _, l := range lines {
		if first[l.name] == 0 {
			first[l.name] = l.number
		}
	}
	for name := range first {
		var want strings.Builder
		for _, l := range lines {
			if l.name != name && isIn(name, l.number) && isIn(l.name, l.number) {
				fmt.Fprintf(&want, "%d\t%s\t%s\n", l.number, l.name, l.text)
			}
		}
		got, err := os.ReadFile(filepath.Join(out, name+".tsv"))
		require.NoError(t, err)
		require.Equal(t, want.String(), string(got), name)
	}
}

// G12: whatever the network does, everybody reads everything from its own first line on, once.
func TestConversationUnderChaos(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			lines := conversation(seed, 50, 4)
			requireRead(t, lines, nil, play(t, lines, "-chaos", fmt.Sprint(seed), fmt.Sprint("-public=", seed%2 == 1)))
		})
	}
}

// G22: who is removed reads nothing that was sent from then on and says nothing any more, the others miss nothing; with rekeys, by
// private links and a public one, and whatever the network does.
func TestRemovalAndRekeys(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"removal":             {"-kick", "member 1@20", "-kick", "member 2@20"},
		"rekeys under chaos":  {"-rekey", "5", "-chaos", "1"},
		"removal under chaos": {"-kick", "member 1@20", "-kick", "member 2@31", "-chaos", "2"},
		"all":                 {"-kick", "member 2@18", "-kick", "member 1@28", "-rekey", "9", "-public", "-chaos", "3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kicked := make(map[string]int)
			for _, arg := range args {
				if k, err := parseKick(arg); err == nil {
					kicked[k.name] = k.before
				}
			}
			lines := conversation(4, 36, 4)
			requireRead(t, lines, kicked, play(t, lines, args...))
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
	requireRead(t, lines, nil, play(t, lines, "-chaos", "3"))
}

// A check that cannot fail would be worth nothing.
func TestMissingIsFound(t *testing.T) {
	t.Parallel()
	lines := []line{{1, "ann", "a"}, {2, "bob", "b"}, {3, "ann", "c"}}
	talk := newTalk(t.TempDir(), 0)
	require.NoError(t, talk.play(t.Context(), lines))
	missing := func(change string) []string {
		bob := talk.byName["bob"]
		_, err := bob.db.ExecContext(t.Context(), change)
		require.NoError(t, err)
		out, err := talk.missing(t.Context(), lines)
		require.NoError(t, err)
		return out
	}
	require.Empty(t, missing(""))
	read, err := talk.byName["bob"].read(t.Context())
	require.NoError(t, err)
	require.Equal(t, []line{{3, "ann", "c"}}, read, "what was said before he came is not his")

	require.Equal(t, []string{"bob read line 3 by ann 2 times"}, missing("INSERT INTO history SELECT * FROM history"))
	require.Len(t, missing("UPDATE history SET text = 'x'"), 2)
	require.Equal(t, []string{"bob read line 3 by ann 0 times"}, missing("DELETE FROM history"))
	require.Contains(t, missing("INSERT INTO history VALUES (1, 'ann', 0, 1, 'a')"), "bob read a line 1 by ann that was not sent to it")
	talk.until["bob"] = 3
	require.Len(t, missing("INSERT INTO history VALUES (3, 'ann', 0, 1, 'c')"), 2, "he is to read nothing")
	require.NoError(t, talk.close())
}

// One clear error and status 2 for what is malformed.
func TestUsage(t *testing.T) {
	dir := t.TempDir()
	write := func(text string) string {
		path := filepath.Join(dir, "malformed")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	talk := filepath.Join(dir, "talk")
	require.NoError(t, os.WriteFile(talk, []byte("ann\ta\nbob\tb\nb@b\tc\nann\td\n"), 0o600))
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"unknown flag": {[]string{"-x"}, "-x"},
		"argument":     {[]string{"file"}, `"file"`},
		"chaos alone":  {[]string{"-chaos", "1"}, "-conversation"},
		"out alone":    {[]string{"-out", dir}, "-conversation"},
		"public alone": {[]string{"-public"}, "-conversation"},
		"kick alone":   {[]string{"-kick", "bob@2"}, "-conversation"},
		"rekey alone":  {[]string{"-rekey", "2"}, "-conversation"},
		"bad rekey":    {[]string{"-rekey", "x"}, "-rekey"},
		"less than no": {[]string{"-rekey", "-1", "-conversation", talk}, "-rekey -1"},
		"no line":      {[]string{"-kick", "bob", "-conversation", talk}, "NAME@LINE"},
		"bad line":     {[]string{"-kick", "bob@x", "-conversation", talk}, `"x" is not the number of a line`},
		"line 0":       {[]string{"-kick", "bob@0", "-conversation", talk}, `"0" is not the number of a line`},
		"no such name": {[]string{"-kick", "@3", "-conversation", talk}, "the name is empty"},
		"nobody":       {[]string{"-kick", "dan@3", "-conversation", talk}, "dan is nobody"},
		"behind":       {[]string{"-kick", "bob@5", "-conversation", talk}, "no line 5"},
		"the owner":    {[]string{"-kick", "ann@3", "-conversation", talk}, "ann is the owner"},
		"not there":    {[]string{"-kick", "b@b@2", "-conversation", talk}, "comes with line 3"},
		"as it comes":  {[]string{"-kick", "b@b@3", "-conversation", talk}, "comes with line 3"},
		"twice":        {[]string{"-kick", "bob@3", "-kick", "bob@4", "-conversation", talk}, "twice"},
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

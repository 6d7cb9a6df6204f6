package trefoil_test

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The first snippet of the README is examples/hello, to the letter, and short.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	source, err := os.ReadFile("examples/hello/main.go")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(readme), "```go\n")
	require.True(t, found)
	block, _, found := strings.Cut(rest, "```\n")
	require.True(t, found)
	require.LessOrEqual(t, strings.Count(block, "\n"), 30)
	require.Equal(t, string(source), block)
}

// What group.go says of itself: the protocol of spaces is called in three files.
func TestOnlyGroupsCallTheRatchet(t *testing.T) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	calls := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(f, func(n ast.Node) bool {
			call, _ := n.(*ast.CallExpr)
			if call == nil {
				return true
			}
			called, _ := call.Fun.(*ast.SelectorExpr)
			if called == nil {
				return true
			}
			if in, _ := called.X.(*ast.Ident); in == nil || in.Name != "ratchet" && in.Name != "step" && in.Name != "invite" {
				return true
			}
			name := called.Sel.Name
			switch {
			case file == "group.go" || file == "space.go" || file == "owners.go":
				calls++
			case strings.HasPrefix(name, "Parse") || strings.HasPrefix(name, "From"):
			default:
				require.Equal(t, "backup.go calls Restore", file+" calls "+name)
			}
			return true
		})
	}
	require.NotZero(t, calls)
}

// A guarantee or a rule with a test that is not there is a promise without a proof.
func TestCitedTestsExist(t *testing.T) {
	tests := make(map[string][]string) // by package
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark|Example)\w*)\(`)
	require.NoError(t, filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		for _, m := range declared.FindAllStringSubmatch(string(b), -1) {
			dir := filepath.ToSlash(filepath.Dir(path))
			tests[dir] = append(tests[dir], m[1])
		}
		return err
	}))
	// A name that ends in an ellipsis stands for all that begin so.
	has := func(dir, name string) bool {
		begin, many := strings.CutSuffix(name, "…")
		return slices.ContainsFunc(tests[dir], func(s string) bool { return s == name || many && strings.HasPrefix(s, begin) })
	}
	cited := regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark)[A-Z]\w*…?`)
	for _, file := range []string{"docs/GUARANTEES.md", "SPEC.md", "docs/design/relay.md"} {
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		names := cited.FindAllString(string(b), -1)
		require.NotEmpty(t, names, file)
		for _, name := range names {
			found := false
			for dir := range tests {
				found = found || has(dir, name)
			}
			require.True(t, found, "%s cites %s", file, name)
		}
	}
	b, err := os.ReadFile("docs/GUARANTEES.md")
	require.NoError(t, err)
	lists := regexp.MustCompile("(?:`([a-z0-9/]+)`|the root): ((?:(?:Test|Fuzz)[A-Z]\\w*…?(?:, )?)+)").FindAllStringSubmatch(string(b), -1)
	require.NotEmpty(t, lists)
	for _, m := range lists {
		dir := cmp.Or(m[1], ".")
		for _, name := range cited.FindAllString(m[2], -1) {
			require.True(t, has(dir, name), "docs/GUARANTEES.md cites %s of %s", name, dir)
		}
	}
}

// A reason that is cited can be read up, and a document that is linked is there.
func TestCitedDecisionsAndLinksExist(t *testing.T) {
	decisions, err := os.ReadFile("docs/DECISIONS.md")
	require.NoError(t, err)
	cited := regexp.MustCompile(`\(D[0-9]+(?:, D[0-9]+)*\)`)
	number := regexp.MustCompile(`D[0-9]+`)
	link := regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	require.NoError(t, filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		extension := filepath.Ext(path)
		if err != nil || extension != ".go" && extension != ".md" {
			return err
		}
		b, err := os.ReadFile(path)
		for _, list := range cited.FindAllString(string(b), -1) {
			for _, d := range number.FindAllString(list, -1) {
				require.True(t, strings.Contains(string(decisions), "**"+d+"**"), "%s cites %s", path, d)
			}
		}
		if extension == ".md" {
			for _, m := range link.FindAllStringSubmatch(string(b), -1) {
				_, err := os.Stat(filepath.Join(filepath.Dir(path), m[1]))
				require.NoError(t, err, path)
			}
		}
		return err
	}))
}

package trefoil_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// docs/EVENTS.md has a row for each event, and names each error of the packages that a program of a client meets, and none that
// there is not.
func TestEventsAreDocumented(t *testing.T) {
	b, err := os.ReadFile("docs/EVENTS.md")
	require.NoError(t, err)
	var rows []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|").FindAllStringSubmatch(string(b), -1) {
		rows = append(rows, m[1])
	}
	var events, errs []string
	for folder, name := range map[string]string{".": "trefoil", "event": "event", "state": "state", "ratchet": "ratchet", "ratchet/session": "session", "ratchet/session/linking": "linking", "invite": "invite", "dkg": "dkg"} {
		e, v := declared(t, folder)
		if folder == "event" {
			events = e
		}
		for _, err := range v {
			errs = append(errs, name+"."+err)
		}
	}
	require.NotEmpty(t, events)
	require.ElementsMatch(t, events, rows)
	var named []string
	for _, m := range regexp.MustCompile("`(\\w+\\.Err\\w+)`").FindAllStringSubmatch(string(b), -1) {
		named = append(named, m[1])
	}
	slices.Sort(errs)
	slices.Sort(named)
	require.Equal(t, errs, slices.Compact(named))
}

// declared returns the types of a package that embed Stamp, and its exported errors.
func declared(t *testing.T, folder string) (events, errs []string) {
	files, err := fs.Glob(os.DirFS(folder), "*.go")
	require.NoError(t, err)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), folder+"/"+name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				return false
			case *ast.TypeSpec:
				if s, ok := n.Type.(*ast.StructType); ok && slices.ContainsFunc(s.Fields.List, embedsStamp) {
					events = append(events, n.Name.Name)
				}
			case *ast.ValueSpec:
				for _, v := range n.Names {
					if strings.HasPrefix(v.Name, "Err") {
						errs = append(errs, v.Name)
					}
				}
			}
			return true
		})
	}
	return events, errs
}

func embedsStamp(f *ast.Field) bool {
	id, ok := f.Type.(*ast.Ident)
	return ok && len(f.Names) == 0 && id.Name == "Stamp"
}

package relay_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/relay/store"
)

const module = "github.com/trefoil-im/trefoil/"

// A relay reaches what of the library holds no private key, and nothing else, through whatever it imports.
func TestRelayReachesNoPrivateKey(t *testing.T) {
	allowed := map[string]bool{"internal/ed448": true, "internal/secret": true, "internal/wire": true, "state/store": true,
		"ratchet/session/key": true, "ratchet/session/directory": true, "ratchet/session/internal/keywire": true,
		"ratchet/session/internal/strictjson": true}
	direct := map[string]bool{"ratchet/session/key": true, "ratchet/session/directory": true}
	list := func(args ...string) []string {
		out, err := exec.Command("go", append([]string{"list"}, args...)...).Output()
		require.NoError(t, err)
		return strings.Fields(string(out))
	}
	reached := list("-deps", ".", "./sqlrelay", "./httprelay")
	require.Contains(t, reached, module+"ratchet/session/directory")
	for _, p := range reached {
		if own, ok := strings.CutPrefix(p, module); ok && own != "relay" && !strings.HasPrefix(own, "relay/") {
			require.True(t, allowed[own], p)
		}
	}
	for _, p := range list("-f", `{{join .Imports "\n"}}`, ".", "./store", "./sqlrelay", "./httprelay", "./internal/httpapi", "./relaytest") {
		if own, ok := strings.CutPrefix(p, module); ok && own != "relay" && !strings.HasPrefix(own, "relay/") {
			require.True(t, direct[own], "imports %s", p)
		}
	}
}

// There is one place that writes sessions and envelopes: the second one was how the failed backend lost keys. And there is one
// that runs each transaction: no method begins two.
func TestOneWriterOfSessions(t *testing.T) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	writers := map[string][]string{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := os.ReadFile(name)
		require.NoError(t, err)
		f, err := parser.ParseFile(token.NewFileSet(), name, src, 0)
		require.NoError(t, err)
		for _, decl := range f.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			updates := 0
			ast.Inspect(fn, func(n ast.Node) bool {
				s, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				if x, ok := s.X.(*ast.Ident); ok && (s.Sel.Name == "insert" || s.Sel.Name == "put") {
					writers[x.Name] = append(writers[x.Name], fn.Name.Name)
				}
				if s.Sel.Name == "Update" {
					updates++
				}
				return true
			})
			require.LessOrEqual(t, updates, 1, fn.Name.Name)
		}
	}
	for _, table := range []string{"sessions", "currents", "envelopes", "proposals"} {
		require.Equal(t, []string{"write"}, writers[table], table)
	}
	require.Equal(t, []string{"changeMembers"}, writers["members"])
	require.Equal(t, []string{"create"}, writers["conversations"])
	require.Equal(t, []string{"create"}, writers["pairs"])
}

// The design lists every table with every column.
func TestDesignListsTheTables(t *testing.T) {
	design, err := os.ReadFile(filepath.Join("..", "docs", "design", "relay.md"))
	require.NoError(t, err)
	for _, table := range store.Schema {
		_, rest, found := strings.Cut(string(design), "\n| "+table.Name+" |")
		require.True(t, found, table.Name)
		line, _, _ := strings.Cut(rest, "\n")
		for _, c := range table.Columns {
			require.Contains(t, line, c.Name, table.Name)
		}
	}
}

package session_test

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/trefoil-im/trefoil/"

// imports returns the packages of this module that the Go files of a folder below ratchet/session import, without tests.
func imports(t *testing.T, folder string) map[string]bool {
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	require.NoError(t, err)
	require.NotEmpty(t, files, folder)
	found := map[string]bool{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		require.NoError(t, err)
		for _, i := range f.Imports {
			path, err := strconv.Unquote(i.Path.Value)
			require.NoError(t, err)
			if own, ok := strings.CutPrefix(path, module); ok {
				found[own] = true
			}
		}
	}
	return found
}

// Imports run one way: each package may import those before it.
func TestImportsRunOneWay(t *testing.T) {
	order := []string{"key", "internal/keywire", "internal/strictjson", "directory", "keypair", "internal/quorumtest",
		"internal/aead", "internal/box", "internal/braid", "internal/double", "internal/frame", "internal/gaps", "internal/sentlog", "linking", ".", "quorum"}
	before := map[string]bool{}
	for _, p := range order {
		for i := range imports(t, p) {
			if below, ok := strings.CutPrefix(i, "ratchet/session"); ok {
				require.True(t, before[below], "%s imports %s", p, i)
			} else {
				require.False(t, strings.HasPrefix(i, "ratchet"), "%s imports %s", p, i)
			}
		}
		before[strings.TrimSuffix("/"+p, "/.")] = true
	}
	err := filepath.WalkDir(".", func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Ext(path) == ".go" {
			require.Contains(t, order, filepath.ToSlash(filepath.Dir(path)), "a package without a place in the order")
		}
		return err
	})
	require.NoError(t, err)
}

// A server imports key and directory. What they import reaches neither a private key nor the vault.
func TestServersReachNoPrivateKey(t *testing.T) {
	allowed := map[string]bool{"internal/ed448": true, "internal/secret": true, "internal/wire": true, "ratchet/session/key": true,
		"ratchet/session/directory": true, "ratchet/session/internal/keywire": true, "ratchet/session/internal/strictjson": true}
	root := filepath.Join("..", "..")
	reached := []string{"ratchet/session/directory"}
	seen := map[string]bool{}
	for len(reached) > 0 {
		p := reached[0]
		reached = reached[1:]
		if seen[p] {
			continue
		}
		seen[p] = true
		require.True(t, allowed[p], p)
		for i := range imports(t, filepath.Join(root, filepath.FromSlash(p))) {
			reached = append(reached, i)
		}
	}
	require.True(t, seen["ratchet/session/key"])
}

package trefoil_test

import (
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

// plain are exported types of the doors whose names mean what they mean in every program.
var plain = strings.Fields(`BatchError Damaged Decoder Directory Encoder Event EventKind Flag ForgetFailed FrameGivenUp
	FrameUnread ID Key Kind MemberInfo Message Options Phase Policy PublicKey Received SendRejected SentAgain Stamp Stats Status Step
	Summary Tasks Tx Unread Value`)

// docs/GLOSSARY.md is in order, names for each term where the code has it, and explains each noun of the packages that programs
// import.
func TestGlossary(t *testing.T) {
	b, err := os.ReadFile("docs/GLOSSARY.md")
	require.NoError(t, err)
	code := identifiers(t)
	cited := regexp.MustCompile("`(\\w+)\\.(\\w+(?:\\.\\w+)*)`")
	named := map[string]bool{}
	var terms []string
	for _, row := range regexp.MustCompile(`(?m)^\| ([^|\n]+) \| ([^|\n]+) \| ([^|\n]*) \|$`).FindAllStringSubmatch(string(b), -1)[2:] { // behind the head
		terms = append(terms, strings.ToLower(row[1]))
		names := cited.FindAllStringSubmatch(row[3], -1)
		require.NotEmpty(t, names, "%s: where is it in the code?", row[1])
		for _, m := range names {
			require.True(t, code[m[1]+"."+m[2]], "%s: there is no %s.%s", row[1], m[1], m[2])
			named[m[1]+"."+m[2]] = true
		}
	}
	require.Greater(t, len(terms), 100)
	require.True(t, slices.IsSorted(terms), "the terms are in no order")
	require.Equal(t, len(terms), len(slices.Compact(terms)), "a term is explained twice")
	events, _ := declared(t, "event")
	var met []string
	for _, folder := range []string{".", "event", "ratchet", "ratchet/rules", "ratchet/step", "ratchet/session", "invite", "state", "dkg"} {
		name := filepath.Base(folder)
		if folder == "." {
			name = "trefoil"
		}
		for _, noun := range types(t, folder) {
			met = append(met, noun)
			known := named[name+"."+noun] || slices.Contains(plain, noun) || folder == "event" && slices.Contains(events, noun)
			require.True(t, known, "%s.%s is not in the glossary", name, noun)
		}
	}
	require.Subset(t, met, plain, "types that there are not any more")
}

// parsed calls f with each file of the program below a folder.
func parsed(t *testing.T, folder string, f func(path string, file *ast.File)) {
	require.NoError(t, filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err == nil {
			f(path, file)
		}
		return err
	}))
}

// types returns the exported types of the package in a folder.
func types(t *testing.T, folder string) (out []string) {
	parsed(t, folder, func(path string, file *ast.File) {
		if filepath.Dir(path) != filepath.Clean(folder) {
			return
		}
		for _, d := range file.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.TYPE {
				for _, s := range g.Specs {
					if name := s.(*ast.TypeSpec).Name; name.IsExported() {
						out = append(out, name.Name)
					}
				}
			}
		}
	})
	return out
}

// identifiers returns what the packages of the module declare, exported or not, as package.Name, package.Type.Method and
// package.Type.Field.
func identifiers(t *testing.T) map[string]bool {
	all := map[string]bool{}
	parsed(t, ".", func(_ string, file *ast.File) {
		in := file.Name.Name + "."
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv != nil {
					all[in+receiver(d.Recv.List[0].Type)+"."+d.Name.Name] = true
				} else {
					all[in+d.Name.Name] = true
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					switch s := s.(type) {
					case *ast.ValueSpec:
						for _, n := range s.Names {
							all[in+n.Name] = true
						}
					case *ast.TypeSpec:
						all[in+s.Name.Name] = true
						if x, ok := s.Type.(*ast.StructType); ok {
							for _, f := range x.Fields.List {
								for _, n := range f.Names {
									all[in+s.Name.Name+"."+n.Name] = true
								}
							}
						}
					}
				}
			}
		}
	})
	return all
}

// receiver returns the name of the type that a method is of.
func receiver(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.StarExpr:
		return receiver(x.X)
	case *ast.IndexExpr:
		return receiver(x.X)
	case *ast.IndexListExpr:
		return receiver(x.X)
	case *ast.Ident:
		return x.Name
	}
	return ""
}

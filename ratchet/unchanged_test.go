package ratchet_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/dkg"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/ratchettest"
)

// What fails changes nothing: of every exported function that takes a space and returns the next one, calls that fail hand
// back the very value passed in.
func TestFailedCallChangesNothing(t *testing.T) {
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	other := ratchettest.NewGroup(t, 2, ratchettest.Small)
	foreign := other.Send(other.Peers[0], "elsewhere")
	joining, q, err := ratchet.Join(g.Grant(), g.Now, nil)
	require.NoError(t, err)
	ticket := g.Admit(g.Peers[1], q)
	gone := g.Peers[2].Space
	gone, _, err = ratchet.Leave(gone, g.Now)
	require.NoError(t, err)
	owner, plain := g.Peers[0].Space, g.Peers[1].Space
	long := make([]byte, ratchet.MaxPlaintext+1)

	spaces := map[string]ratchet.Space{"owner": owner, "member": plain, "joining": joining, "left": gone}
	type call struct {
		in  []string // spaces for which it must fail; all if none are named
		run func(s ratchet.Space) (ratchet.Space, error)
	}
	calls := map[string][]call{
		"Encrypt": {
			{nil, func(s ratchet.Space) (ratchet.Space, error) {
				n, _, err := ratchet.Encrypt(s, g.Now, long)
				return n, err
			}},
			{[]string{"joining", "left"}, func(s ratchet.Space) (ratchet.Space, error) {
				n, _, err := ratchet.Encrypt(s, g.Now, nil)
				return n, err
			}},
		},
		"EncryptUnsigned": {{nil, func(s ratchet.Space) (ratchet.Space, error) {
			n, _, err := ratchet.EncryptUnsigned(s, g.Now, nil)
			return n, err
		}}},
		"Decrypt": {
			{nil, func(s ratchet.Space) (ratchet.Space, error) {
				n, _, err := ratchet.Decrypt(s, g.Now, foreign)
				return n, err
			}},
			{nil, func(s ratchet.Space) (ratchet.Space, error) {
				n, _, err := ratchet.Decrypt(s, g.Now, []byte{})
				return n, err
			}},
		},
		"Perform": {
			{nil, func(s ratchet.Space) (ratchet.Space, error) {
				n, _, err := ratchet.Perform(s, g.Now, ratchet.Tasks{Send: true, Ask: true})
				return n, err
			}},
			{[]string{"member", "joining", "left"}, func(s ratchet.Space) (ratchet.Space, error) {
				n, _, err := ratchet.Perform(s, g.Now, ratchet.Tasks{Roster: true})
				return n, err
			}},
		},
		"NewGrant": {
			{[]string{"member", "joining", "left"}, func(s ratchet.Space) (ratchet.Space, error) {
				n, _, err := ratchet.NewGrant(s, g.Now, dkg.Private)
				return n, err
			}},
			{nil, func(s ratchet.Space) (ratchet.Space, error) {
				n, _, err := ratchet.NewGrant(s, g.Now, dkg.Held)
				return n, err
			}},
		},
		"Admit": {
			{nil, func(s ratchet.Space) (ratchet.Space, error) {
				n, _, err := ratchet.Admit(s, g.Now, []byte{})
				return n, err
			}},
			{[]string{"joining", "left"}, func(s ratchet.Space) (ratchet.Space, error) { n, _, err := ratchet.Admit(s, g.Now, q); return n, err }},
		},
		"Refuse": {
			{[]string{"member", "joining", "left"}, func(s ratchet.Space) (ratchet.Space, error) { n, _, err := ratchet.Refuse(s, g.Now, q); return n, err }},
			{nil, func(s ratchet.Space) (ratchet.Space, error) {
				n, _, err := ratchet.Refuse(s, g.Now, []byte{})
				return n, err
			}},
		},
		"Enter": {
			{nil, func(s ratchet.Space) (ratchet.Space, error) { return ratchet.Enter(s, g.Now, []byte{}) }},
			{[]string{"owner", "member", "left"}, func(s ratchet.Space) (ratchet.Space, error) { return ratchet.Enter(s, g.Now, ticket) }},
		},
		"AskResync": {{[]string{"joining", "left"}, func(s ratchet.Space) (ratchet.Space, error) {
			n, _, err := ratchet.AskResync(s, g.Now)
			return n, err
		}}},
		"Leave":      {{[]string{"owner", "joining", "left"}, func(s ratchet.Space) (ratchet.Space, error) { n, _, err := ratchet.Leave(s, g.Now); return n, err }}},
		"Revoke":     {{nil, func(s ratchet.Space) (ratchet.Space, error) { n, _, err := ratchet.Revoke(s, g.Now, 2); return n, err }}},
		"SignRoster": {{[]string{"member", "joining", "left"}, func(s ratchet.Space) (ratchet.Space, error) { n, _, err := ratchet.SignRoster(s, g.Now); return n, err }}},
		"Prune":      {},
		"Restore":    {},
	}
	for name, list := range calls {
		for _, c := range list {
			in := c.in
			if in == nil {
				in = []string{"owner", "member", "joining", "left"}
			}
			for _, which := range in {
				next, err := c.run(spaces[which])
				require.Error(t, err, "%s of %s", name, which)
				require.True(t, spaces[which].Equal(next), "%s of %s", name, which)
			}
			next, err := c.run(ratchet.Space{})
			require.Error(t, err, "%s of the zero space", name)
			require.True(t, ratchettest.Same(ratchet.Space{}, next))
		}
	}
	for _, call := range []func() (ratchet.Space, error){
		func() (ratchet.Space, error) { return ratchet.Prune(ratchet.Space{}, time.Time{}) },
		func() (ratchet.Space, error) { return ratchet.Restore(ratchet.Space{}, time.Time{}) },
	} {
		_, err := call()
		require.Error(t, err)
	}
	for _, name := range transitions(t) {
		require.Contains(t, calls, name, "an exported function without a row in this table")
	}
	_, _, err = ratchet.Join(ratchet.Grant{}, g.Now, nil)
	require.ErrorIs(t, err, ratchet.ErrMalformed)
	_, _, err = ratchet.Join(g.Grant(), g.Now, make([]byte, ratchet.MaxApplicationData+1))
	require.ErrorIs(t, err, ratchet.ErrTooLong)
	_, err = ratchet.NewSpace(g.Now, ratchet.Policy{Scheme: "none"})
	require.ErrorIs(t, err, ratchet.ErrPolicy)
}

// transitions lists the exported functions whose first parameter and first result are a Space.
func transitions(t *testing.T) (out []string) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	isSpace := func(l *ast.FieldList) bool {
		if l == nil || len(l.List) == 0 {
			return false
		}
		id, ok := l.List[0].Type.(*ast.Ident)
		return ok && id.Name == "Space"
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.IsExported() && isSpace(fn.Type.Params) && isSpace(fn.Type.Results) {
				out = append(out, fn.Name.Name)
			}
		}
	}
	require.NotEmpty(t, out)
	return out
}

package ratchet_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/ratchettest"
)

// What fails changes nothing: of every exported function that takes a space and returns the next one, and of every step, calls
// that fail hand back the very value passed in.
func TestFailedCallChangesNothing(t *testing.T) {
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	other := ratchettest.NewGroup(t, 2, ratchettest.Small)
	foreign := other.Send(other.Peers[0], "elsewhere")[0]
	joining, request := g.Join(g.Invite(invite.Private(0)))
	left := *g.Peers[2]
	g.Step(&left, ratchet.Leave())
	spaces := map[string]ratchet.Space{
		"owner": g.Peers[0].Space, "member": g.Peers[1].Space, "joining": joining.Space, "left": left.Space,
	}
	long := make([]byte, ratchet.MaxPlaintext+1)
	proposed, err := ratchet.ProposeOwners(g.Peers[0].Space, 1, 2)
	require.NoError(t, err)
	var made invite.Made

	type result = func(ratchet.Space) (ratchet.Space, error)
	frames := func(call func(ratchet.Space) (ratchet.Space, [][]byte, error)) result {
		return func(s ratchet.Space) (ratchet.Space, error) {
			next, frames, err := call(s)
			require.Empty(t, frames)
			return next, err
		}
	}
	step := func(x ratchet.Step) result {
		return frames(func(s ratchet.Space) (ratchet.Space, [][]byte, error) { return x.On(s, g.Now) })
	}
	decrypt := func(frame []byte) result {
		return func(s ratchet.Space) (ratchet.Space, error) {
			next, _, err := ratchet.Decrypt(s, g.Now, frame)
			return next, err
		}
	}
	encrypt := func(text []byte) result {
		return frames(func(s ratchet.Space) (ratchet.Space, [][]byte, error) { return ratchet.Encrypt(s, g.Now, text) })
	}
	admit := func(frame []byte) result {
		return frames(func(s ratchet.Space) (ratchet.Space, [][]byte, error) { return ratchet.Admit(s, g.Now, frame) })
	}
	type call struct {
		in  string // spaces for which it must fail
		run result
	}
	const all, others, outside = "owner member joining left", "member joining left", "joining left"
	calls := map[string][]call{
		"Encrypt":      {{all, encrypt(long)}, {outside, encrypt(nil)}},
		"Decrypt":      {{all, decrypt(foreign)}, {all, decrypt(nil)}, {all, decrypt(request)}},
		"Admit":        {{all, admit(nil)}, {all, admit(foreign)}, {outside, admit(request)}},
		"NewInvite":    {{all, step(ratchet.NewInvite(invite.Terms{}, &made))}, {all, step(ratchet.NewInvite(invite.Public(17, 0), &made))}, {others, step(ratchet.NewInvite(invite.Private(0), &made))}},
		"EndInvite":    {{all, step(ratchet.EndInvite([16]byte{1}))}},
		"Remove":       {{others, step(ratchet.Remove(2))}, {all, step(ratchet.Remove(99))}},
		"Replace":      {{others, step(ratchet.Replace(2, 0, &made))}, {all, step(ratchet.Replace(99, 0, &made))}},
		"Rekey":        {{others, step(ratchet.Rekey())}},
		"SetTitle":     {{all, step(ratchet.SetTitle(make([]byte, 1<<10+1)))}, {others, step(ratchet.SetTitle(nil))}},
		"SetProfile":   {{all, step(ratchet.SetProfile(make([]byte, ratchet.MaxApplicationData+1)))}, {outside, step(ratchet.SetProfile(nil))}},
		"WantInvite":   {{all, step(ratchet.WantInvite())}},
		"InviteDevice": {{"left", step(ratchet.InviteDevice([32]byte{1}))}},
		"TakeEntrance": {{"", step(ratchet.TakeEntrance([32]byte{1}))}},
		"SetOwners":    {{others, step(ratchet.SetOwners(1))}, {all, step(ratchet.SetOwners(2))}, {all, step(ratchet.SetOwners(1, 99))}, {all, step(ratchet.SetOwners())}},
		"HandOver":     {{others, step(ratchet.HandOver(1))}, {all, step(ratchet.HandOver(1))}, {all, step(ratchet.HandOver(99))}},
		"TakeRootKey":  {{others, step(ratchet.TakeRootKey(func([]byte) error { return nil }))}, {all, step(ratchet.TakeRootKey(func([]byte) error { return errors.New("full") }))}},
		"PutRootKey":   {{all, step(ratchet.PutRootKey(nil))}, {all, step(ratchet.PutRootKey(make([]byte, 32)))}},
		"PutOwners":    {{all, step(ratchet.PutOwners(nil, nil))}, {all, step(ratchet.PutOwners(proposed, make([]byte, 114)))}},
		"Appoint":      {{others, step(ratchet.Appoint(ratchet.MayTitle, 2))}, {all, step(ratchet.Appoint(8, 2))}, {all, step(ratchet.Appoint(ratchet.MayTitle, 99))}},
		"SetPolicy":    {{others, step(ratchet.SetPolicy(ratchet.Policy{}))}, {all, step(ratchet.SetPolicy(ratchet.Policy{Scheme: ratchet.Ed448}))}, {all, step(ratchet.SetPolicy(ratchet.Policy{RootScheme: ratchet.Ed448}))}},
		"Leave":        {{"owner joining left", step(ratchet.Leave())}},
		"Expiring":     {{all, step(ratchet.Expiring(long, time.Hour))}, {outside, step(ratchet.Expiring(nil, time.Hour))}},
		"Restore":      {{"", func(s ratchet.Space) (ratchet.Space, error) { return ratchet.Restore(s, g.Now) }}},
	}
	for name, list := range calls {
		for _, c := range list {
			for _, which := range strings.Fields(c.in) {
				next, err := c.run(spaces[which])
				require.Error(t, err, "%s of %s", name, which)
				require.True(t, spaces[which].Equal(next), "%s of %s", name, which)
			}
			next, err := c.run(ratchet.Space{})
			require.Error(t, err, "%s of the zero space", name)
			require.True(t, ratchettest.Same(ratchet.Space{}, next))
		}
	}
	require.True(t, made.Link.IsZero())
	for _, name := range transitions(t) {
		require.Contains(t, calls, name, "an exported function without a row in this table")
	}
	_, _, err = ratchet.Join(invite.Link{}, g.Now, nil)
	require.ErrorIs(t, err, ratchet.ErrMalformed)
	_, _, err = ratchet.Join(g.Invite(invite.Private(0)), g.Now, make([]byte, ratchet.MaxApplicationData+1))
	require.ErrorIs(t, err, ratchet.ErrTooLong)
	for _, p := range []ratchet.Policy{{Scheme: "none"}, {RootScheme: "none"}} {
		_, err = ratchet.NewSpace(g.Now, p, nil)
		require.ErrorIs(t, err, ratchet.ErrPolicy)
	}
	_, err = ratchet.NewSpace(g.Now, ratchet.Policy{}, make([]byte, ratchet.MaxApplicationData+1))
	require.ErrorIs(t, err, ratchet.ErrTooLong)
}

// transitions lists the exported functions that take a Space and return one first, and those that return a Step.
func transitions(t *testing.T) (out []string) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	first := func(l *ast.FieldList) string {
		if l == nil || len(l.List) == 0 {
			return ""
		}
		id, _ := l.List[0].Type.(*ast.Ident)
		if id == nil {
			return ""
		}
		return id.Name
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if ok && fn.Recv == nil && fn.Name.IsExported() && (first(fn.Type.Params) == "Space" && first(fn.Type.Results) == "Space" || first(fn.Type.Results) == "Step") {
				out = append(out, fn.Name.Name)
			}
		}
	}
	require.NotEmpty(t, out)
	return out
}

package ratchet_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/ratchettest"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
)

// What fails changes nothing: of every exported function that takes a space and returns the next one, and of every step, calls
// that fail hand back the very value passed in.
func TestFailedCallChangesNothing(t *testing.T) {
	g := ratchettest.NewGroup(t, 3, ratchettest.Small)
	other := ratchettest.NewGroup(t, 2, ratchettest.Small)
	foreign := other.Send(other.Peers[0], "elsewhere")[0]
	joining, request := g.Join(g.Invite(invite.Private(0)))
	left := *g.Peers[2]
	g.Step(&left, step.Leave())
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
	take := func(x step.Step) result {
		return frames(func(s ratchet.Space) (ratchet.Space, [][]byte, error) { return ratchet.Take(s, g.Now, x) })
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
		"NewInvite":    {{all, take(step.NewInvite(invite.Terms{}, &made))}, {all, take(step.NewInvite(invite.Public(17, 0), &made))}, {others, take(step.NewInvite(invite.Private(0), &made))}},
		"EndInvite":    {{all, take(step.EndInvite([16]byte{1}))}},
		"Remove":       {{others, take(step.Remove(2))}, {all, take(step.Remove(99))}},
		"Replace":      {{others, take(step.Replace(2, 0, &made))}, {all, take(step.Replace(99, 0, &made))}},
		"Rekey":        {{others, take(step.Rekey())}},
		"SetTitle":     {{all, take(step.SetTitle(make([]byte, 1<<10+1)))}, {others, take(step.SetTitle(nil))}},
		"SetProfile":   {{all, take(step.SetProfile(make([]byte, ratchet.MaxApplicationData+1)))}, {outside, take(step.SetProfile(nil))}},
		"WantInvite":   {{all, take(step.WantInvite())}},
		"InviteDevice": {{"left", take(step.InviteDevice([32]byte{1}))}},
		"TakeEntrance": {{"", take(step.TakeEntrance([32]byte{1}))}},
		"SetOwners":    {{others, take(step.SetOwners(1))}, {all, take(step.SetOwners(2))}, {all, take(step.SetOwners(1, 99))}, {all, take(step.SetOwners())}},
		"HandOver":     {{others, take(step.HandOver(1))}, {all, take(step.HandOver(1))}, {all, take(step.HandOver(99))}},
		"TakeRootKey":  {{others, take(step.TakeRootKey(func([]byte) error { return nil }))}, {all, take(step.TakeRootKey(func([]byte) error { return errors.New("full") }))}},
		"PutRootKey":   {{all, take(step.PutRootKey(nil))}, {all, take(step.PutRootKey(make([]byte, 32)))}},
		"PutOwners":    {{all, take(step.PutOwners(nil, nil))}, {all, take(step.PutOwners(proposed, make([]byte, 114)))}},
		"Appoint":      {{others, take(step.Appoint(rules.MayTitle, 2))}, {all, take(step.Appoint(8, 2))}, {all, take(step.Appoint(rules.MayTitle, 99))}},
		"SetPolicy":    {{others, take(step.SetPolicy(rules.Policy{}))}, {all, take(step.SetPolicy(rules.Policy{Scheme: rules.Ed448}))}, {all, take(step.SetPolicy(rules.Policy{RootScheme: rules.Ed448}))}},
		"Leave":        {{"owner joining left", take(step.Leave())}},
		"Expiring":     {{all, take(step.Expiring(long, time.Hour))}, {outside, take(step.Expiring(nil, time.Hour))}},
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
	for _, p := range []rules.Policy{{Scheme: "none"}, {RootScheme: "none"}} {
		_, err = ratchet.NewSpace(g.Now, p, nil)
		require.ErrorIs(t, err, ratchet.ErrPolicy)
	}
	_, err = ratchet.NewSpace(g.Now, rules.Policy{}, make([]byte, ratchet.MaxApplicationData+1))
	require.ErrorIs(t, err, ratchet.ErrTooLong)
}

// A step without what it is about is refused.
func TestStepsLackNothing(t *testing.T) {
	g := ratchettest.NewGroup(t, 2, ratchettest.Small)
	owner := g.Peers[0].Space
	for name, s := range map[string]step.Step{
		"none": {}, "nobody": step.Remove(), "no owner": step.SetOwners(), "never": step.Expiring([]byte("text"), 0), "in the past": step.Expiring([]byte("text"), -time.Hour),
		"an invite for nobody": step.NewInvite(invite.Private(0), nil), "a replacement for nobody": step.Replace(2, 0, nil),
		"a key for nobody": step.TakeRootKey(nil), "no key": step.PutRootKey(nil), "no list": step.PutOwners(nil, nil),
	} {
		next, frames, err := ratchet.Take(owner, g.Now, s)
		require.ErrorIs(t, err, ratchet.ErrPolicy, name)
		require.Empty(t, frames, name)
		require.True(t, owner.Equal(next), name)
	}
}

// transitions lists the exported functions that take a Space and return one first, and the steps in place of Take.
func transitions(t *testing.T) (out []string) {
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
	for _, fn := range functions(t, "*.go") {
		if first(fn.Type.Params) == "Space" && first(fn.Type.Results) == "Space" && fn.Name.Name != "Take" {
			out = append(out, fn.Name.Name)
		}
	}
	steps := len(out)
	for _, fn := range functions(t, "step/*.go") {
		if first(fn.Type.Results) == "Step" {
			out = append(out, fn.Name.Name)
		}
	}
	require.Equal(t, reflect.TypeFor[step.Taker]().NumMethod(), len(out)-steps)
	return out
}

// functions returns the exported functions of files, without tests.
func functions(t *testing.T, pattern string) (out []*ast.FuncDecl) {
	files, err := filepath.Glob(pattern)
	require.NoError(t, err)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.IsExported() {
				out = append(out, fn)
			}
		}
	}
	require.NotEmpty(t, out)
	return out
}

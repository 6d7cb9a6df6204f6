package ratchet

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

var update = flag.Bool("update", false, "write the golden files anew")

const goldenPath = "testdata/space-2026-11.json"

// golden is a space as it was stored, with a message that it can read, at a time.
type golden struct {
	ID      string
	VaultID string
	Now     int64
	Vault   store.Row
	Row     store.Row
	Frame   []byte
}

// G28: a space that was stored by an earlier build is loaded, reads on, and goes through the store unchanged.
func TestStoredSpace(t *testing.T) {
	ctx := t.Context()
	if *update {
		g := newGroup(t, 4, rules.Policy{})
		p := g.peers[0]
		late := g.peers[2].send("read later")
		g.say(g.peers[2], "on")
		for _, q := range g.peers[1:] {
			g.all(q, q.committing("with epochs"))
		}
		lost := g.peers[3].committing("lost")
		g.peers[2].receive(lost, "")
		p.receive(g.peers[2].send("unreadable yet"), "3")
		// Through a store of its own: what lies beside the row is not part of it.
		alone := g.newPeer(p.space())
		row, err := alone.store.Load(ctx, store.Spaces, p.id)
		require.NoError(t, err)
		vaults, err := alone.store.List(ctx, store.Vault, store.ID{}, 1)
		require.NoError(t, err)
		vault, err := alone.store.Load(ctx, store.Vault, vaults[0])
		require.NoError(t, err)
		b, err := json.MarshalIndent(golden{p.id.String(), vaults[0].String(), g.now.UnixMilli(), vault, row, late}, "", "\t")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(goldenPath, append(b, '\n'), 0o644))
	}
	b, err := os.ReadFile(goldenPath)
	require.NoError(t, err)
	var x golden
	require.NoError(t, json.Unmarshal(b, &x))
	id, err := store.ParseID(x.ID)
	require.NoError(t, err)
	vaultID, err := store.ParseID(x.VaultID)
	require.NoError(t, err)
	backend := store.NewMemory()
	for _, c := range []store.Change{create(store.Vault, vaultID, x.Vault), create(store.Spaces, id, x.Row)} {
		require.NoError(t, backend.Commit(ctx, c))
	}
	p := &peer{group: &group{TB: t, now: time.UnixMilli(x.Now)}, store: backend, id: id}
	p.open()
	s := p.space()
	require.Len(t, Members(s), 4)
	require.NoError(t, p.update(func(tx *state.Tx[Space]) error { tx.Set(tx.Value()); return nil }))
	p.open()
	require.True(t, s.Equal(p.space()), "decode after encode is the identity")
	require.Equal(t, state.Read, p.receive(x.Frame, "").Verdict)
	require.Equal(t, []string{"read later"}, p.texts())
}

// create returns the change that puts a row into an empty store.
func create(k store.Kind, id store.ID, row store.Row) store.Change {
	head := row.Head
	return store.Change{Kind: k, ID: id, Base: store.Head{}, Next: store.Head{Version: 1, Sealed: head.Sealed}, Parts: row.Parts, Put: row.Segments}
}

// A state goes through the store unchanged after each step of a history.
func TestEveryStateIsStored(t *testing.T) {
	n := newTraffic(newGroup(t, 3, rules.Policy{}), 11)
	for i := range 40 {
		p := n.peers[n.r.IntN(3)]
		switch n.r.IntN(4) {
		case 0:
			n.pass(20 * time.Hour)
			require.NoError(t, p.update(Maintain(p.options())))
		case 1:
			n.post(p, fmt.Sprint(i), 0.1)
		default:
			n.deliver(p)
		}
		before := p.space()
		p.open()
		require.True(t, before.Equal(p.space()))
	}
}

// G6: whatever is done to a value to show it, no key and no text appears.
func TestNothingShows(t *testing.T) {
	g := newGroup(t, 2, rules.Policy{})
	g.say(g.peers[0], "plaintext that is secret")
	s := g.peers[0].space()
	st := stateOf(s)
	d, err := newEdit(s, g.now, Options{})
	require.NoError(t, err)
	me, owner := st.me(), st.rootOwner.Value()
	e, _ := st.forest.Preferred()
	share, _ := d.share(e.Root())
	terms, _ := d.tp.terms(e.Root())
	secrets := []secret.Bytes{me.signing.Seed, me.inboxes[0].secret.Seed, owner.key.Seed, e.Authenticator(), share.Bytes(), terms.template.K}
	m := g.peers[1].read[0]
	for _, v := range []any{s, &s, st, &st, s.State(), s.Template(), s.Evals(), d, &d, me, owner, m, &m, st.calm, terms, share, [](any){st, m}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q"} {
			text := fmt.Sprintf(verb, v)
			require.NotContains(t, text, "plaintext that is secret", "%T %s", v, verb)
			for k, x := range secrets {
				b := x.Expose()
				for _, form := range []string{fmt.Sprintf("%x", b[:12]), string(b[:12]), fmt.Sprint(b[:12])[1:20]} {
					require.False(t, strings.Contains(text, form), "secret %d in %T with %s", k, v, verb)
				}
			}
		}
	}
}

// A call that fails changes nothing: the value comes back as it was, also inside.
func TestFailedCallsChangeNothing(t *testing.T) {
	g := newGroup(t, 2, rules.Policy{})
	own := g.peers[0].send("own")
	s := g.peers[0].space()
	before := s
	for name, call := range map[string]func() (Space, error){
		"own":       func() (Space, error) { s, _, err := Decrypt(s, g.now, own); return s, err },
		"malformed": func() (Space, error) { s, _, err := Decrypt(s, g.now, []byte{0x20, 1}); return s, err },
		"unknown": func() (Space, error) {
			s, _, err := Decrypt(s, g.now, newGroup(t, 2, rules.Policy{}).peers[0].send("x"))
			return s, err
		},
		"long":  func() (Space, error) { s, _, err := Encrypt(s, g.now, make([]byte, MaxPlaintext+1)); return s, err },
		"leave": func() (Space, error) { s, _, err := Take(s, g.now, step.Leave()); return s, err },
		"zero":  func() (Space, error) { _, _, err := Encrypt(Space{}, g.now, nil); return s, err },
	} {
		next, err := call()
		require.Error(t, err, name)
		require.True(t, before.Equal(next), name)
	}
}

// A state in which somebody is a member again whom a statement named as gone does not follow the one before.
func TestGoneStaysGone(t *testing.T) {
	n := newNetwork(t, 36)
	founder := n.found(rules.Policy{})
	m := n.member(founder, "m")
	var made invite.Made
	founder.do(step.NewInvite(invite.Private(0), &made))
	n.settle()
	for _, gone := range []func(){func() { founder.do(step.EndInvite(made.Name)) }, func() { m.do(step.Leave()) }} {
		before := stateOf(founder.space)
		gone()
		n.settle()
		after := stateOf(founder.space)
		back := after
		back.roots = before.roots
		require.ErrorIs(t, back.succeeds(after), state.ErrStale)
		require.NoError(t, after.succeeds(before))
	}
}

// FuzzOpen gives a space frames of any form: nothing panics, and a frame that is no frame of this space discards or retains.
func FuzzOpen(f *testing.F) {
	g := newGroup(f, 2, rules.Policy{})
	s := g.peers[0].space()
	f.Add(g.peers[1].send("text"))
	f.Add(g.peers[1].committing("below a commit"))
	f.Add(untagged(1))
	f.Add([]byte{0x21})
	f.Add([]byte{0x22, 0})
	f.Add([]byte{0x22, 1})
	f.Fuzz(func(t *testing.T, frame []byte) {
		d, err := newEdit(s, g.now, Options{})
		require.NoError(t, err)
		_, err = openFrame(&d, newIncoming(state.Frame{Data: frame}))
		require.NotEqual(t, state.Stop, state.VerdictOf(err), "%v", err)
		require.NoError(t, d.space().State().Succeeds(s.State()))
	})
}

// FuzzMessage reads what lies in an inbox.
func FuzzMessage(f *testing.F) {
	g := newGroup(f, 2, rules.Policy{})
	g.say(g.peers[0], "text")
	b, err := g.peers[1].read[0].MarshalBinary()
	require.NoError(f, err)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseMessage(b)
		if err != nil {
			return
		}
		again, err := m.MarshalBinary()
		require.NoError(t, err)
		require.Equal(t, b, again)
	})
}

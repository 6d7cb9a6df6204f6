package ratchet

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/step"
)

// The fingerprint stays while the members and their keys do: over messages, commits, profiles, inbox key updates, links, rekeys and
// restarts. It changes with everybody who comes, leaves or is removed. All members see the same, and the authenticator changes with the epoch.
func TestFingerprint(t *testing.T) {
	n, all := five(t, 71)
	founder := all[0]
	of := func(x *node) [32]byte { return Info(x.space).Fingerprint }
	agree := func(members []*node, what string) [32]byte {
		n.settle()
		for _, x := range members {
			require.Equal(t, of(founder), of(x), "%s: %s", what, x.name)
			require.Equal(t, Info(founder.space).Authenticator, Info(x.space).Authenticator, "%s: %s", what, x.name)
		}
		return of(founder)
	}
	want := agree(all, "first")
	require.NotZero(t, want)
	authenticator := Info(founder.space).Authenticator
	var link invite.Made
	for _, c := range []struct {
		what string
		do   func()
	}{
		{"messages", func() { all[1].send("one"); all[2].send("two"); all[2].send("three") }},
		{"commits", func() { n.now = n.now.Add(2 * time.Hour); all[3].send("a commit") }},
		{"profile", func() { all[3].do(step.SetProfile([]byte("another"))) }},
		{"title", func() { founder.do(step.SetTitle([]byte("title"))) }},
		{"inbox keys", func() { n.now = n.now.Add(8 * 24 * time.Hour); n.settle(); all[1].send("of a week later") }},
		{"rekey", func() { founder.do(step.Rekey()) }},
		{"link", func() { founder.do(step.NewInvite(invite.Private(0), &link)) }},
		{"link taken back", func() { founder.do(step.EndInvite(link.Name)) }},
		{"second rekey", func() { n.now = n.now.Add(2 * time.Hour); founder.do(step.Rekey()) }},
		{"restarts", func() { all[1].restart(); all[4].restart() }},
	} {
		c.do()
		require.Equal(t, want, agree(all, c.what), c.what)
	}
	require.NotEqual(t, authenticator, Info(founder.space).Authenticator)

	seen := map[[32]byte]bool{want: true}
	changes := func(members []*node, what string) {
		now := agree(members, what)
		require.False(t, seen[now], what)
		seen[now] = true
	}
	f := n.member(founder, "f")
	f.send("I am f")
	changes(append(all, f), "somebody comes")
	all[4].do(step.Leave())
	changes(append(all[:4:4], f), "somebody leaves")
	n.settle()
	founder.do(step.Remove(stateOf(all[3].space).me().index))
	changes(append(all[:3:3], f), "somebody is removed")
}

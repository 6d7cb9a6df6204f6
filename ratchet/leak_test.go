package ratchet

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/secret/secrettest"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet/internal/proto"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
)

// secretsOf returns key bytes that a space holds.
func secretsOf(s Space) (out [][]byte) {
	st := stateOf(s)
	me := st.me()
	out = append(out, me.signing.Seed.Expose())
	for _, k := range me.inboxes {
		out = append(out, k.secret.Seed.Expose())
	}
	if k := st.rootOwner.Value().key; !k.IsZero() {
		out = append(out, k.Seed.Expose())
	}
	for r := range st.roots.All() {
		out = append(out, r.share.Value().Share.Bytes().Expose())
	}
	for _, k := range templateOf(s).keys.Value().list {
		out = append(out, k.k.Expose())
	}
	if b := templateOf(s).link.Value().bytes; !b.IsZero() {
		l, _ := proto.ParseLink(b.Expose())
		out = append(out, l.Seed.Expose())
	}
	return out
}

// G6: whatever is done to a value, an event or an error to show it, no key and no text appears.
func TestNothingLeaks(t *testing.T) {
	n := newNetwork(t, 61)
	founder := n.found(rules.Policy{MembersMayInvite: true})
	var made invite.Made
	founder.do(step.NewInvite(invite.Private(0), &made))
	joining, request, err := Join(made.Link, n.now, []byte("joiner"))
	require.NoError(t, err)
	m := n.member(founder, "m")
	m.do(step.WantInvite())
	const text = "qzxvkjwq pfyhgkbmcd wvzqj" // no six letters of it are in any word
	founder.send(text)
	frame := m.mailbox[len(m.mailbox)-1].data
	n.settle()
	require.True(t, m.has(LinkGiven))

	link, err := openLink(made.Link)
	require.NoError(t, err)
	secrets := [][]byte{[]byte(text), link.Seed.Expose()}
	for _, s := range []Space{founder.space, m.space, joining} {
		secrets = append(secrets, secretsOf(s)...)
	}
	require.Greater(t, len(secrets), 12)
	_, _, wrong := Decrypt(joining, n.now, request)
	require.Error(t, wrong)
	secrettest.Check(t, founder.space, secrets...)
	secrettest.Check(t, joining.State(), secrets...)
	secrettest.Check(t, joining.Template(), secrets...)
	secrettest.Check(t, Members(founder.space), secrets...)
	secrettest.Check(t, made.Link, secrets...)
	secrettest.Check(t, request, secrets...)
	secrettest.Check(t, wrong, secrets...)
	kinds := map[EventKind]bool{}
	for _, e := range append(founder.events, m.events...) {
		if !kinds[e.Kind] {
			secrettest.Check(t, e, secrets...)
		}
		kinds[e.Kind] = true
	}
	for _, bad := range []int{1, len(frame) / 2, len(frame) - 1} {
		changed := slices.Clone(frame)
		changed[bad] ^= 1
		_, _, err := Decrypt(m.space, n.now, changed)
		require.Error(t, err)
		secrettest.Check(t, err, secrets...)
	}
}

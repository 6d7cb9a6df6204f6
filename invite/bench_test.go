package invite_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet"
)

// BenchmarkPrivateInvite makes a link and writes its URL.
func BenchmarkPrivateInvite(b *testing.B) {
	s := newSpace(b)
	b.ReportAllocs()
	for b.Loop() {
		next, l, err := invite.Private(s, now)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := l.URL(base); err != nil {
			b.Fatal(err)
		}
		if s = next; s.Evals().Remaining() == 0 {
			s = newSpace(b)
		}
	}
}

// BenchmarkJoinComplete goes from a link to the first message that the newcomer reads, with the work of all parties: the
// newcomer, and the one other member.
func BenchmarkJoinComplete(b *testing.B) {
	s := newSpace(b)
	s, _, u := private(b, s)
	b.ReportAllocs()
	for b.Loop() {
		l, err := invite.ParsePrivate(u)
		require.NoError(b, err)
		host, guest := join(b, s, l, "guest")
		_, e, err := ratchet.Encrypt(host, now, []byte("hello"))
		require.NoError(b, err)
		_, _, err = ratchet.Decrypt(guest, now, e)
		require.NoError(b, err)
	}
}

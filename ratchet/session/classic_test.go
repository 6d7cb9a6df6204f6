package session

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/session/internal/box"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/frame"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
)

// An initiation that says nothing of where to answer is answered at the device's own mailbox.
func TestNoReturnInbox(t *testing.T) {
	alice, bob := started(t, classic)
	i, err := func() (initiation, error) {
		f, err := frame.Parse(alice.send("hello"))
		require.NoError(t, err)
		plain, err := f.Box.Open(bob.d.inbox)
		require.NoError(t, err)
		return readInitiation(f, plain)
	}()
	require.NoError(t, err)
	i.route = route{}
	th := alice.s.Part().sessions.list[0]
	e, err := th.ephemeralPrivate()
	require.NoError(t, err)
	sealed, err := box.SealWith(e, bob.d.inbox.Public(), i.jsonWith(keypair.SigningKey{}))
	require.NoError(t, err)
	bob.reads(frame.Frame{Kind: frame.Classic, Box: sealed}.Marshal(), "hello")
	out := bob.sendTo("answer")
	require.Equal(t, alice.d.Mailbox(), out.To)
	alice.reads(out.Frame, "answer")
}

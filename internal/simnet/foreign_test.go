package simnet_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/simnet"
	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/ratchettest"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
	"github.com/trefoil-im/trefoil/state"
)

// Scenario 7, G20, G21: what a server or an outsider makes lets nobody in. A changed link is no link; a ticket of another
// space, for another request, or changed in any place is refused.
func TestScenario07ForeignTickets(t *testing.T) {
	n := simnet.New(t, simnet.Options{Seed: 1})
	n.Grow(3)
	l := n.Invite()
	n.Settle()
	raw := l.Bytes()
	for i := range raw {
		bad := slices.Clone(raw)
		bad[i] ^= 1 << (i % 8)
		_, err := invite.FromBytes(bad)
		require.Error(t, err, "byte %d of a link", i)
	}

	// The attacker has a space of its own, with everything in it that it can make: also the joiner's request, answered.
	space, request, err := ratchet.Join(l, n.Now(), nil)
	require.NoError(t, err)
	joiner := ratchettest.NewDevice(t, "joiner", n.Now, space)
	foreign, err := ratchet.NewSpace(n.Now(), rules.Policy{KEM: rules.X25519}, nil)
	require.NoError(t, err)
	_, _, err = ratchet.Admit(foreign, n.Now(), request)
	require.ErrorIs(t, err, ratchet.ErrNotYet, "it is under no key of that space")
	var made invite.Made
	foreign, _, err = ratchet.Take(foreign, n.Now(), step.NewInvite(invite.Private(0), &made))
	require.NoError(t, err)
	answer := func(s ratchet.Space, request []byte) []byte {
		_, frames, err := ratchet.Admit(s, n.Now(), request)
		require.NoError(t, err)
		require.Len(t, frames, 1)
		return frames[0]
	}
	_, other, err := ratchet.Join(made.Link, n.Now(), nil)
	require.NoError(t, err)
	_, again, err := ratchet.Join(l, n.Now(), nil)
	require.NoError(t, err)
	right, fromAway, forAnother := answer(n.Founder().Space(), request), answer(foreign, other), answer(n.Members[1].Space(), again)

	refused := func(frame []byte, what string) {
		t.Helper()
		r := joiner.Receive(what, frame)
		require.NotEqual(t, state.Read, r.Verdict, what)
		require.Equal(t, ratchet.Joining, ratchet.Info(joiner.Space()).Phase, what)
	}
	relabelled := func(frame []byte) []byte { return append(slices.Clone(right[:18]), frame[18:]...) } // type, kind, name of the request
	refused(fromAway, "of another space")
	refused(forAnother, "for another request")
	refused(relabelled(fromAway), "of another space, relabelled")
	refused(relabelled(forAnother), "for another request, relabelled")
	for i := 0; i < len(right); i += size(331, 1) {
		bad := slices.Clone(right)
		bad[i] ^= 0x40
		refused(bad, fmt.Sprint("byte ", i))
	}
	require.Equal(t, state.Read, joiner.Receive("true", right).Verdict)
	require.Equal(t, ratchet.Member, ratchet.Info(joiner.Space()).Phase)
}

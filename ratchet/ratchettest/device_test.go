package ratchettest_test

import (
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/invite"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/ratchet/ratchettest"
	"github.com/trefoil-im/trefoil/ratchet/rules"
	"github.com/trefoil-im/trefoil/ratchet/step"
	"github.com/trefoil-im/trefoil/state"
)

// A device whose outbox is full sends what lies there, as a program does, and goes on: nothing that it answers or reads waits for ever.
func TestFullOutbox(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 1)
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	s, err := ratchet.NewSpace(now, rules.Policy{KEM: rules.X25519}, []byte("ann"))
	require.NoError(t, err)
	ann := ratchettest.NewDevice(t, "ann", clock, s)
	var made invite.Made
	ann.Do(step.NewInvite(invite.Public(16, 0), &made))
	ann.Flush()
	ann.Vault, err = state.Open[ratchet.Space](t.Context(), ann.Store, ratchettest.Key(t), state.Options{Outbox: 4, Now: clock})
	require.NoError(t, err)

	ask := func() state.Receipt {
		joining, request, err := ratchet.Join(made.Link, now, []byte("bob"))
		require.NoError(t, err)
		ratchettest.NewDevice(t, "bob", clock, joining)
		return ann.Receive("bob", request)
	}

	for range 4 {
		ann.Send("nobody is here yet")
	}
	require.Equal(t, state.Read, ask().Verdict, "it is answered at once")
	require.Len(t, ann.Flush(), 5)
	now = now.Add(time.Minute)
	for range 6 {
		require.Equal(t, state.Retain, ask().Verdict, "there may be more in the mailbox")
	}
	ann.Send("hello")
	now = now.Add(time.Minute) // its turn to answer has come
	require.Len(t, append(ann.CaughtUp(), ann.Maintain()...), 6)
	require.Greater(t, len(ann.Flush()), 6)
	require.Empty(t, ann.Flush())
}

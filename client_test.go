package trefoil_test

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil"
	"github.com/trefoil-im/trefoil/event"
	"github.com/trefoil-im/trefoil/ratchet"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/transporttest"
)

// Everybody is told of everything once, own messages included, under one ID.
func TestChat(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		alice, bob, carol := w.device("alice").run(), w.device("bob").run(), w.device("carol").run()
		space := w.newSpace(alice, bob, carol)
		ids := []event.ID{alice.send(space, "from alice"), bob.send(space, "from bob"), carol.send(space, "from carol")}
		w.pass(time.Minute)
		for _, d := range []*device{alice, bob, carol} {
			require.ElementsMatch(t, []string{"from alice", "from bob", "from carol"}, d.read(), d.name)
			for _, m := range told[event.Message](d) {
				require.Contains(t, ids, m.ID)
				require.Equal(t, string(m.Body) == "from "+d.name, m.Own)
				require.False(t, m.AfterRemoval)
			}
		}
		require.Len(t, told[event.Arrived](alice), 2)
	})
}

// Members compare one fingerprint, see each other's profiles, and can look at what waits without seeing what it says.
func TestStatus(t *testing.T) {
	inWorld(t, func(t *testing.T, w world) {
		alice, bob := w.device("alice").run(), w.device("bob").run()
		space := w.newSpace(alice, bob)
		alice.send(space, "a secret text")
		w.pass(time.Minute)
		var fingerprints []trefoil.Fingerprint
		for _, d := range []*device{alice, bob} {
			status, err := d.client.Space(space).Status(t.Context())
			require.NoError(t, err)
			require.True(t, status.Ready)
			require.Equal(t, d == alice, status.Owner)
			require.Zero(t, status.Outbox+status.Inbox+status.Retained)
			fingerprints = append(fingerprints, status.Fingerprint)
			require.True(t, d.client.Stats().Online)
		}
		require.Len(t, fingerprints[0].String(), 71)
		require.Equal(t, fingerprints[0], fingerprints[1])
		members, err := alice.client.Space(space).Members(t.Context())
		require.NoError(t, err)
		require.Len(t, members, 2)
		require.Equal(t, "alice", string(members[0].Profile))
		require.Equal(t, "bob", string(members[1].Profile))
		require.Equal(t, members[0].Key, told[event.Message](bob)[0].From)

		bob.stop()
		bob.send(space, "a secret text")
		v, err := bob.client.Inspect(t.Context(), space)
		require.NoError(t, err)
		require.Equal(t, 1, v.Pending.Outbox)
		require.Empty(t, v.Problems)
		require.NotContains(t, fmt.Sprint(v), "secret")
		require.False(t, bob.client.Stats().Online)
	})
}

// Options that contradict each other are refused, and so are a body and a profile that are too long.
func TestOptions(t *testing.T) {
	key, err := state.NewKey(make([]byte, state.KeySize))
	require.NoError(t, err)
	line := transporttest.NewNetwork().Device("alice")
	for _, o := range []trefoil.Options{
		{Vault: state.Options{Now: time.Now}},
		{Vault: state.Options{Log: slog.Default()}},
		{Vault: state.Options{Shared: true}},
		{Vault: state.Options{Keep: func(state.ID, state.Event) []byte { return nil }}},
		{Profile: make([]byte, ratchet.MaxApplicationData+1)},
	} {
		_, err := trefoil.Open(t.Context(), store.NewMemory(), key, line, o)
		require.Error(t, err)
	}
	_, err = trefoil.Open(t.Context(), store.NewMemory(), key, nil, trefoil.Options{})
	require.Error(t, err)
	c, err := trefoil.Open(t.Context(), store.NewMemory(), key, line, trefoil.Options{})
	require.NoError(t, err)
	s, err := c.NewSpace(t.Context())
	require.NoError(t, err)
	_, err = s.Send(t.Context(), make([]byte, trefoil.MaxBody+1))
	require.ErrorIs(t, err, ratchet.ErrTooLong)
	_, err = s.Send(t.Context(), make([]byte, trefoil.MaxBody))
	require.NoError(t, err)
	require.NoError(t, c.Sync(t.Context()))
	status, err := s.Status(t.Context())
	require.NoError(t, err)
	require.Zero(t, status.Outbox)
}

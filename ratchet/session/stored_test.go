package session

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// storedRow is all that a store holds of one value.
type storedRow struct {
	Kind store.Kind
	ID   state.ID
	Row  store.Row
}

// rows returns those of a store, the vault's own one first.
func rows(t *testing.T, s store.Store) (all []storedRow) {
	for _, k := range []store.Kind{store.Vault, store.Sessions, store.Devices, store.Persons} {
		ids, err := s.List(t.Context(), k, state.ID{}, 10)
		require.NoError(t, err)
		require.Len(t, ids, 1)
		row, err := s.Load(t.Context(), k, ids[0])
		require.NoError(t, err)
		all = append(all, storedRow{k, ids[0], row})
	}
	return all
}

// G28: the rows of a person, a device and a session with a log of what was sent are what they were on 2026-11-26, sealed and in
// pieces, and they load.
func TestG28GoldenRows(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 1)
	alice, _ := settled(t, hybrid)
	for n := range 130 { // more than one block of the log
		alice.send(fmt.Sprint(n))
	}
	person := newHuman(t, 0).person()
	key, err := state.NewKey(secret.Random(state.KeySize).Expose())
	require.NoError(t, err)
	open := func(s store.Store) (*state.Vault[Session], *state.Vault[StoredDevice], *state.Vault[state.One[Person]]) {
		options := state.Options{Now: func() time.Time { return day0 }}
		sessions, err := state.Open[Session](t.Context(), s, key, options)
		require.NoError(t, err)
		devices, err := state.Open[StoredDevice](t.Context(), s, key, options)
		require.NoError(t, err)
		persons, err := state.Open[state.One[Person]](t.Context(), s, key, options)
		require.NoError(t, err)
		return sessions, devices, persons
	}
	backend := store.NewMemory()
	sessions, devices, persons := open(backend)
	require.NoError(t, sessions.Create(t.Context(), alice.s, nil))
	device, err := state.NewOne(alice.d.ID(), alice.d)
	require.NoError(t, err)
	require.NoError(t, devices.Create(t.Context(), device, nil))
	own, err := state.NewOne(person.ID(), person)
	require.NoError(t, err)
	require.NoError(t, persons.Create(t.Context(), own, nil))

	got, err := json.MarshalIndent(rows(t, backend), "", "\t")
	require.NoError(t, err)
	path := filepath.Join("testdata", "rows.golden.json")
	if *update {
		require.NoError(t, os.WriteFile(path, append(got, '\n'), 0o644))
	}
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(file), string(got)+"\n", "what is written now differs from the golden file")

	var stored []storedRow
	require.NoError(t, json.Unmarshal(file, &stored))
	old := store.NewMemory()
	for _, r := range stored {
		require.NoError(t, old.Commit(t.Context(), store.Change{Kind: r.Kind, ID: r.ID, Next: r.Row.Head, Parts: r.Row.Parts, Put: r.Row.Segments}))
	}
	require.Len(t, stored[1].Row.Segments, 1, "the full block")
	sessions, devices, persons = open(old)
	oldSession, err := sessions.Load(t.Context(), alice.s.ID())
	require.NoError(t, err)
	require.True(t, oldSession.Equal(alice.s))
	n := 0
	for text := range oldSession.Part().log.All {
		if n > 0 { // the first is one of settled
			require.Equal(t, fmt.Sprint(n-1), string(text.Expose()))
		}
		n++
	}
	require.Equal(t, 131, n)
	oldDevice, err := devices.Load(t.Context(), alice.d.ID())
	require.NoError(t, err)
	require.True(t, oldDevice.Equal(device))
	oldPerson, err := persons.Load(t.Context(), person.ID())
	require.NoError(t, err)
	require.True(t, oldPerson.Equal(own))
}

package proto

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/internal/suite"
	"github.com/trefoil-im/trefoil/state"
)

// A trial opens what the key of its epoch opens, and allocates nothing for what it does not.
func TestTrial(t *testing.T) {
	space, here, there := state.ID{1}, EpochID{2}, EpochID{3}
	key := suite.NewAEAD(secret.Random(suite.KeySize))
	h := Header{5, 7}
	sealed := h.Seal(key, space, here)
	junk := Sealed(secret.Random(334).Expose())
	trial := NewTrial(space, there)
	_, err := trial.Header(key, &sealed)
	require.ErrorIs(t, err, suite.ErrNotOpened)
	_, err = trial.Commit(key, junk)
	require.ErrorIs(t, err, suite.ErrNotOpened)
	trial.Move(here)
	got, err := trial.Header(key, &sealed)
	require.NoError(t, err)
	require.Equal(t, h, got)
	trial.Move(there)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		trial.Header(key, &sealed)
		trial.Commit(key, junk)
	}))
}

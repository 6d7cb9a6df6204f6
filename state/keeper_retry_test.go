package state_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state"
)

// A Keeper notes how far it came with a frame that is tried again and stays retained. Of other values such a try leaves nothing.
func TestKeeperNotesARetry(t *testing.T) {
	d := newDiaries(t, state.Options{})
	d.receive(noting, frame(1), frame(2))
	require.Len(t, d.retained(), 2)

	// The second frame makes the vault try the first again, which is noted twice.
	tried := 0
	d.receive(func(tx *state.Tx[diary], f state.Frame) error {
		if f.Hash() == hash(3) {
			tx.RetryRetained(hash(1))
			return noting(tx, f)
		}
		tried++
		noted := tx.Value().Part().Forget(f.Hash())
		noted.frames = append(noted.frames, f.Hash())
		tx.Set(tx.Value().With(noted))
		return errNotYet
	}, frame(3))
	require.Equal(t, 1, tried)
	s, err := d.Load(t.Context(), id(1))
	require.NoError(t, err)
	require.Equal(t, [][32]byte{hash(2), hash(3), hash(1)}, s.Part().frames)
}

// An opener finds a frame that was retained before in the same commit, and none that was given up in it.
func TestRetainedWithinACommit(t *testing.T) {
	d := newDiaries(t, state.Options{})
	var found []error
	d.receive(func(tx *state.Tx[diary], f state.Frame) error {
		for n := range 2 {
			got, err := tx.Retained(hash(n))
			found = append(found, err)
			if err == nil {
				require.Equal(t, hash(n), got.Hash())
			}
		}
		if f.Hash() == hash(1) {
			tx.GiveUp(state.ErrNoRoom, hash(0))
			tx.Set(tx.Value().With(tx.Value().Part().Forget(hash(0))))
		}
		return noting(tx, f)
	}, frame(0), frame(1), frame(2))
	missing := state.ErrNotFound
	require.Equal(t, []error{missing, missing, nil, missing, missing, nil}, found)
	require.Len(t, d.retained(), 2)
}

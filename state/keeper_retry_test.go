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

// What is given up while retained frames are tried again is not tried any more, whether it comes later in their order or not.
func TestGivenUpInARetry(t *testing.T) {
	d := newDiaries(t, state.Options{})
	d.receive(noting, frame(1), frame(2), frame(3))
	require.NoError(t, d.Update(t.Context(), id(1), func(tx *state.Tx[diary]) error { tx.RetryRetained(); return nil }))
	var tried [][32]byte
	ack, err := d.Retry(t.Context(), id(1), func(tx *state.Tx[diary], f state.Frame) error {
		tried = append(tried, f.Hash())
		if f.Hash() != hash(1) {
			return errNotYet
		}
		tx.Set(tx.Value().With(tx.Value().Part().Forget(hash(1), hash(2))))
		tx.GiveUp(errRubbish, hash(2))
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, [][32]byte{hash(1), hash(3)}, tried)
	require.Equal(t, [][32]byte{hash(1), hash(2)}, ack)
	require.Equal(t, [][32]byte{hash(3)}, d.retained())
}

// The receipt of a frame names what it made an end of; what is read because of it stands in the last one.
func TestReceiptsAcknowledgeOnce(t *testing.T) {
	open := func(tx *state.Tx[diary], f state.Frame) error {
		switch f.Hash() {
		case hash(3):
			tx.Set(tx.Value().With(tx.Value().Part().Forget(hash(1))))
			tx.GiveUp(errRubbish, hash(1))
			tx.RetryRetained(hash(2))
		case hash(2):
			tx.Set(tx.Value().With(tx.Value().Part().Forget(hash(2))))
		default:
			return noting(tx, f)
		}
		return nil
	}
	for _, c := range []struct {
		frames []state.Frame
		want   [][][32]byte
	}{
		{[]state.Frame{frame(3)}, [][][32]byte{{hash(1), hash(2)}}},
		{[]state.Frame{frame(3), frame(4)}, [][][32]byte{{hash(1)}, {hash(2)}}},
	} {
		d := newDiaries(t, state.Options{})
		d.receive(noting, frame(1), frame(2))
		var got [][][32]byte
		for _, r := range d.receive(open, c.frames...) {
			got = append(got, r.Acknowledge)
		}
		require.Equal(t, c.want, got)
	}
}

// What was read cannot be given up any more: it would come again, and be read twice.
func TestReadIsNotGivenUp(t *testing.T) {
	d := newDiaries(t, state.Options{})
	d.receive(func(tx *state.Tx[diary], f state.Frame) error {
		if f.Hash() == hash(2) {
			tx.GiveUp(state.ErrNoRoom, hash(1))
		}
		return nil
	}, frame(1), frame(2))
	require.Equal(t, state.ErrSeen, d.receive(noting, frame(1))[0].Reason)
}

package outcome

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state"
)

// Every reason is found as itself and as its class, and has the verdict of its class.
func TestReasons(t *testing.T) {
	for class, reasons := range map[*state.Outcome][]error{
		ErrNotYet:    {ErrUnknownEpoch, ErrUnknownSender, ErrDeferred, ErrNewVersion},
		ErrStale:     {ErrDuplicate, ErrOwn},
		ErrLost:      {ErrBeforeJoin, ErrExpired, ErrLimit, ErrSenderRolledBack},
		ErrMalformed: {ErrOldVersion},
	} {
		for _, r := range reasons {
			require.ErrorIs(t, r, class)
			require.Equal(t, class.Verdict(), state.VerdictOf(r), r)
			for _, other := range reasons {
				require.Equal(t, r == other, errors.Is(r, other))
			}
		}
	}
	for _, err := range []error{ErrPhase, ErrTooSoon, ErrTooLong, ErrPolicy} {
		require.Equal(t, state.Stop, state.VerdictOf(err))
	}
}

// What a parser refuses is malformed, or of another version: a newer one is kept for an update.
func TestMalformed(t *testing.T) {
	require.NoError(t, Malformed(nil))
	for err, verdict := range map[error]state.Verdict{
		wire.ErrMalformed: state.Discard, wire.ErrTooOld: state.Discard, wire.ErrTooNew: state.Retain,
	} {
		got := Malformed(err)
		require.ErrorIs(t, got, err)
		require.Equal(t, verdict, state.VerdictOf(got))
		require.Equal(t, got, Malformed(got), "twice") // an outcome stays what it is
	}
}

package state_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// G1: a record of a commit that was refused is sealed like the one that was made: for the same row and place, under the same
// version and key. A store that keeps it cannot put it in the place of the other.
func TestG1RecordOfARefusedCommit(t *testing.T) {
	ctx := t.Context()
	memory := store.NewMemory()
	backend := &counting{Store: memory}
	slow, fast := openToys(t, backend, state.Options{}), openToys(t, backend, state.Options{})
	require.NoError(t, slow.Create(ctx, newToy(t, id(1)), nil))
	runs := 0
	require.ErrorIs(t, slow.Update(ctx, id(1), func(tx *state.Tx[toy]) error {
		if runs++; runs > 1 {
			return errBroken // gives up when it runs again
		}
		require.NoError(t, fast.Update(ctx, id(1), func(tx *state.Tx[toy]) error {
			tx.Set(tx.Value().WithEvals(tx.Value().Evals().next()))
			return nil
		}))
		tx.Set(tx.Value().WithEvals(tx.Value().Evals().next().next()))
		return nil
	}), errBroken)
	refused := backend.changes[len(backend.changes)-1]
	row, err := memory.Load(ctx, store.Spaces, id(1))
	require.NoError(t, err)
	require.Equal(t, row.Head.Version, refused.Next.Version)
	require.NotEqual(t, row.Parts[2], refused.Parts[2])

	tamper(t, memory, func(_ store.Row, c *store.Change) { c.Parts[2] = refused.Parts[2] })
	_, err = openToys(t, memory, state.Options{}).Load(ctx, id(1))
	require.ErrorIs(t, err, state.ErrCorrupt)
}

// hollow is a part that an encoding may stand for although it is not whole.
type hollow struct{ whole bool }

func (h hollow) Encode(e *state.Encoder)               { e.Version(1) }
func (hollow) Decode(d *state.Decoder) (hollow, error) { d.Version(1, 1); return hollow{}, nil }
func (hollow) Succeeds(hollow) error                   { return nil }
func (h hollow) IsZero() bool                          { return !h.whole }
func openHollow(t *testing.T, s store.Store) *state.Vault[state.One[hollow]] {
	v, err := state.Open[state.One[hollow]](t.Context(), s, testKey(t, 1), state.Options{})
	require.NoError(t, err)
	return v
}

// G1: a stored value that is not whole is not handed out.
func TestG1HollowValue(t *testing.T) {
	backend := store.NewMemory()
	one, err := state.NewOne(id(1), hollow{whole: true})
	require.NoError(t, err)
	require.NoError(t, openHollow(t, backend).Create(t.Context(), one, nil))
	_, err = openHollow(t, backend).Load(t.Context(), id(1))
	require.ErrorIs(t, err, state.ErrIncomplete)
}

// A negative option is refused, whichever it is.
func TestNegativeOptions(t *testing.T) {
	for _, o := range []state.Options{
		{Outbox: -1}, {Inbox: -1}, {OutboxBytes: -1}, {InboxBytes: -1}, {Retained: -1}, {RetainedSource: -1}, {RetainedBytes: -1},
		{RetainedBytesSource: -1}, {Acknowledged: -1}, {Cache: -1}, {Senders: -1}, {RetainedFor: -1}, {SendTime: -time.Second},
	} {
		_, err := state.Open[toy](t.Context(), store.NewMemory(), testKey(t, 1), o)
		require.Error(t, err, "%+v", o)
	}
}

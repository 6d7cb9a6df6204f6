package members_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/internal/members"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// room is a root with a desk, as parts of a stored value.
type room struct {
	root members.Root
	desk members.Desk
}

func (p room) Encode(e *state.Encoder) {
	state.NewSegment(p.root).Encode(e, "root")
	state.NewSegment(p.desk).Encode(e, "desk")
}

func (room) Decode(d *state.Decoder) (room, error) {
	root, err := state.DecodeSegment[members.Root](d, "root")
	if err != nil {
		return room{}, err
	}
	desk, err := state.DecodeSegment[members.Desk](d, "desk")
	return room{root.Value(), desk.Value()}, err
}

func (room) Succeeds(room) error { return nil }

type fatal interface {
	require.TestingT
	Helper()
}

func stored(t fatal, p room) state.One[room] {
	v, err := state.NewOne(state.ID{1}, p)
	require.NoError(t, err)
	return v
}

func equal(t fatal, a, b members.Root) bool {
	return stored(t, room{root: a}).Equal(stored(t, room{root: b}))
}

// reload takes a room through a vault.
func reload(t testing.TB, p room) room {
	key, err := state.NewKey(make([]byte, 32))
	require.NoError(t, err)
	backend := store.NewMemory()
	v, err := state.Open[state.One[room]](t.Context(), backend, key, state.Options{})
	require.NoError(t, err)
	require.NoError(t, v.Create(t.Context(), stored(t, p), nil))
	v, err = state.Open[state.One[room]](t.Context(), backend, key, state.Options{})
	require.NoError(t, err)
	got, err := v.Load(t.Context(), state.ID{1})
	require.NoError(t, err)
	out := got.Part()
	out.root, err = out.root.With(p.root.Terms)
	require.NoError(t, err)
	return out
}

func loaded(t testing.TB, r members.Root) members.Root { return reload(t, room{root: r}).root }

package state_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/vaultkey"
)

// register is an anchor in memory.
type register struct {
	mark []byte
	off  int // fails from this call of SaveMark on, if it is not 0
}

func (r *register) LoadMark(context.Context) ([]byte, error) { return bytes.Clone(r.mark), nil }

func (r *register) SaveMark(_ context.Context, mark []byte) error {
	if r.off > 0 {
		if r.off--; r.off == 0 {
			return errors.New("the register is away")
		}
	}
	r.mark = bytes.Clone(mark)
	return nil
}

// G35: with an anchor, an older copy of the database is found when it is opened, and so is one that went on by itself.
func TestG35OlderDatabase(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "trefoil.db")
	anchored := &register{}
	use := func(o state.Options, f func(*state.Vault[toy])) error {
		s, closeAll := openFile(t, path)
		defer closeAll()
		v, err := state.Open[toy](ctx, s, testKey(t, 1), o)
		if err == nil {
			f(v)
		}
		return err
	}
	o := state.Options{Anchor: anchored}
	require.NoError(t, use(o, func(v *state.Vault[toy]) { require.NoError(t, v.Create(ctx, newToy(t, id(1)), nil)) }))
	old, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, use(o, func(v *state.Vault[toy]) { require.NoError(t, v.Update(ctx, id(1), push(1))) }))
	require.NoError(t, use(o, func(v *state.Vault[toy]) { require.NoError(t, v.Forget(ctx)) }))
	require.NoError(t, use(state.Options{}, func(v *state.Vault[toy]) { require.NoError(t, v.Forget(ctx)) }), "without it")
	require.NoError(t, use(o, func(*state.Vault[toy]) {}), "others may go on")

	now, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, old, 0o600))
	require.ErrorIs(t, use(o, func(*state.Vault[toy]) {}), state.ErrRolledBack)
	require.NoError(t, use(state.Options{}, func(*state.Vault[toy]) {}), "nobody asked")
	require.NoError(t, os.WriteFile(path, now, 0o600))
	require.NoError(t, use(o, func(*state.Vault[toy]) {}))

	// An anchor that fails between two steps never makes the database itself look old.
	for n := 1; n < 8; n++ {
		anchored.off = n
		_ = use(o, func(v *state.Vault[toy]) { _ = v.Forget(ctx) })
		anchored.off = 0
		require.NoError(t, use(o, func(v *state.Vault[toy]) { require.NoError(t, v.Update(ctx, id(1), push(1))) }), "call %d", n)
	}
}

// version returns the version of the store's own row that an anchor has marked.
func (r *register) version() uint64 { return binary.BigEndian.Uint64(r.mark) }

// An older copy that went on by itself until it was of the version that is marked, or that comes next, is found, too; and so is one
// that was made between two replacements of the data key while the vault was open.
func TestCopiesOfTheNextVersion(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "trefoil.db")
	anchored := &register{}
	use := func(a vaultkey.Anchor, f func(*state.Vault[toy])) error {
		s, closeAll := openFile(t, path)
		defer closeAll()
		v, err := state.Open[toy](ctx, s, testKey(t, 1), state.Options{Anchor: a})
		if err == nil {
			f(v)
		}
		return err
	}
	none := func(*state.Vault[toy]) {}
	forget := func(v *state.Vault[toy]) { require.NoError(t, v.Forget(ctx)) }
	require.NoError(t, use(anchored, none))
	old, err := os.ReadFile(path)
	require.NoError(t, err)
	was := anchored.version()
	require.NoError(t, use(anchored, none))
	require.Equal(t, was+1, anchored.version())
	now, err := os.ReadFile(path)
	require.NoError(t, err)

	require.NoError(t, os.WriteFile(path, old, 0o600))
	require.NoError(t, use(nil, forget), "a key is drawn, and the old one is taken away: two versions")
	require.ErrorIs(t, use(anchored, none), state.ErrRolledBack)

	require.NoError(t, os.WriteFile(path, old, 0o600))
	require.NoError(t, use(nil, func(v *state.Vault[toy]) { require.NoError(t, v.Rekey(ctx, testKey(t, 1))) }), "one version")
	require.ErrorIs(t, use(anchored, none), state.ErrRolledBack)

	require.NoError(t, os.WriteFile(path, now, 0o600))
	var between []byte
	require.NoError(t, use(anchored, func(v *state.Vault[toy]) {
		forget(v)
		between, err = os.ReadFile(path)
		require.NoError(t, err)
		forget(v)
	}))
	require.NoError(t, os.WriteFile(path, between, 0o600))
	require.ErrorIs(t, use(anchored, none), state.ErrRolledBack)
}

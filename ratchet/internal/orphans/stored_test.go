package orphans_test

import (
	"context"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/ratchet/internal/orphans"
	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// part is an Index as the part of a stored value.
type part struct{ orphans.Index }

func (p part) Encode(e *state.Encoder) { p.Index.Encode(e) }
func (part) Decode(d *state.Decoder) (p part, err error) {
	p.Index, err = p.Index.Decode(d)
	return p, err
}
func (part) Succeeds(part) error { return nil }

// value returns the Index as a value that can be stored and compared.
func value(t orphans.TB, x orphans.Index) state.One[part] {
	v, err := state.NewOne(state.ID{1}, part{x})
	require.NoError(t, err)
	return v
}

// counting is a store that counts the bytes that are handed to it.
type counting struct {
	store.Store
	bytes int
}

func (c *counting) Commit(ctx context.Context, changes ...store.Change) error {
	c.bytes = 0
	for _, ch := range changes {
		c.bytes += len(ch.Next.Sealed)
		for _, b := range slices.Concat(ch.Parts, slices.Collect(maps.Values(ch.Put))) {
			c.bytes += len(b)
		}
	}
	return c.Store.Commit(ctx, changes...)
}

// vault keeps an Index.
type vault struct {
	t     testing.TB
	store *counting
	vault *state.Vault[state.One[part]]
}

func newVault(t testing.TB, x orphans.Index) vault {
	c := &counting{Store: store.NewMemory()}
	v := vault{t, c, nil}
	v.vault = v.open()
	require.NoError(t, v.vault.Create(t.Context(), value(t, x), nil))
	return v
}

func (v vault) open() *state.Vault[state.One[part]] {
	key, err := state.NewKey(make([]byte, 32))
	require.NoError(v.t, err)
	w, err := state.Open[state.One[part]](v.t.Context(), v.store, key, state.Options{})
	require.NoError(v.t, err)
	return w
}

// update stores what f makes of the Index, and returns it and the bytes written.
func (v vault) update(f func(orphans.Index) orphans.Index) (x orphans.Index, bytes int) {
	require.NoError(v.t, v.vault.Update(v.t.Context(), state.ID{1}, func(tx *state.Tx[state.One[part]]) error {
		x = f(tx.Value().Part().Index)
		tx.Set(tx.Value().With(part{x}))
		return nil
	}))
	return x, v.store.bytes
}

// load returns the Index as another process reads it.
func (v vault) load() orphans.Index {
	w, err := v.open().Load(v.t.Context(), state.ID{1})
	require.NoError(v.t, err)
	return w.Part().Index
}

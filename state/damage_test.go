package state_test

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
)

// damaged shows rows of a store otherwise than they are, and counts the writes that reach it.
type damaged struct {
	store.Store
	damage func(store.Row) store.Row
	writes int
}

func (d *damaged) Load(ctx context.Context, k store.Kind, id state.ID) (store.Row, error) {
	r, err := d.Store.Load(ctx, k, id)
	if err == nil && k == store.Spaces {
		r = d.damage(r)
	}
	return r, err
}

func (d *damaged) Commit(ctx context.Context, changes ...store.Change) error {
	d.writes++
	return d.Store.Commit(ctx, changes...)
}

// G1, G6, G28: whatever is wrong with a row, it is refused with a typed error before anything is overwritten.
func TestG1DamagedRowsAreRefused(t *testing.T) {
	ctx := t.Context()
	backend := store.NewMemory()
	v := openToys(t, backend, state.Options{})
	grown := func(id state.ID) toy {
		s := newToy(t, id)
		l := s.State()
		for n := range uint64(3 * blockSize) {
			l = l.with(n)
		}
		return s.WithState(l).WithTemplate(s.Template().with("a"))
	}
	require.NoError(t, v.Create(ctx, grown(id(1)), nil))
	require.NoError(t, v.Create(ctx, grown(id(2)), nil))
	raw := func(n byte) store.Row {
		r, err := backend.Load(ctx, store.Spaces, id(n))
		require.NoError(t, err)
		return r
	}
	old, other := raw(1), raw(2)
	require.NoError(t, v.Update(ctx, id(1), func(tx *state.Tx[toy]) error {
		s := tx.Value()
		tx.Set(s.WithState(s.State().with(9)).WithTemplate(s.Template().with("b")).WithEvals(s.Evals().next()))
		return nil
	}))
	flip := func(b []byte, at int) []byte {
		b = bytes.Clone(b)
		b[at] ^= 1
		return b
	}
	version := func(b []byte, v byte) []byte { return append([]byte{0, v}, b[2:]...) }

	cases := []struct {
		name   string
		want   error
		damage func(r store.Row) store.Row
	}{
		{"no change", nil, func(r store.Row) store.Row { return r }},
		{"part missing", state.ErrCorrupt, func(r store.Row) store.Row { r.Parts[2] = nil; return r }},
		{"part empty", state.ErrCorrupt, func(r store.Row) store.Row { r.Parts[1] = []byte{}; return r }},
		{"two parts only", state.ErrCorrupt, func(r store.Row) store.Row { r.Parts = r.Parts[:2]; return r }},
		{"four parts", state.ErrCorrupt, func(r store.Row) store.Row { r.Parts = append(r.Parts, r.Parts[0]); return r }},
		{"parts swapped", state.ErrCorrupt, func(r store.Row) store.Row { r.Parts[0], r.Parts[1] = r.Parts[1], r.Parts[0]; return r }},
		{"part of another row", state.ErrCorrupt, func(r store.Row) store.Row { r.Parts[1] = other.Parts[1]; return r }},
		{"rows swapped", state.ErrCorrupt, func(store.Row) store.Row { return other }},
		{"older state in a newer row", state.ErrCorrupt, func(r store.Row) store.Row { r.Parts[0] = old.Parts[0]; return r }},
		{"older template in a newer row", state.ErrCorrupt, func(r store.Row) store.Row { r.Parts[1] = old.Parts[1]; return r }},
		{"older evals in a newer row", state.ErrCorrupt, func(r store.Row) store.Row { r.Parts[2] = old.Parts[2]; return r }},
		{"newer part in an older row", state.ErrCorrupt, func(r store.Row) store.Row {
			p := r.Parts[0]
			r = old
			r.Parts = append([][]byte{p}, old.Parts[1:]...)
			return r
		}},
		{"older head", state.ErrCorrupt, func(r store.Row) store.Row { r.Head = old.Head; return r }},
		{"older head under the newer version", state.ErrCorrupt, func(r store.Row) store.Row { r.Head.Sealed = old.Head.Sealed; return r }},
		{"newer version", state.ErrCorrupt, func(r store.Row) store.Row { r.Head.Version++; return r }},
		{"segment missing", state.ErrCorrupt, func(r store.Row) store.Row { delete(r.Segments, "state/1"); return r }},
		{"nested segment missing", state.ErrCorrupt, func(r store.Row) store.Row { delete(r.Segments, "state/1/sum"); return r }},
		{"segment left over", state.ErrCorrupt, func(r store.Row) store.Row { r.Segments["state/9"] = r.Segments["state/1"]; return r }},
		{"segment truncated", state.ErrCorrupt, func(r store.Row) store.Row {
			b := r.Segments["state/1"]
			r.Segments["state/1"] = b[:len(b)-1]
			return r
		}},
		{"segment cut to its header", state.ErrCorrupt, func(r store.Row) store.Row { r.Segments["state/1"] = r.Segments["state/1"][:20]; return r }},
		{"segments swapped", state.ErrCorrupt, func(r store.Row) store.Row {
			r.Segments["state/0"], r.Segments["state/1"] = r.Segments["state/1"], r.Segments["state/0"]
			return r
		}},
		{"segment of another row", state.ErrCorrupt, func(r store.Row) store.Row { r.Segments["state/1"] = other.Segments["state/1"]; return r }},
		{"head flipped", state.ErrCorrupt, func(r store.Row) store.Row { r.Head.Sealed = flip(r.Head.Sealed, 60); return r }},
		{"part flipped", state.ErrCorrupt, func(r store.Row) store.Row { r.Parts[2] = flip(r.Parts[2], len(r.Parts[2])-1); return r }},
		{"nonce flipped", state.ErrCorrupt, func(r store.Row) store.Row { r.Segments["state/0"] = flip(r.Segments["state/0"], 12); return r }},
		{"another key's name", state.ErrWrongKey, func(r store.Row) store.Row { r.Head.Sealed = flip(r.Head.Sealed, 3); return r }},
		{"newer head format", state.ErrTooNew, func(r store.Row) store.Row { r.Head.Sealed = version(r.Head.Sealed, 2); return r }},
		{"newer part format", state.ErrTooNew, func(r store.Row) store.Row { r.Parts[1] = version(r.Parts[1], 2); return r }},
		{"older head format", state.ErrTooOld, func(r store.Row) store.Row { r.Head.Sealed = version(r.Head.Sealed, 0); return r }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := &damaged{Store: backend, damage: c.damage}
			v := openToys(t, d, state.Options{})
			before := raw(1)
			_, err := v.Load(ctx, id(1))
			require.ErrorIs(t, err, c.want)
			if c.want == nil {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, v.Update(ctx, id(1), push(1)), c.want)
			_, err = v.Receive(ctx, id(1), state.Frame{Data: []byte("frame")}, func(*state.Tx[toy], state.Frame) error { return nil })
			require.ErrorIs(t, err, c.want)
			require.Zero(t, d.writes)
			require.Equal(t, before, raw(1))
		})
	}

	t.Run("each byte of each record", func(t *testing.T) {
		for at := range len(raw(1).Parts[2]) {
			d := &damaged{Store: backend, damage: func(r store.Row) store.Row { r.Parts[2] = flip(r.Parts[2], at); return r }}
			_, err := openToys(t, d, state.Options{}).Load(ctx, id(1))
			require.Error(t, err)
		}
		for path := range raw(1).Segments {
			for at := range len(raw(1).Segments[path]) {
				d := &damaged{Store: backend, damage: func(r store.Row) store.Row {
					r.Segments[path] = flip(r.Segments[path], at)
					return r
				}}
				_, err := openToys(t, d, state.Options{}).Load(ctx, id(1))
				require.Error(t, err)
			}
		}
	})

	t.Run("wrong key", func(t *testing.T) {
		d := &damaged{Store: backend}
		_, err := state.Open[toy](ctx, d, testKey(t, 2), state.Options{})
		require.ErrorIs(t, err, state.ErrWrongKey)
		require.Zero(t, d.writes)
	})

	t.Run("deleted", func(t *testing.T) {
		d := &damaged{Store: backend, damage: func(r store.Row) store.Row { r.Parts[0] = nil; return r }}
		v := openToys(t, d, state.Options{})
		_, err := v.Load(ctx, id(2))
		require.ErrorIs(t, err, state.ErrCorrupt)
		require.NoError(t, v.Delete(ctx, id(2)), "G11: what cannot be read can be deleted")
	})
}

// newerCounter is counter as a later release might write it.
type newerCounter struct{ counter }

func (c newerCounter) Encode(e *state.Encoder) {
	e.Version(toyVersion + 1)
	e.Uint64(c.n)
}
func (newerCounter) Decode(d *state.Decoder) (newerCounter, error) {
	d.Version(toyVersion+1, toyVersion+1)
	return newerCounter{counter{n: d.Uint64()}}, nil
}
func (c newerCounter) Succeeds(newerCounter) error { return nil }

// sloppyCounter leaves bytes unread.
type sloppyCounter struct{ counter }

func (sloppyCounter) Decode(d *state.Decoder) (sloppyCounter, error) {
	d.Version(toyVersion, toyVersion)
	return sloppyCounter{counter{n: d.Uint64()}}, nil
}
func (c sloppyCounter) Succeeds(sloppyCounter) error { return nil }

// sloppyList leaves segments unread.
type sloppyList struct{ list }

func (sloppyList) Decode(d *state.Decoder) (sloppyList, error) {
	d.Version(toyVersion, toyVersion)
	d.Uint32()
	return sloppyList{}, nil
}
func (sloppyList) Succeeds(sloppyList) error { return nil }

// G28: a part of a newer or an older format is refused as such, and a Decode that forgets something is caught.
func TestG28PartVersions(t *testing.T) {
	ctx := t.Context()
	backend := store.NewMemory()
	require.NoError(t, openToys(t, backend, state.Options{}).Create(ctx, newToy(t, id(1)), push(1)))
	newer, err := state.Open[state.SpaceEncryptionState[list, set, newerCounter]](context.Background(), backend, testKey(t, 1), state.Options{})
	require.NoError(t, err)
	_, err = newer.Load(ctx, id(1))
	require.ErrorIs(t, err, state.ErrTooOld)
	require.ErrorContains(t, err, "evals")

	s, err := state.New(id(2), list{}, set{}, newerCounter{})
	require.NoError(t, err)
	require.NoError(t, newer.Create(ctx, s, nil))
	err = openToys(t, backend, state.Options{}).Update(ctx, id(2), push(1))
	require.ErrorIs(t, err, state.ErrTooNew)
	require.NotErrorIs(t, err, state.ErrCorrupt)

	sloppy, err := state.Open[state.SpaceEncryptionState[list, set, sloppyCounter]](context.Background(), backend, testKey(t, 1), state.Options{})
	require.NoError(t, err)
	_, err = sloppy.Load(ctx, id(1))
	require.ErrorIs(t, err, state.ErrCorrupt, "unread bytes")
	lists, err := state.Open[state.SpaceEncryptionState[sloppyList, set, counter]](context.Background(), backend, testKey(t, 1), state.Options{})
	require.NoError(t, err)
	_, err = lists.Load(ctx, id(1))
	require.ErrorIs(t, err, state.ErrCorrupt, "unread segments")
}

// Rows share nothing with each other: no sealed record of one store ever repeats in another commit.
func TestNoncesAreFresh(t *testing.T) {
	ctx := t.Context()
	backend := store.NewMemory()
	v := openToys(t, backend, state.Options{})
	nonces := make(map[string]bool)
	note := func(r store.Row) {
		for _, b := range append(slices.Collect(maps.Values(r.Segments)), append(r.Parts, r.Head.Sealed)...) {
			nonces[string(b[10:34])] = true
		}
	}
	for n := range byte(8) {
		require.NoError(t, v.Create(ctx, newToy(t, id(n+1)), push(1)))
		r, err := backend.Load(ctx, store.Spaces, id(n+1))
		require.NoError(t, err)
		note(r)
	}
	require.Len(t, nonces, 8*(1+3+2))
}

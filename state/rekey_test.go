package state_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state"
	"github.com/trefoil-im/trefoil/state/store"
	"github.com/trefoil-im/trefoil/state/storetest"
	"github.com/trefoil-im/trefoil/state/vaultkey"
)

// keychain is a key store of a platform: entries under names, which can be destroyed.
type keychain struct {
	mu      sync.Mutex
	entries map[string][]byte
}

func (k *keychain) NewKey(context.Context) (key, hint []byte, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	key, name := make([]byte, vaultkey.Size), rand.Text()
	rand.Read(key)
	k.entries[name] = key
	return key, []byte(name), nil
}

func (k *keychain) FindKey(_ context.Context, hint []byte) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if key, found := k.entries[string(hint)]; found {
		return key, nil
	}
	return nil, errors.New("keychain: no such entry")
}

func phrase(t *testing.T, text string) state.Key {
	p, err := vaultkey.Passphrase([]byte(text), vaultkey.Cost{Time: 1, Memory: 64, Threads: 1})
	require.NoError(t, err)
	return state.Key{From: p}
}

// A vault opens with its passphrase and with no other, and with the new one alone after Rekey; a vault that is open goes on.
func TestPassphraseOfAVault(t *testing.T) {
	ctx := t.Context()
	backend := store.NewMemory()
	v, err := state.Open[toy](ctx, backend, phrase(t, "old"), state.Options{})
	require.NoError(t, err)
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), nil))
	_, err = state.Open[toy](ctx, backend, phrase(t, "new"), state.Options{})
	require.ErrorIs(t, err, state.ErrWrongKey)

	require.NoError(t, v.Rekey(ctx, phrase(t, "new")))
	_, err = state.Open[toy](ctx, backend, phrase(t, "old"), state.Options{})
	require.ErrorIs(t, err, state.ErrWrongKey)
	w, err := state.Open[toy](ctx, backend, phrase(t, "new"), state.Options{})
	require.NoError(t, err)
	for _, vault := range []*state.Vault[toy]{w, v, w} {
		require.NoError(t, vault.Update(ctx, id(1), push(1)))
		require.NoError(t, vault.Forget(ctx))
	}
	require.Error(t, v.Rekey(ctx, state.Key{}))
}

// A vault whose key is found anew goes on after another has replaced it; one that knows the old key alone stops.
func TestRekeyBesideOthers(t *testing.T) {
	ctx := t.Context()
	backend := store.NewMemory()
	chain := &keychain{entries: map[string][]byte{}}
	open := func(k state.Key) *state.Vault[toy] {
		v, err := state.Open[toy](ctx, backend, k, state.Options{})
		require.NoError(t, err)
		return v
	}
	first := open(state.Key{From: chain})
	var old []byte
	for _, old = range chain.entries {
	}
	fixed, err := state.NewKey(old)
	require.NoError(t, err)
	second, third := open(state.Key{From: chain}), open(fixed)
	require.NoError(t, third.Create(ctx, newToy(t, id(1)), nil))
	require.NoError(t, first.Rekey(ctx, state.Key{From: chain}))
	require.Len(t, chain.entries, 2)
	require.NoError(t, second.Update(ctx, id(1), push(1)))
	require.ErrorIs(t, third.Update(ctx, id(1), push(1)), state.ErrWrongKey)
	_, err = third.Load(ctx, id(1))
	require.NoError(t, err, "the data key is the same; reading goes on")
	require.NoError(t, second.Forget(ctx))
	_, err = third.Load(ctx, id(1))
	require.ErrorIs(t, err, state.ErrWrongKey)
}

// A provider that fails, or returns what is no key, makes Open fail with its error, and leaves the store empty.
func TestFailingProvider(t *testing.T) {
	ctx := t.Context()
	for _, chain := range []vaultkey.Provider{broken{}, broken{key: make([]byte, 31)}, broken{key: make([]byte, 32), hint: make([]byte, 1025)}} {
		backend := store.NewMemory()
		_, err := state.Open[toy](ctx, backend, state.Key{From: chain}, state.Options{})
		require.Error(t, err)
		require.Empty(t, listed(t, backend, store.Vault))
		v := openToys(t, backend, state.Options{})
		require.Error(t, v.Rekey(ctx, state.Key{From: chain}))
		openToys(t, backend, state.Options{})
	}
}

type broken struct{ key, hint []byte }

func (b broken) NewKey(context.Context) (key, hint []byte, err error) {
	if b.key == nil {
		return nil, nil, errors.New("the service is away")
	}
	return b.key, b.hint, nil
}

func (b broken) FindKey(context.Context, []byte) ([]byte, error) { return b.key, nil }

// A new key, and a new data key, count as soon as they are stored, also if the store does not say that they are.
func TestRekeyOfUncertainStore(t *testing.T) {
	ctx := t.Context()
	lost := 0 // how many commits from now on the answer is lost of
	backend := storetest.Fail(store.NewMemory(), func(c storetest.Call) storetest.Fault {
		if c.Method == "Commit" && lost > 0 {
			lost--
			return storetest.After
		}
		return storetest.None
	})
	v := openToys(t, backend, state.Options{})
	require.NoError(t, v.Create(ctx, newToy(t, id(1)), nil))
	lost = 1
	require.NoError(t, v.Rekey(ctx, testKey(t, 2)))
	lost = 1
	require.NoError(t, v.Forget(ctx))
	require.Zero(t, lost)
	require.NoError(t, v.Update(ctx, id(1), push(1)))
	again, err := state.Open[toy](ctx, backend, testKey(t, 2), state.Options{})
	require.NoError(t, err)
	_, err = again.Load(ctx, id(1))
	require.NoError(t, err)
}

// single is a key store with one entry, whose name stays.
type single struct{ key []byte }

func (s *single) NewKey(context.Context) (key, hint []byte, err error) {
	s.key = make([]byte, vaultkey.Size)
	rand.Read(s.key)
	return bytes.Clone(s.key), []byte("the entry"), nil
}

func (s *single) FindKey(context.Context, []byte) ([]byte, error) { return bytes.Clone(s.key), nil }

// A vault goes on when another has put another key in the place of the old one under the same name.
func TestRekeyUnderTheSameName(t *testing.T) {
	ctx := t.Context()
	backend, chain := store.NewMemory(), &single{}
	var vaults [2]*state.Vault[toy]
	for i := range vaults {
		v, err := state.Open[toy](ctx, backend, state.Key{From: chain}, state.Options{})
		require.NoError(t, err)
		vaults[i] = v
	}
	require.NoError(t, vaults[0].Create(ctx, newToy(t, id(1)), nil))
	require.NoError(t, vaults[0].Rekey(ctx, state.Key{From: chain}))
	require.NoError(t, vaults[1].Update(ctx, id(1), push(1)))
}

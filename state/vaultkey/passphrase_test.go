package vaultkey_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/state/vaultkey"
)

// cheap is for tests only.
var cheap = vaultkey.Cost{Time: 1, Memory: 64, Threads: 2}

func provider(t *testing.T, phrase string, cost vaultkey.Cost) vaultkey.Provider {
	p, err := vaultkey.Passphrase([]byte(phrase), cost)
	require.NoError(t, err)
	return p
}

// A hint finds the key that was made with it, whatever cost new keys have, and no two keys are alike.
func TestPassphrase(t *testing.T) {
	ctx := t.Context()
	key, hint, err := provider(t, "correct horse", cheap).NewKey(ctx)
	require.NoError(t, err)
	require.Len(t, key, vaultkey.Size)
	again, err := provider(t, "correct horse", vaultkey.DefaultCost).FindKey(ctx, hint)
	require.NoError(t, err)
	require.Equal(t, key, again)
	other, err := provider(t, "correct horsf", cheap).FindKey(ctx, hint)
	require.NoError(t, err)
	require.NotEqual(t, key, other)
	fresh, second, err := provider(t, "correct horse", cheap).NewKey(ctx)
	require.NoError(t, err)
	require.NotEqual(t, key, fresh)
	require.NotEqual(t, hint, second)
	for i := range hint {
		altered := append([]byte(nil), hint...)
		altered[i] ^= 1
		if got, err := provider(t, "correct horse", cheap).FindKey(ctx, altered); err == nil {
			require.NotEqual(t, key, got, "byte %d", i)
		}
	}
}

// A hint from somebody else cannot make the program compute or allocate without bound.
func TestHostileHints(t *testing.T) {
	_, hint, err := provider(t, "phrase", cheap).NewKey(t.Context())
	require.NoError(t, err)
	for at := 1; at < 9; at += 4 { // passes, memory
		altered := append([]byte(nil), hint...)
		altered[at] = 0xff
		_, err := provider(t, "phrase", cheap).FindKey(t.Context(), altered)
		require.ErrorContains(t, err, "out of range")
	}
	for _, bad := range [][]byte{nil, hint[:len(hint)-1], append([]byte(nil), append(hint, 0)...), make([]byte, len(hint))} {
		_, err := provider(t, "phrase", cheap).FindKey(t.Context(), bad)
		require.Error(t, err)
	}
}

func TestPassphraseRefuses(t *testing.T) {
	_, err := vaultkey.Passphrase(nil, cheap)
	require.Error(t, err)
	for _, c := range []vaultkey.Cost{{}, {Time: 1, Memory: 7, Threads: 1}, {Time: 65, Memory: 64, Threads: 1}, {Time: 1, Memory: 2<<20 + 1, Threads: 1}} {
		_, err := vaultkey.Passphrase([]byte("phrase"), c)
		require.Error(t, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = provider(t, "phrase", cheap).NewKey(ended)
	require.ErrorIs(t, err, context.Canceled)
	p := provider(t, "open sesame", cheap)
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", p, p, p), "sesame")
}

package suite

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state"
)

// TestSuites: each number names one pair of algorithms, and no other number any.
func TestSuites(t *testing.T) {
	require.Len(t, Suites(), 4)
	type pair struct {
		Scheme
		KEM
	}
	seen := map[pair]bool{}
	for n := range 256 {
		s := Suite(n)
		require.Equal(t, n >= 1 && n <= 4, s.Valid())
		require.Equal(t, s.Valid(), s.Scheme().Valid() && s.KEM().Valid())
		if s.Valid() {
			seen[pair{s.Scheme(), s.KEM()}] = true
			require.Len(t, NewSigningKey(s.Scheme()).Sign(SignMessage), s.Scheme().SignatureSize())
			require.Equal(t, s.Scheme().SeedSize(), NewSigningKey(s.Scheme()).Seed.Len())
			continue
		}
		require.Zero(t, s.Scheme().SeedSize())
		require.Zero(t, s.Scheme().SignatureSize())
		_, err := ParseKEMSecret(s.KEM(), secret.Random(KEMSecretSize))
		typed(t, err)
	}
	require.Len(t, seen, 4)
}

// TestLoadedKeys: a key that is read by its length takes boxes like one that was tried, and one that takes none is found when it
// is tried, and when something is boxed to it.
func TestLoadedKeys(t *testing.T) {
	for _, kem := range []KEM{MLKEM768X25519, X25519} {
		k := NewKEMSecret(kem)
		raw := append([]byte(nil), k.Public.Bytes()...)
		loaded, err := LoadKEMKey(raw)
		clear(raw)
		require.NoError(t, err)
		require.NoError(t, loaded.Try())
		require.True(t, loaded.Equal(k.Public))
		require.Equal(t, kem, loaded.KEM())
		box, err := loaded.Seal(HPKETicket, state.ID{1}, 7, []byte("hello"))
		require.NoError(t, err)
		plain, err := k.Open(HPKETicket, state.ID{1}, 7, box)
		require.NoError(t, err)
		require.Equal(t, "hello", string(plain.Expose()))

		dead, err := LoadKEMKey(make([]byte, len(raw)))
		require.NoError(t, err)
		require.Error(t, dead.Try())
		_, err = dead.Seal(HPKETicket, state.ID{1}, 7, nil)
		require.ErrorIs(t, err, ErrInvalid)
	}
	for _, n := range []int{0, 31, 33, 1215, 1217} {
		_, err := LoadKEMKey(make([]byte, n))
		require.ErrorIs(t, err, wire.ErrMalformed)
	}
	require.Error(t, KEMKey{}.Try())
}

// TestExport: exports differ by secret, label, context and where one ends and the other begins; a length has its bounds.
func TestExport(t *testing.T) {
	key := secret.Random(KeySize)
	export := func(key secret.Bytes, label, context string) string {
		out, err := Export(key, label, []byte(context), 32)
		require.NoError(t, err)
		return string(out.Expose())
	}
	seen := map[string]bool{export(key, "a", "bc"): true, export(key, "ab", "c"): true, export(key, "", "abc"): true,
		export(key, "abc", ""): true, export(secret.Random(KeySize), "a", "bc"): true}
	require.Len(t, seen, 5)
	out, err := Export(key, "a", nil, MaxExport)
	require.NoError(t, err)
	require.Equal(t, MaxExport, out.Len())
	for _, n := range []int{-1, 0, MaxExport + 1} {
		_, err := Export(key, "a", nil, n)
		require.ErrorIs(t, err, ErrExport)
	}
	_, err = Export(key, string(make([]byte, 256)), nil, 32)
	require.ErrorIs(t, err, ErrExport)
}

package keypair

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/ed448/ed448test"
	"github.com/trefoil-im/trefoil/internal/wire/wiretest"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

func TestHostileScalarsAreNoKeys(t *testing.T) {
	bad := ed448test.BadScalars()
	bad["zero"] = make([]byte, PrivateKeySize)
	for name, b := range bad {
		_, err := ParsePrivateKey[key.Identity](b)
		require.ErrorIs(t, err, key.ErrMalformed, name)
	}
	for _, n := range []int{0, 1, 32, SeedSize - 1, SeedSize + 1, 114} {
		_, err := ParseSigningKey(make([]byte, n))
		require.ErrorIs(t, err, key.ErrMalformed)
	}
}

func TestWycheproofEd448(t *testing.T) {
	f, err := os.Open("../testdata/wycheproof_Ed448.json.gz")
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	var file struct {
		NumberOfTests int
		TestGroups    []struct {
			Key   struct{ Pk, Sk string }
			Tests []struct {
				TcID             int
				Msg, Sig, Result string
			}
		}
	}
	require.NoError(t, json.NewDecoder(z).Decode(&file))
	decode := func(s string) []byte {
		b, err := hex.DecodeString(s)
		require.NoError(t, err)
		return b
	}
	n := 0
	for _, g := range file.TestGroups {
		k, err := ParseSigningKey(decode(g.Key.Sk))
		require.NoError(t, err)
		public, err := key.ParseVerifyKey(decode(g.Key.Pk))
		require.NoError(t, err)
		require.Equal(t, public, k.Public())
		for _, v := range g.Tests {
			n++
			err := public.Verify(decode(v.Msg), decode(v.Sig))
			if v.Result == "valid" {
				require.NoError(t, err, "test %d", v.TcID)
				require.Equal(t, v.Sig, hex.EncodeToString(k.Sign(decode(v.Msg))))
			} else {
				require.ErrorIs(t, err, key.ErrUnverified, "test %d", v.TcID)
			}
		}
	}
	require.Equal(t, file.NumberOfTests, n)
	require.NotZero(t, n)
}

func TestKEM(t *testing.T) {
	k := GenerateKEMKey()
	public, err := key.ParseKEMPublicKey(k.Public().Bytes())
	require.NoError(t, err)
	sealed, err := public.Seal("invite", []byte("text"))
	require.NoError(t, err)
	require.Len(t, sealed, 4+1136)
	plain, err := k.Open("invite", sealed)
	require.NoError(t, err)
	require.Equal(t, "text", string(plain))
	for name, in := range map[string][]byte{"empty": nil, "short": sealed[:100], "changed": append(bytes.Clone(sealed[:len(sealed)-1]), ^sealed[len(sealed)-1])} {
		_, err = k.Open("invite", in)
		require.ErrorIs(t, err, key.ErrForged, name)
	}
	_, err = k.Open("another use", sealed)
	require.ErrorIs(t, err, key.ErrForged)
	_, err = GenerateKEMKey().Open("invite", sealed)
	require.ErrorIs(t, err, key.ErrForged)
	for _, bad := range [][]byte{nil, make([]byte, key.KEMPublicKeySize-1), make([]byte, key.KEMPublicKeySize),
		bytes.Repeat([]byte{0xff}, key.KEMPublicKeySize)} {
		_, err = key.ParseKEMPublicKey(bad)
		require.ErrorIs(t, err, key.ErrMalformed)
	}
	_, err = key.KEMPublicKey{}.Seal("invite", nil)
	require.ErrorIs(t, err, key.ErrArgument)
	_, err = KEMKey{}.Open("invite", sealed)
	require.ErrorIs(t, err, key.ErrArgument)
}

func FuzzPrivateKey(f *testing.F) {
	wiretest.Fuzz(f, ParsePrivateKey[key.Identity], func(k PrivateKey[key.Identity]) []byte { return k.Bytes() },
		GenerateKey[key.Identity]().Bytes())
}

func FuzzSigningKey(f *testing.F) {
	wiretest.Fuzz(f, ParseSigningKey, SigningKey.Seed, GenerateSigningKey().Seed())
}

func FuzzKEMPublicKey(f *testing.F) {
	wiretest.Fuzz(f, key.ParseKEMPublicKey, key.KEMPublicKey.Bytes, GenerateKEMKey().Public().Bytes())
}

// An agreement whose result is the identity is refused even with keys that no parser lets through.
func TestIdentityResultRefused(t *testing.T) {
	k := GenerateKey[key.Identity]()
	_, err := Agree(k, key.Stored[key.PreKey](identityPoint[:]))
	require.ErrorIs(t, err, key.ErrMalformed)
	_, err = Agree(k, key.FromPoint[key.PreKey](ed448.Point{}))
	require.ErrorIs(t, err, key.ErrMalformed)
	_, err = Agree(k, key.PublicKey[key.PreKey]{})
	require.ErrorIs(t, err, key.ErrMalformed)
	_, err = Agree(PrivateKey[key.Identity]{}, k.Public())
	require.ErrorIs(t, err, key.ErrMalformed)
}

// A key that was drawn without its public half is the same key.
func TestDraw(t *testing.T) {
	k := Draw[key.Step]()
	full, err := ParsePrivateKey[key.Step](k.Bytes())
	require.NoError(t, err)
	require.True(t, k.Equal(full))
	require.True(t, k.Public().Equal(full.Public()))
	require.True(t, PrivateKey[key.Step]{}.Public().IsZero())
}

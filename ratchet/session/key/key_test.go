package key

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/ed448/ed448test"
	"github.com/trefoil-im/trefoil/internal/wire/wiretest"
)

// point returns a random key.
func point() PublicKey[Identity] { return FromPoint[Identity](ed448.BaseMult(ed448.RandomScalar())) }

// No hostile point is a key (G18).
func TestHostilePointsAreNoKeys(t *testing.T) {
	for name, bad := range ed448test.BadPoints(t) {
		_, err := ParsePublicKey[Identity](bad)
		require.ErrorIs(t, err, ErrMalformed, name)
		_, err = ParseVerifyKey(bad)
		require.ErrorIs(t, err, ErrMalformed, name)
	}
}

// Under the identity as a key one fixed signature fits every message, if the verifier lets it.
func TestIdentityVerifiesNothing(t *testing.T) {
	forged := make([]byte, SignatureSize)
	forged[0] = 1 // R = identity, s = 0
	for _, k := range []VerifyKey{{}, {[VerifyKeySize]byte{1}}} {
		if k != (VerifyKey{}) {
			_, err := ParseVerifyKey(k.Bytes())
			require.ErrorIs(t, err, ErrMalformed)
			continue
		}
		require.ErrorIs(t, k.Verify([]byte("anything"), forged), ErrUnverified)
	}
}

func TestAddress(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := Address(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "digest"))
		require.Len(t, a.String(), 46)
		require.True(t, strings.HasPrefix(a.String(), "Qm"))
		back, err := ParseAddress(a.String())
		require.NoError(t, err)
		require.Equal(t, a, back)
	})
	good := Address(point().Bytes()[:32]).String()
	for name, s := range map[string]string{
		"empty": "", "too short": good[:45], "too long": good + "1", "leading 1": "1" + good, "a 0": "0" + good[1:],
		"space": good + " ", "long": strings.Repeat("z", 1<<16), "all z": strings.Repeat("z", 46), "ones": strings.Repeat("1", 34),
		"another hash": encodeBase58(append([]byte{0x13, 0x20}, make([]byte, 32)...)),
		"another size": encodeBase58(append([]byte{0x12, 0x1f}, make([]byte, 32)...)),
		"a letter":     "Ql" + good[2:], "unicode": "Qｍ" + good[2:],
	} {
		_, err := ParseAddress(s)
		require.ErrorIs(t, err, ErrMalformed, name)
	}
}

// Known values of base58btc.
func TestBase58(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "61": "2g", "626262": "a3gV", "636363": "aPEr", "00": "1", "0000287fb4cd": "11233QC4",
		"73696d706c792061206c6f6e6720737472696e67":           "2cFupjhnEsSn59qHXstmK2ffpLv2",
		"00eb15231dfceb60925886b67d065299925915aeb172c06647": "1NS17iag9jJgTHD1VXjvLCEnZuQ3rJDE9L",
		"00000000000000000000":                               "1111111111",
	} {
		b, err := hex.DecodeString(in)
		require.NoError(t, err)
		require.Equal(t, want, encodeBase58(b))
		out := make([]byte, len(b))
		require.NoError(t, decodeBase58(out, want))
		require.Equal(t, b, out)
	}
}

func FuzzPublicKey(f *testing.F) {
	wiretest.Fuzz(f, ParsePublicKey[Identity], PublicKey[Identity].Bytes, point().Bytes())
}

func FuzzVerifyKey(f *testing.F) {
	wiretest.Fuzz(f, ParseVerifyKey, VerifyKey.Bytes, point().Bytes())
}

func FuzzAddress(f *testing.F) {
	wiretest.Fuzz(f, func(b []byte) (Address, error) { return ParseAddress(string(b)) },
		func(a Address) []byte { return []byte(a.String()) }, []byte(Address{1, 2, 3}.String()))
}

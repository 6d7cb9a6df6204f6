package session

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/internal/ed448"
	"github.com/trefoil-im/trefoil/internal/ed448/ed448test"
)

// No hostile point is a key, wherever one is read (G18, hostile matrix).
func TestHostilePointsAreNoKeys(t *testing.T) {
	h := newHuman(t, 1)
	d, r := h.devices[0], h.registration(t)
	bundle, err := d.Bundle().MarshalBinary()
	require.NoError(t, err)
	_, keys, err := d.Issue(1)
	require.NoError(t, err)
	oneTime, err := keys[0].MarshalBinary()
	require.NoError(t, err)
	box, err := Seal(d.inbox.Public(), nil)
	require.NoError(t, err)
	rawBox, err := box.MarshalBinary()
	require.NoError(t, err)
	ratchet := startReceiving(agreedForTest(), d.preKey, GenerateKey[Ephemeral]().Public())
	state, err := ratchet.JSON()
	require.NoError(t, err)

	swap := func(in []byte, key [PublicKeySize]byte, bad []byte) []byte {
		out := bytes.Replace(in, key[:], bad, 1)
		require.NotEqual(t, in, out)
		return out
	}
	swapHex := func(in []byte, key [PublicKeySize]byte, bad []byte) []byte {
		out := bytes.Replace(in, []byte(hex.EncodeToString(key[:])), []byte(hex.EncodeToString(bad)), 1)
		require.NotEqual(t, in, out)
		return out
	}
	for name, bad := range ed448test.BadPoints(t) {
		t.Run(name, func(t *testing.T) {
			_, err := ParsePublicKey[Identity](bad)
			require.ErrorIs(t, err, ErrMalformed)
			_, err = ParseVerifyKey(bad)
			require.ErrorIs(t, err, ErrMalformed)
			for _, key := range [][PublicKeySize]byte{d.identity.public.encoding, d.preKey.public.encoding,
				d.inbox.public.encoding, h.account.public.encoding, h.user.public.encoding} {
				_, err = ParseRegistration(swapHex(r.JSON(), key, bad))
				require.ErrorIs(t, err, ErrMalformed)
			}
			_, err = ParseBundle(swap(bundle, d.identity.public.encoding, bad))
			require.ErrorIs(t, err, ErrMalformed)
			_, err = ParseBundle(swap(bundle, d.mailbox.public.encoding, bad))
			require.ErrorIs(t, err, ErrMalformed)
			_, err = ParseOneTimePreKey(swap(oneTime, keys[0].key.encoding, bad))
			require.ErrorIs(t, err, ErrMalformed)
			if len(bad) == PublicKeySize { // otherwise it is a box with the bytes behind the key moved
				_, err = ParseBox(swap(rawBox, box.ephemeral.encoding, bad))
				require.ErrorIs(t, err, ErrMalformed)
			}
			var j map[string]any
			require.NoError(t, json.Unmarshal(state, &j))
			j["receiving_ephemeral_key"] = bad
			in, err := json.Marshal(j)
			require.NoError(t, err)
			_, err = ParseRatchetJSON(in)
			require.ErrorIs(t, err, ErrMalformed)
		})
	}
}

// An authenticated header with a hostile ratchet key is refused, and changes nothing.
func TestHostilePointInHeader(t *testing.T) {
	alice, bob := settledRatchets(t)
	for name, bad := range ed448test.BadPoints(t) {
		if len(bad) != PublicKeySize {
			continue
		}
		hostile := alice
		hostile.public = storedKey[step](bad)
		// A header under the next key, as after a turn.
		hostile.sendingHeader = bob.nextReceivingHeader
		_, m, err := hostile.Encrypt([]byte("text"))
		require.NoError(t, err)
		next, _, err := bob.Decrypt(m)
		require.ErrorIs(t, err, ErrMalformed, name)
		require.True(t, next.Equal(bob))
	}
}

func TestHostileScalarsAreNoKeys(t *testing.T) {
	bad := ed448test.BadScalars()
	bad["zero"] = make([]byte, PrivateKeySize)
	for name, b := range bad {
		_, err := ParsePrivateKey[Identity](b)
		require.ErrorIs(t, err, ErrMalformed, name)
	}
	for _, n := range []int{0, 1, 32, SeedSize - 1, SeedSize + 1, 114} {
		_, err := ParseSigningKey(make([]byte, n))
		require.ErrorIs(t, err, ErrMalformed)
	}
}

// Under the identity as a key one fixed signature fits every message, if the verifier lets it.
func TestIdentityVerifiesNothing(t *testing.T) {
	forged := make([]byte, SignatureSize)
	forged[0] = 1 // R = identity, s = 0
	for _, k := range []VerifyKey{{}, {identityPoint}} {
		if k != (VerifyKey{}) {
			_, err := ParseVerifyKey(k.Bytes())
			require.ErrorIs(t, err, ErrMalformed)
			continue
		}
		require.ErrorIs(t, k.Verify([]byte("anything"), forged), ErrUnverified)
	}
}

// An agreement whose result is the identity is refused even with keys that no parser lets through.
func TestIdentityResultRefused(t *testing.T) {
	k := GenerateKey[Identity]()
	_, err := agree(k, PublicKey[PreKey]{encoding: identityPoint, point: new(ed448.Point)})
	require.ErrorIs(t, err, ErrMalformed)
	_, err = agree(k, storedKey[PreKey](identityPoint[:]))
	require.ErrorIs(t, err, ErrMalformed)
	_, err = agree(k, PublicKey[PreKey]{})
	require.ErrorIs(t, err, ErrMalformed)
	_, err = agree(PrivateKey[Identity]{}, k.Public())
	require.ErrorIs(t, err, ErrMalformed)
	_, err = x3dhInitiate(k, GenerateKey[Ephemeral](), storedKey[Identity](identityPoint[:]), GenerateKey[PreKey]().Public()).
		key(labelX3DH, agreedSize)
	require.ErrorIs(t, err, ErrMalformed)
	_, err = x3dhAccept(k, GenerateKey[PreKey](), k.Public(), storedKey[Ephemeral](identityPoint[:])).key(labelX3DH, agreedSize)
	require.ErrorIs(t, err, ErrMalformed)
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
	good := GenerateSigningKey().Public().Address().String()
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

func TestWycheproofEd448(t *testing.T) {
	f, err := os.Open("testdata/wycheproof_Ed448.json.gz")
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
		public, err := ParseVerifyKey(decode(g.Key.Pk))
		require.NoError(t, err)
		require.Equal(t, public, k.Public())
		for _, v := range g.Tests {
			n++
			err := public.Verify(decode(v.Msg), decode(v.Sig))
			if v.Result == "valid" {
				require.NoError(t, err, "test %d", v.TcID)
				require.Equal(t, v.Sig, hex.EncodeToString(k.Sign(decode(v.Msg))))
			} else {
				require.ErrorIs(t, err, ErrUnverified, "test %d", v.TcID)
			}
		}
	}
	require.Equal(t, file.NumberOfTests, n)
	require.NotZero(t, n)
}

func TestKEM(t *testing.T) {
	k := GenerateKEMKey()
	public, err := ParseKEMPublicKey(k.Public().Bytes())
	require.NoError(t, err)
	sealed, err := public.Seal("invite", []byte("text"))
	require.NoError(t, err)
	require.Len(t, sealed, 4+1136)
	plain, err := k.Open("invite", sealed)
	require.NoError(t, err)
	require.Equal(t, "text", string(plain))
	for name, in := range map[string][]byte{"empty": nil, "short": sealed[:100], "changed": flip(sealed, len(sealed)-1)} {
		_, err = k.Open("invite", in)
		require.ErrorIs(t, err, ErrForged, name)
	}
	_, err = k.Open("another use", sealed)
	require.ErrorIs(t, err, ErrForged)
	_, err = GenerateKEMKey().Open("invite", sealed)
	require.ErrorIs(t, err, ErrForged)
	for _, bad := range [][]byte{nil, make([]byte, KEMPublicKeySize-1), make([]byte, KEMPublicKeySize),
		bytes.Repeat([]byte{0xff}, KEMPublicKeySize)} {
		_, err = ParseKEMPublicKey(bad)
		require.ErrorIs(t, err, ErrMalformed)
	}
	_, err = KEMPublicKey{}.Seal("invite", nil)
	require.ErrorIs(t, err, ErrNotReady)
	_, err = KEMKey{}.Open("invite", sealed)
	require.ErrorIs(t, err, ErrNotReady)
}

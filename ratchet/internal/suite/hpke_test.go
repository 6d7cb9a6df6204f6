package suite

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/state"
)

// TestBoxes: a box opens with its key, label, space and recipient, and with nothing else.
func TestBoxes(t *testing.T) {
	for _, kem := range []KEM{MLKEM768X25519, X25519} {
		t.Run(fmt.Sprint(kem), func(t *testing.T) {
			k, other := NewKEMSecret(kem), NewKEMSecret(kem)
			space := state.ID{1}
			box, err := k.Public.Seal(HPKETicket, space, 7, []byte("hello"))
			require.NoError(t, err)
			require.Len(t, box, 5+kem.Overhead())
			plain, err := k.Open(HPKETicket, space, 7, box)
			require.NoError(t, err)
			require.Equal(t, "hello", string(plain.Expose()))
			for name, err := range map[string]error{
				"label":     second(k.Open(HPKERekey, space, 7, box)),
				"space":     second(k.Open(HPKETicket, state.ID{2}, 7, box)),
				"recipient": second(k.Open(HPKETicket, space, 0, box)),
				"key":       second(other.Open(HPKETicket, space, 7, box)),
				"short":     second(k.Open(HPKETicket, space, 7, box[:10])),
				"no key":    second(KEMSecret{}.Open(HPKETicket, space, 7, box)),
			} {
				require.ErrorIs(t, err, ErrNotOpened, name)
			}
			for i := 0; i < len(box); i += 1 + len(box)/64 {
				box[i] ^= 1
				_, err := k.Open(HPKETicket, space, 7, box)
				require.ErrorIs(t, err, ErrNotOpened)
				box[i] ^= 1
			}
			again, err := ParseKEMSecret(kem, k.Seed)
			require.NoError(t, err)
			require.True(t, again.Public.Equal(k.Public))
			_, err = KEMKey{}.Seal(HPKETicket, space, 7, nil)
			require.ErrorIs(t, err, ErrInvalid)
			require.NotContains(t, fmt.Sprintf("%v %+v %#v", k, k, k), fmt.Sprintf("%x", k.Seed.Expose()))
		})
	}
}

// typed requires an error of one of the classes that parsers have.
func typed(t testing.TB, err error) {
	t.Helper()
	require.True(t, errors.Is(err, wire.ErrMalformed) || errors.Is(err, ErrInvalid), "%v", err)
}

func second[T any](_ T, err error) error { return err }

// TestUnusableBoxKeys: keys that parse, but to which nothing can be boxed, are found when they arrive, and not by the next
// rekey (§2, scenario 13).
func TestUnusableBoxKeys(t *testing.T) {
	hybrid := NewKEMSecret(MLKEM768X25519).Public.raw
	dead := append(append([]byte(nil), hybrid[:1184]...), make([]byte, 32)...)
	_, err := loadKEMKey(dead)
	require.NoError(t, err, "it parses")
	_, err = ParseKEMKey(dead)
	require.ErrorIs(t, err, ErrInvalid)
	_, err = ParseKEMKey(make([]byte, 32))
	require.ErrorIs(t, err, ErrInvalid)

	reduced := append([]byte(nil), hybrid...)
	for i := range 3 { // two coefficients beyond the modulus of ML-KEM
		reduced[i] = 0xff
	}
	_, err = ParseKEMKey(reduced)
	typed(t, err)
	for _, n := range []int{0, 31, 33, 1215, 1217} {
		_, err = ParseKEMKey(make([]byte, n))
		typed(t, err)
		_, err = ParseKEMSecret(MLKEM768X25519, secret.Random(n))
		typed(t, err)
	}
	_, err = ParseKEMSecret(0, secret.Random(32))
	typed(t, err)
}

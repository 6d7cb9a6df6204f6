package ratchet

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/state"
)

// TestBoxes: a box opens with its key, label, space and recipient, and with nothing else.
func TestBoxes(t *testing.T) {
	for _, kem := range []KEM{MLKEM768X25519, X25519} {
		t.Run(fmt.Sprint(kem), func(t *testing.T) {
			k, other := newBoxSecret(kem), newBoxSecret(kem)
			space := state.ID{1}
			box, err := k.public.seal(boxTicket, space, 7, []byte("hello"))
			require.NoError(t, err)
			require.Len(t, box, 5+kem.overhead())
			plain, err := k.open(boxTicket, space, 7, box)
			require.NoError(t, err)
			require.Equal(t, "hello", string(plain.Expose()))
			for name, err := range map[string]error{
				"label":     second(k.open(boxRekey, space, 7, box)),
				"space":     second(k.open(boxTicket, state.ID{2}, 7, box)),
				"recipient": second(k.open(boxTicket, space, 0, box)),
				"key":       second(other.open(boxTicket, space, 7, box)),
				"short":     second(k.open(boxTicket, space, 7, box[:10])),
				"no key":    second(boxSecret{}.open(boxTicket, space, 7, box)),
			} {
				require.ErrorIs(t, err, errNotOpened, name)
			}
			for i := 0; i < len(box); i += 1 + len(box)/64 {
				box[i] ^= 1
				_, err := k.open(boxTicket, space, 7, box)
				require.ErrorIs(t, err, errNotOpened)
				box[i] ^= 1
			}
			again, err := parseBoxSecret(kem, k.seed)
			require.NoError(t, err)
			require.True(t, again.public.equal(k.public))
			_, err = boxKey{}.seal(boxTicket, space, 7, nil)
			require.ErrorIs(t, err, errInvalid)
			require.NotContains(t, fmt.Sprintf("%v %+v %#v", k, k, k), fmt.Sprintf("%x", k.seed.Expose()))
		})
	}
}

func second[T any](_ T, err error) error { return err }

// TestUnusableBoxKeys: keys that parse, but to which nothing can be boxed, are found when they arrive, and not by the next
// rekey (§2, scenario 13).
func TestUnusableBoxKeys(t *testing.T) {
	hybrid := newBoxSecret(MLKEM768X25519).public.raw
	dead := append(append([]byte(nil), hybrid[:1184]...), make([]byte, 32)...)
	_, err := storedBoxKey(dead)
	require.NoError(t, err, "it parses")
	_, err = parseBoxKey(dead)
	require.ErrorIs(t, err, errInvalid)
	_, err = parseBoxKey(make([]byte, 32))
	require.ErrorIs(t, err, errInvalid)

	reduced := append([]byte(nil), hybrid...)
	for i := range 3 { // two coefficients beyond the modulus of ML-KEM
		reduced[i] = 0xff
	}
	_, err = parseBoxKey(reduced)
	typed(t, err)
	for _, n := range []int{0, 31, 33, 1215, 1217} {
		_, err = parseBoxKey(make([]byte, n))
		typed(t, err)
		_, err = parseBoxSecret(MLKEM768X25519, secret.Random(n))
		typed(t, err)
	}
	_, err = parseBoxSecret(0, secret.Random(32))
	typed(t, err)
}

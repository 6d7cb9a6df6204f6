package double

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/ratchet/session/internal/aead"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
)

// A state in which the deployed client left keys under numbers that it has not reached, or keys that do not fit, goes on.
func TestDamagedBucketsGoOn(t *testing.T) {
	alice, bob := settledRatchets(t, Classic)
	wrong := messageKeys{secret.Random(2 * aead.KeySize)}
	n := bob.receiving.n
	bob.skipped = bob.skipped.
		with(bob.receivingHeader, []skippedKey{{n, wrong}, {n + 1, wrong}, {n + 3, wrong}}).
		with(bob.nextReceivingHeader, []skippedKey{{0, wrong}})
	in, err := bob.JSON()
	require.NoError(t, err)
	bob, err = ParseJSON(in)
	require.NoError(t, err)
	var m [4]Message
	for i := range m {
		alice, m[i] = encrypt(t, alice, fmt.Sprint(i))
	}
	bob = decrypt(t, bob, m[0], "0")
	bob = decrypt(t, bob, m[3], "3")
	bob = decrypt(t, bob, m[1], "1")
	bob = decrypt(t, bob, m[2], "2")
	bob, alice = pass(t, bob, alice, "turn")
	_, bob = pass(t, alice, bob, "turned")
	_, err = parseRatchet(bob.marshal())
	require.NoError(t, err)
}

// Every field of a state has to be there, none twice as long, none unknown.
func TestRatchetJSONIsExact(t *testing.T) {
	alice, bob := settledRatchets(t, Classic)
	alice, _ = encrypt(t, alice, "skipped")
	_, bob = pass(t, alice, bob, "text")
	good, err := bob.JSON()
	require.NoError(t, err)
	var fields map[string]any
	require.NoError(t, json.Unmarshal(good, &fields))
	require.Len(t, fields, 14)
	for name, value := range fields {
		for _, other := range []any{nil, "AA==", []int{1}, -1, strings.Repeat("A", 44) + "\n", map[string]any{"x": 1},
			map[string]any{"AA==": map[string]string{}}, int64(1) << 33} {
			changed := map[string]any{}
			for n, v := range fields {
				changed[n] = v
			}
			changed[name] = other
			in, err := json.Marshal(changed)
			require.NoError(t, err)
			_, err = ParseJSON(in)
			require.ErrorIs(t, err, key.ErrMalformed, "%s %v", name, other)
		}
		_ = value
		changed := map[string]any{}
		for n, v := range fields {
			if n != name {
				changed[n] = v
			}
		}
		in, err := json.Marshal(changed)
		require.NoError(t, err)
		_, err = ParseJSON(in)
		require.ErrorIs(t, err, key.ErrMalformed, "without %s", name)
		changed["another"] = 1
		in, err = json.Marshal(changed)
		require.NoError(t, err)
		_, err = ParseJSON(in)
		require.ErrorIs(t, err, key.ErrMalformed)
	}
}

// A state of the deployed client may hold any number of keys that it did not erase, in any order of chains. What is over the
// limit is taken from older chains than the current one.
func TestImportedKeysAreBounded(t *testing.T) {
	alice, bob := settledRatchets(t, Classic)
	alice, late := encrypt(t, alice, "late")
	_, bob = pass(t, alice, bob, "text")
	var old []skippedKey
	for i := range MaxSkip + 100 {
		old = append(old, skippedKey{uint32(i), messageKeys{secret.Random(2 * aead.KeySize)}})
	}
	bob.skipped.buckets = append(bob.skipped.buckets, bucket{aead.New(secret.Random(aead.KeySize)), old})
	raw, err := bob.JSON()
	require.NoError(t, err)
	bob, err = ParseJSON(raw)
	require.NoError(t, err)
	require.Equal(t, MaxSkip, bob.skipped.count)
	decrypt(t, bob, late, "late")
}

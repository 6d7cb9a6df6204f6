package key

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Addresses and keys have one text each.
func TestText(t *testing.T) {
	type both struct {
		A Address
		K VerifyKey
	}
	k, err := ParseVerifyKey(point().Bytes())
	require.NoError(t, err)
	in := both{k.Address(), k}
	text, err := json.Marshal(in)
	require.NoError(t, err)
	var out both
	require.NoError(t, json.Unmarshal(text, &out))
	require.Equal(t, in, out)
	hex, err := k.MarshalText()
	require.NoError(t, err)
	for _, bad := range []string{"", "00", string(hex[1:]), strings.ToUpper(string(hex)) + "A", strings.Repeat("0", 114)} {
		require.ErrorIs(t, out.K.UnmarshalText([]byte(bad)), ErrMalformed, bad)
		require.ErrorIs(t, out.A.UnmarshalText([]byte(bad)), ErrMalformed, bad)
	}
}

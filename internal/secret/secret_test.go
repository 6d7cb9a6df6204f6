package secret_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/secret"
	"github.com/trefoil-im/trefoil/internal/secret/secrettest"
)

// G6: no rendering of a holder, alone or inside other values, shows what it holds.
func TestG6NothingShows(t *testing.T) {
	key := secret.Random(32)
	raw := append([]byte(nil), key.Expose()...)
	type state struct {
		keys []secret.Bytes
		m    map[string]secret.Box[[32]byte]
	}
	secrettest.Check(t, key, raw)
	secrettest.Check(t, secret.Hide(raw), raw)
	secrettest.Check(t, secret.Hide([32]byte(raw)), raw)
	secrettest.Check(t, secret.Hide(struct{ K []byte }{raw}), raw)
	secrettest.Check(t, state{keys: []secret.Bytes{key}, m: map[string]secret.Box[[32]byte]{"a": secret.Hide([32]byte(raw))}}, raw)
	require.Equal(t, "[secret]", fmt.Sprint(key))
}

// The leak test itself must see: each way of showing a secret is a hit.
func TestHitSees(t *testing.T) {
	s := secret.Random(32).Expose()
	for name, text := range map[string]string{
		"raw":      "key=" + string(s),
		"part":     string(s[7:15]),
		"quoted":   fmt.Sprintf("%q", s),
		"runes":    string(asRunes(s)),
		"JSON":     fmt.Sprintf("%+q", string(s)),
		"hex":      strings.ToUpper(hex.EncodeToString(s)),
		"spaced":   fmt.Sprintf("% x", s),
		"base64":   base64.StdEncoding.EncodeToString(s),
		"url":      base64.RawURLEncoding.EncodeToString(s),
		"decimal":  fmt.Sprint(s),
		"go":       fmt.Sprintf("%#v", s),
		"array":    fmt.Sprintf("%#v", [32]byte(s)),
		"binary":   fmt.Sprintf("%b", s),
		"prefixed": fmt.Sprintf("%O", s),
		"hidden":   fmt.Sprintf("%+v", struct{ k []byte }{s}),
	} {
		require.NotEmpty(t, secrettest.Hit(text, s), name)
	}
	require.Empty(t, secrettest.Hit("an innocent text, 1 2 3 4 5 6", s))
}

func TestBytes(t *testing.T) {
	in := []byte{1, 2, 3}
	b := secret.New(in)
	in[0] = 9
	require.Equal(t, []byte{1, 2, 3}, b.Expose(), "New copies")
	require.Equal(t, 3, b.Len())
	require.True(t, b.Equal(secret.New([]byte{1, 2, 3})))
	require.False(t, b.Equal(secret.New([]byte{1, 2, 4})))
	require.False(t, b.Equal(secret.Bytes{}))
	require.True(t, secret.Bytes{}.IsZero())
	require.Nil(t, secret.Bytes{}.Expose())
	require.False(t, b.IsZero())
	require.False(t, secret.Random(32).Equal(secret.Random(32)))
	require.Equal(t, 7, secret.Hide(7).Expose())
	require.True(t, secret.Box[int]{}.IsZero())
	require.Zero(t, secret.Box[int]{}.Expose())
}

func asRunes(b []byte) (out []rune) {
	for _, c := range b {
		out = append(out, rune(c))
	}
	return out
}

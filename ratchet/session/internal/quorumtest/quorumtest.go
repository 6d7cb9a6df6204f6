// Package quorumtest holds what tests of several packages share: it loads transcripts of the deployed client, those in its testdata or in
// the folder that the environment variable TREFOIL_VECTORS names, and fuzzes readers of JSON.
package quorumtest

import (
	"bytes"
	"embed"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/wire/wiretest"
	"github.com/trefoil-im/trefoil/ratchet/session/key"
	"github.com/trefoil-im/trefoil/ratchet/session/keypair"
)

//go:embed testdata/*.json
var transcripts embed.FS

// Load reads one file of transcripts. An unknown field fails the test.
func Load[T any](t testing.TB, name string) (v T) {
	t.Helper()
	read := func(name string) ([]byte, error) { return transcripts.ReadFile("testdata/" + name) }
	if dir := os.Getenv("TREFOIL_VECTORS"); dir != "" {
		read = func(name string) ([]byte, error) { return os.ReadFile(filepath.Join(dir, name)) }
	}
	b, err := read(name)
	require.NoError(t, err, "no vectors")
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(&v))
	_, err = d.Token()
	require.ErrorIs(t, err, io.EOF)
	return v
}

// All returns the vectors of a file, and fails the test if there are none.
func All[T any](t testing.TB, all []T) []T {
	t.Helper()
	require.NotEmpty(t, all, "no vectors")
	t.Logf("%d vectors", len(all))
	return all
}

// Pair is a recorded key pair.
type Pair struct {
	Private []byte `json:"private_key"`
	Public  []byte `json:"public_key"`
}

// Private reads a key pair and checks that its halves belong together.
func Private[R key.Role](t testing.TB, v Pair) keypair.PrivateKey[R] {
	t.Helper()
	k, err := keypair.ParsePrivateKey[R](v.Private)
	require.NoError(t, err)
	public, err := key.ParsePublicKey[R](v.Public)
	require.NoError(t, err)
	require.True(t, k.Public().Equal(public))
	return k
}

// Signing reads a pair of signing keys and checks that its halves belong together.
func Signing(t testing.TB, v Pair) keypair.SigningKey {
	t.Helper()
	k, err := keypair.ParseSigningKey(v.Private)
	require.NoError(t, err)
	require.Equal(t, v.Public, k.Public().Bytes())
	return k
}

// FuzzJSON fuzzes a reader of JSON. JSON has many spellings: what is accepted is written in one of them, and that one must be
// read as the same value.
func FuzzJSON[T any](f *testing.F, parse func([]byte) (T, error), write func(T) []byte, seeds ...[]byte) {
	wiretest.Fuzz(f, func(in []byte) ([]byte, error) {
		v, err := parse(in)
		if err != nil {
			return nil, err
		}
		once := write(v)
		again, err := parse(once)
		if err != nil || !bytes.Equal(write(again), once) {
			panic("what was written is read as something else")
		}
		return bytes.Clone(in), nil
	}, func(in []byte) []byte { return in }, seeds...)
}

// Must returns the result of a writer whose input was read before.
func Must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

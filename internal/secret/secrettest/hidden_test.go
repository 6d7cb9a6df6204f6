package secrettest

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trefoil-im/trefoil/internal/secret"
)

// What is hidden is found in all kinds of values, and what is not is none.
func TestHidden(t *testing.T) {
	type inner struct{ key secret.Bytes }
	key := func(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }
	own := func(b byte) inner { return inner{secret.Own(key(b))} }
	type fixed struct{ seed [32]byte }
	first := own(1)
	v := struct {
		public  []byte
		pointer *inner
		again   *inner
		list    []inner
		named   map[string]inner
		any     any
		box     secret.Box[fixed]
		nothing secret.Bytes
	}{key(9), &first, &first, []inner{own(2), own(3)}, map[string]inner{"x": own(4)}, own(5), secret.Hide(fixed{[32]byte(key(6))}), secret.Bytes{}}
	require.ElementsMatch(t, [][]byte{key(1), key(2), key(3), key(4), key(5), key(6)}, Hidden(v))
	require.Empty(t, Hidden(key(9)))
	require.Empty(t, Hidden(nil))
}

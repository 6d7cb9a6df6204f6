// Package wiretest is the fuzz harness that every decoder of the project goes through.
package wiretest

import (
	"bytes"
	"runtime/metrics"
	"testing"
)

// A decoder may allocate perByte for each byte of its input and allowance beside; what goes beyond was allocated on the
// word of a length field.
const (
	perByte   = 256
	allowance = 4 << 20
)

// Fuzz runs a native fuzz target: whatever the bytes, decode must not panic and must not allocate out of proportion to
// its input, and whatever it accepts must re-encode to the same bytes.
func Fuzz[T any](f *testing.F, decode func([]byte) (T, error), encode func(T) []byte, seeds ...[]byte) {
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, in []byte) { Check(t, in, decode, encode) })
}

// Check makes the checks of Fuzz for one input.
func Check[T any](t testing.TB, in []byte, decode func([]byte) (T, error), encode func(T) []byte) {
	t.Helper()
	given := bytes.Clone(in)
	before := allocated()
	v, err := decode(in)
	if n, limit := allocated()-before, uint64(allowance+perByte*len(in)); n > limit {
		t.Fatalf("decoding %d bytes allocated %d, limit %d", len(in), n, limit)
	}
	if !bytes.Equal(in, given) {
		t.Fatal("decoding wrote to its input")
	}
	if err != nil {
		return
	}
	// Scribble over the input: a decoder that kept a reference to it shows now.
	for i := range in {
		in[i] ^= 0xa5
	}
	if out := encode(v); !bytes.Equal(out, given) {
		t.Fatalf("accepted %d bytes that re-encode to %d other bytes: the encoding is not canonical", len(given), len(out))
	}
	copy(in, given)
}

// allocated returns the bytes allocated on the heap since the program started.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// Package secret is the only holder of key bytes and of values that contain them.
//
// A plain String method does not keep a key out of a log: fmt does not call the methods of nested unexported fields,
// and both fmt and test differs follow pointers and read unexported fields through reflection. So a Box keeps its value
// in the closure of a func, which reflection can name but not open. Whatever struct holds a Box, at any depth, can be
// formatted, logged, diffed or handed to an encoder without its value appearing.
//
// What this does not promise: that the bytes are erased from memory. Go's collector neither moves nor clears on request,
// and copies made by the runtime or by callees are out of reach.
package secret

import (
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// redacted is what every formatting of a held value shows.
const redacted = "[secret]"

// Box holds a value of any type that contains key material, such as a cipher with its key schedule. The zero Box is
// empty. Boxes cannot be compared with ==.
type Box[T any] struct {
	_    [0]func()
	open func() T
}

// Hide puts v into a Box.
func Hide[T any](v T) Box[T] { return Box[T]{open: func() T { return v }} }

// IsZero reports whether the Box is empty.
func (b Box[T]) IsZero() bool { return b.open == nil }

// Expose returns the value, or the zero value of T if the Box is empty.
func (b Box[T]) Expose() T {
	if b.open == nil {
		var zero T
		return zero
	}
	return b.open()
}

// Format implements fmt.Formatter for every verb.
func (b Box[T]) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue implements slog.LogValuer.
func (b Box[T]) LogValue() slog.Value { return slog.StringValue(redacted) }

// Bytes holds key bytes. It is immutable as long as nobody writes to what Expose returns. The zero value is empty.
type Bytes struct{ box Box[[]byte] }

// New returns a holder of a copy of b.
func New(b []byte) Bytes { return Own(append(make([]byte, 0, len(b)), b...)) }

// Own returns a holder of b itself; the caller gives b up.
func Own(b []byte) Bytes { return Bytes{Hide(b)} }

// Random returns n fresh random bytes.
func Random(n int) Bytes {
	b := make([]byte, n)
	rand.Read(b)
	return Own(b)
}

// IsZero reports whether nothing is held.
func (b Bytes) IsZero() bool { return b.box.IsZero() }

// Len returns the number of bytes held.
func (b Bytes) Len() int { return len(b.box.Expose()) }

// Expose returns the bytes themselves, to be read and neither kept nor written to.
func (b Bytes) Expose() []byte { return b.box.Expose() }

// Equal compares in time that depends on the lengths only.
func (b Bytes) Equal(o Bytes) bool { return subtle.ConstantTimeCompare(b.Expose(), o.Expose()) == 1 }

// Format implements fmt.Formatter for every verb.
func (b Bytes) Format(f fmt.State, verb rune) { b.box.Format(f, verb) }

// LogValue implements slog.LogValuer.
func (b Bytes) LogValue() slog.Value { return b.box.LogValue() }

// Package wire is the one place that knows how fields are written and read: fixed-size integers in network byte order,
// length-prefixed byte strings, and version numbers.
//
// Every encoding is exact and canonical: a Reader refuses trailing bytes, every length is bounded before anything is
// allocated, and whatever a decoder accepts must re-encode to the same bytes, which package wiretest checks.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"golang.org/x/crypto/cryptobyte"
)

// Errors of a Reader. Everything a Reader refuses is one of these.
var (
	// ErrMalformed is the error for bytes that are no encoding of what was asked for.
	ErrMalformed = errors.New("malformed encoding")
	// ErrTooOld is the error for a version that is no longer read.
	ErrTooOld = errors.New("format version too old")
	// ErrTooNew is the error for a version written by a newer release.
	ErrTooNew = errors.New("format version too new")
)

// Writer builds an encoding. The zero Writer is ready for use.
type Writer struct{ b []byte }

// NewWriter returns a Writer with room for size bytes.
func NewWriter(size int) *Writer { return &Writer{make([]byte, 0, size)} }

// U8 appends one byte.
func (w *Writer) U8(v uint8) { w.b = append(w.b, v) }

// U16 appends two bytes, most significant first.
func (w *Writer) U16(v uint16) { w.b = binary.BigEndian.AppendUint16(w.b, v) }

// U32 appends four bytes, most significant first.
func (w *Writer) U32(v uint32) { w.b = binary.BigEndian.AppendUint32(w.b, v) }

// U64 appends eight bytes, most significant first.
func (w *Writer) U64(v uint64) { w.b = binary.BigEndian.AppendUint64(w.b, v) }

// Bool appends one byte, 0 or 1.
func (w *Writer) Bool(v bool) {
	if v {
		w.U8(1)
	} else {
		w.U8(0)
	}
}

// Fixed appends b without a length, for fields whose size the format fixes.
func (w *Writer) Fixed(b []byte) { w.b = append(w.b, b...) }

// Vec8 appends b behind its length in one byte. It panics if that cannot say the length, as Vec16 and Vec32 do: that is a mistake
// of the program and not of its input, since writers check their limits first.
func (w *Writer) Vec8(b []byte) {
	w.U8(uint8(length(b, math.MaxUint8)))
	w.Fixed(b)
}

// Vec16 appends b behind its length in two bytes.
func (w *Writer) Vec16(b []byte) {
	w.U16(uint16(length(b, math.MaxUint16)))
	w.Fixed(b)
}

// Vec32 appends b behind its length in four bytes.
func (w *Writer) Vec32(b []byte) {
	w.U32(uint32(length(b, math.MaxUint32)))
	w.Fixed(b)
}

func length(b []byte, most uint64) int {
	if uint64(len(b)) > most {
		panic("wire: a field is longer than its length can say")
	}
	return len(b)
}

// Bytes returns what was written.
func (w *Writer) Bytes() []byte { return w.b }

// Reader takes an encoding apart. The first failure sticks: every later read returns zero values, and Done returns it.
type Reader struct {
	s    cryptobyte.String
	owns bool // s, so that nothing need be copied
	err  error
}

// NewReader returns a Reader of b. What the Reader returns are copies: b may be written to afterwards.
func NewReader(b []byte) *Reader { return &Reader{s: b} }

// Owning returns a Reader of b whose byte strings are parts of b, which the caller gives up.
func Owning(b []byte) *Reader { return &Reader{s: b, owns: true} }

// Fail makes the Reader fail with ErrMalformed for a reason that the format, not its syntax, gives.
func (r *Reader) Fail(reason string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrMalformed, reason)
	}
}

// Err returns the first failure so far.
func (r *Reader) Err() error { return r.err }

// Len returns how many bytes are left, 0 after a failure.
func (r *Reader) Len() int {
	if r.err != nil {
		return 0
	}
	return len(r.s)
}

// Done returns the first failure, or ErrMalformed if bytes are left over.
func (r *Reader) Done() error {
	if r.err == nil && !r.s.Empty() {
		r.Fail("trailing bytes")
	}
	return r.err
}

// take returns the next n bytes without copying them, or nil after a failure.
func (r *Reader) take(n int) []byte {
	var out []byte
	if r.err == nil && !r.s.ReadBytes(&out, n) {
		r.Fail("too short")
	}
	if r.err != nil {
		return nil
	}
	return out
}

// uint reads an unsigned integer of n bytes.
func (r *Reader) uint(n int) (v uint64) {
	for _, b := range r.take(n) {
		v = v<<8 | uint64(b)
	}
	return v
}

// U8 reads one byte.
func (r *Reader) U8() uint8 { return uint8(r.uint(1)) }

// U16 reads two bytes.
func (r *Reader) U16() uint16 { return uint16(r.uint(2)) }

// U32 reads four bytes.
func (r *Reader) U32() uint32 { return uint32(r.uint(4)) }

// U64 reads eight bytes.
func (r *Reader) U64() uint64 { return r.uint(8) }

// Bool reads one byte that is 0 or 1.
func (r *Reader) Bool() bool {
	v := r.U8()
	if v > 1 {
		r.Fail("a flag is neither 0 nor 1")
	}
	return v == 1
}

// Into fills dst with the next bytes. After a failure dst is unchanged.
func (r *Reader) Into(dst []byte) { copy(dst, r.take(len(dst))) }

// Fixed returns the next n bytes, nil after a failure.
func (r *Reader) Fixed(n int) []byte { return r.own(r.take(n)) }

// Vec8 reads a byte string of at most max bytes behind its length in one byte.
func (r *Reader) Vec8(max int) []byte { return r.vec(1, max) }

// Vec16 reads a byte string of at most max bytes behind its length in two bytes.
func (r *Reader) Vec16(max int) []byte { return r.vec(2, max) }

// Vec32 reads a byte string of at most max bytes behind its length in four bytes.
func (r *Reader) Vec32(max int) []byte { return r.vec(4, max) }

func (r *Reader) vec(prefix, max int) []byte {
	n := r.uint(prefix)
	if n > uint64(max) {
		r.Fail("a field is longer than its limit")
		return nil
	}
	return r.own(r.take(int(n)))
}

// Rest returns everything that is left.
func (r *Reader) Rest() []byte { return r.own(r.take(r.Len())) }

// Count reads a number of elements as four bytes. It fails if there are more than max, or more than what is left could
// hold with at least size bytes each, so a caller may allocate that many.
func (r *Reader) Count(max, size int) int {
	n := r.U32()
	if uint64(n) > uint64(max) || uint64(n)*uint64(size) > uint64(r.Len()) {
		r.Fail("more elements than allowed")
		return 0
	}
	return int(n)
}

// Version8 reads a version of one byte, as used on the wire.
func (r *Reader) Version8(oldest, newest uint8) uint8 {
	return uint8(r.version(uint64(r.U8()), uint64(oldest), uint64(newest)))
}

// Version16 reads a version of two bytes, as used in storage.
func (r *Reader) Version16(oldest, newest uint16) uint16 {
	return uint16(r.version(uint64(r.U16()), uint64(oldest), uint64(newest)))
}

func (r *Reader) version(v, oldest, newest uint64) uint64 {
	switch {
	case r.err != nil:
	case v < oldest:
		r.err = fmt.Errorf("%w: %d, oldest read is %d", ErrTooOld, v, oldest)
	case v > newest:
		r.err = fmt.Errorf("%w: %d, newest read is %d", ErrTooNew, v, newest)
	default:
		return v
	}
	return 0
}

// own returns b, or a copy of it if the Reader does not own it. It keeps nil and empty apart, so that a failure is seen as nil.
func (r *Reader) own(b []byte) []byte {
	if r.owns || b == nil {
		return b[:len(b):len(b)]
	}
	return append(make([]byte, 0, len(b)), b...)
}

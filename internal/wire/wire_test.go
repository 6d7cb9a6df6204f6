package wire_test

import (
	"bytes"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/trefoil-im/trefoil/internal/wire"
	"github.com/trefoil-im/trefoil/internal/wire/wiretest"
)

// sample has a field of every form.
type sample struct {
	version   uint8
	flag      bool
	a         uint8
	b         uint16
	c         uint32
	d         uint64
	fixed     [3]byte
	v8, v16   []byte
	v32, rest []byte
	list      []uint16
}

func (s sample) encode() []byte {
	w := wire.NewWriter(64)
	w.U8(s.version)
	w.Bool(s.flag)
	w.U8(s.a)
	w.U16(s.b)
	w.U32(s.c)
	w.U64(s.d)
	w.Fixed(s.fixed[:])
	w.Vec8(s.v8)
	w.Vec16(s.v16)
	w.Vec32(s.v32)
	w.U32(uint32(len(s.list)))
	for _, v := range s.list {
		w.U16(v)
	}
	w.Fixed(s.rest)
	return w.Bytes()
}

func decode(b []byte) (s sample, err error) {
	r := wire.NewReader(b)
	s.version = r.Version8(2, 3)
	s.flag, s.a, s.b, s.c, s.d = r.Bool(), r.U8(), r.U16(), r.U32(), r.U64()
	r.Into(s.fixed[:])
	s.v8, s.v16, s.v32 = r.Vec8(100), r.Vec16(1000), r.Vec32(1<<20)
	s.list = make([]uint16, r.Count(1<<16, 2))
	for i := range s.list {
		s.list[i] = r.U16()
	}
	s.rest = r.Rest()
	return s, r.Done()
}

func draw(t *rapid.T) sample {
	blob := rapid.SliceOfN(rapid.Byte(), 0, 90)
	return sample{
		version: rapid.Uint8Range(2, 3).Draw(t, "version"), flag: rapid.Bool().Draw(t, "flag"),
		a: rapid.Uint8().Draw(t, "a"), b: rapid.Uint16().Draw(t, "b"), c: rapid.Uint32().Draw(t, "c"), d: rapid.Uint64().Draw(t, "d"),
		fixed: [3]byte(rapid.SliceOfN(rapid.Byte(), 3, 3).Draw(t, "fixed")),
		v8:    blob.Draw(t, "v8"), v16: blob.Draw(t, "v16"), v32: blob.Draw(t, "v32"), rest: blob.Draw(t, "rest"),
		list: rapid.SliceOfN(rapid.Uint16(), 0, 9).Draw(t, "list"),
	}
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := draw(t)
		got, err := decode(s.encode())
		require.NoError(t, err)
		require.Equal(t, s, got)
	})
}

// G25: every cut of a valid encoding is refused as malformed, never with a panic.
func TestG25Truncated(t *testing.T) {
	b := sample{version: 2, v8: []byte("eight"), v16: []byte("sixteen"), v32: []byte("thirty-two"), list: []uint16{1, 2}}.encode()
	for n := range b {
		_, err := decode(b[:n])
		require.ErrorIs(t, err, wire.ErrMalformed, "%d of %d bytes", n, len(b))
	}
}

func TestRefusals(t *testing.T) {
	read := func(f func(*wire.Reader), b ...byte) error {
		r := wire.NewReader(b)
		f(r)
		return r.Done()
	}
	require.ErrorIs(t, read(func(r *wire.Reader) {}, 1), wire.ErrMalformed, "trailing byte")
	require.ErrorIs(t, read(func(r *wire.Reader) { r.Bool() }, 2), wire.ErrMalformed, "flag 2")
	require.ErrorIs(t, read(func(r *wire.Reader) { r.Vec8(1) }, 2, 0, 0), wire.ErrMalformed, "over the limit")
	require.ErrorIs(t, read(func(r *wire.Reader) { r.Count(10, 4) }, 0, 0, 0, 1, 0, 0, 0), wire.ErrMalformed, "cannot be there")
	require.ErrorIs(t, read(func(r *wire.Reader) { r.Count(1, 0) }, 0, 0, 0, 2), wire.ErrMalformed, "too many")
	require.ErrorIs(t, read(func(r *wire.Reader) { r.Vec32(1 << 30) }, 0x3f, 0xff, 0xff, 0xff), wire.ErrMalformed, "long and absent")

	old, recent := read(func(r *wire.Reader) { r.Version16(3, 4) }, 0, 2), read(func(r *wire.Reader) { r.Version16(3, 4) }, 0, 5)
	require.ErrorIs(t, old, wire.ErrTooOld)
	require.ErrorIs(t, recent, wire.ErrTooNew)
	require.NotErrorIs(t, old, wire.ErrMalformed)
	require.NotErrorIs(t, recent, wire.ErrMalformed)
}

func TestFirstFailureSticks(t *testing.T) {
	r := wire.NewReader([]byte{9, 1, 2, 3, 4, 5, 6, 7, 8})
	r.Version8(1, 2)
	require.Zero(t, r.U8())
	require.Zero(t, r.U64())
	require.Nil(t, r.Fixed(1))
	require.Nil(t, r.Rest())
	require.Zero(t, r.Len())
	r.Fail("something else")
	dst := []byte{7}
	r.Into(dst)
	require.Equal(t, []byte{7}, dst)
	require.ErrorIs(t, r.Done(), wire.ErrTooNew)
}

func TestOwnMistakesPanic(t *testing.T) {
	w := wire.NewWriter(0)
	require.Panics(t, func() { w.Vec8(make([]byte, 256)) })
	require.Panics(t, func() { w.Vec16(make([]byte, 1<<16)) })
}

// The harness must see what it is there for.
func TestHarnessSees(t *testing.T) {
	type result struct{ failed, ok bool }
	run := func(in []byte, decode func([]byte) ([]byte, error), encode func([]byte) []byte) (r result) {
		rec := &recorder{TB: t}
		done := make(chan struct{})
		go func() { // Fatal ends its goroutine
			defer close(done)
			wiretest.Check(rec, in, decode, encode)
			r.ok = true
		}()
		<-done
		r.failed = rec.failed
		return r
	}
	same := func(b []byte) []byte { return b }
	var sink []byte
	require.Equal(t, result{ok: true}, run([]byte("abc"), func(b []byte) ([]byte, error) { return bytes.Clone(b), nil }, same))
	require.True(t, run([]byte("abc"), func(b []byte) ([]byte, error) { return b[:2], nil }, same).failed, "not canonical")
	require.True(t, run([]byte("abc"), func(b []byte) ([]byte, error) { return b, nil }, same).failed, "keeps its input")
	require.True(t, run([]byte("abc"), func(b []byte) ([]byte, error) { b[0]++; return bytes.Clone(b), nil }, same).failed, "writes to its input")
	require.True(t, run([]byte("abc"), func(b []byte) ([]byte, error) { sink = make([]byte, 64<<20); return bytes.Clone(b), nil }, same).failed, "allocates")
	require.Len(t, sink, 64<<20)
}

// recorder is a testing.TB that notes a failure.
type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Helper()               {}
func (r *recorder) Fatal(args ...any)     { r.fail() }
func (r *recorder) Fatalf(string, ...any) { r.fail() }
func (r *recorder) fail()                 { r.failed = true; runtime.Goexit() }

func FuzzReader(f *testing.F) {
	wiretest.Fuzz(f, decode, sample.encode, sample{version: 2, v8: []byte{1}, list: []uint16{5}}.encode())
}
